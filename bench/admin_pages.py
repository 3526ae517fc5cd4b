"""How long do the admin API's pages take over a long ledger? Makes one, asks, prints a table.

    python bench/admin_pages.py [ROWS]   # 10 000 000 unless given; a row is about 300 bytes on disk

The ledger is made straight in its file, without hashes: what reading costs does not depend on
them. Two rows a call, a year of days, 20 keys, 4 models, 6 accounts. Each page is asked 40 times
over HTTP of a real control process, after one to warm up.
"""

import http.client
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from arkway.ledger.schema import SCHEMA_VERSION, SMALLER, SUMS_TABLES, TABLES, summed_up
from arkway.model.ids import uuid7_head

DAYS, KEYS, MODELS, ACCOUNTS = 365, 20, 4, 6
DAY_MS = 86_400_000
END_MS = 1_764_547_200_000
ASKED = 40
with socket.socket() as _free:
    _free.bind(("127.0.0.1", 0))
    PORT = _free.getsockname()[1]
PAGES = {
    "overview: today by model": "usage?by=model&since=2025-11-30",
    "usage: a year by day and model": "usage?by=day,model&limit=2000",
    "usage: a year by key": "usage?by=key",
    "usage: one key by day": "usage?by=day&key=key_7&limit=400",
    "calls: newest": "calls?limit=50",
    "calls: of one key": "calls?limit=50&key=key_7",
    "calls: failed": "calls?limit=50&outcome=refused",
    "calls: an hour of a year ago": f"calls?limit=50&until_ms={END_MS - 300 * DAY_MS}",
    "calls: a key that never called": "calls?limit=50&key=key_none",
    "one call": "calls/{id}",
    "keys": "keys",
    "audit": "audit",
    "health": "health",
}


def entries(rows: int) -> Iterator[tuple[object, ...]]:
    """Yield the columns of each entry: an intent and its end for every call."""
    calls = rows // 2
    step_ms = DAYS * DAY_MS / calls
    for n in range(calls):
        at_ms = int(END_MS - DAYS * DAY_MS + n * step_ms)
        request_id = f"{uuid7_head(at_ms)}{n & 0xFFF:03x}-8{n >> 12 & 0xFFF:03x}-{n:012x}"
        outcome, kind = ("refused", "void") if n % 997 == 0 else ("completed", "settle")
        asked = (
            f'{{"request_id":"{request_id}","attempt":1,"at_ms":{at_ms},"key":"key_{n % KEYS}",'
            f'"tenant":"default","account":"a{n % ACCOUNTS}","model":"M{n % MODELS}",'
            f'"upstream_model":"m","price":1,"currency":"CNY"}}'
        )
        done = (
            f'{{"request_id":"{request_id}","attempt":1,"at_ms":{at_ms + 900},"kind":"{kind}",'
            f'"outcome":"{outcome}","source":"upstream","uncached":100,"cached":900,"output":50,'
            f'"cost_nano":123456,"price":1,"total_ms":900,"first_token_ms":120,"status":200}}'
        )
        yield 2 * n + 1, request_id, 1, 0, asked, b""
        yield 2 * n + 2, request_id, 1, 1, done, b""


def make(path: Path, rows: int) -> str:
    """Make a ledger of so many entries; return the id of a call in its middle."""
    db = sqlite3.connect(path)
    db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + TABLES + SUMS_TABLES)
    db.execute("INSERT INTO meta VALUES('schema_version', ?)", (SCHEMA_VERSION,))
    db.executemany("INSERT INTO entries VALUES(?,?,?,?,?,?)", entries(rows))
    per_group = rows // 2 // (DAYS * 60)
    days = (time.strftime("%Y-%m-%d", time.gmtime(END_MS / 1000 - 86400 * n)) for n in range(DAYS))
    lines = [
        (day, f"key_{k}", "default", f"M{k % MODELS}", f"a{a}", "CNY", *([per_group] * 9), 10**9)
        for day in days
        for k in range(KEYS)
        for a in range(ACCOUNTS)
    ]
    db.executemany(f"INSERT INTO daily VALUES({','.join('?' * 16)})", lines)
    for name in SMALLER:
        db.execute(f"INSERT INTO {name} {summed_up(name)}")
    db.commit()
    found = db.execute("SELECT request_id FROM entries WHERE seq = ?", (rows // 2,)).fetchone()[0]
    db.close()
    return str(found)


def ask(path: str, token: str) -> tuple[float, int]:
    """Return how long one page took, in s, and how many bytes it had."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    began_s = time.perf_counter()
    connection.request("GET", f"/admin/v1/{path}", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    body = answer.read()
    took_s = time.perf_counter() - began_s
    connection.close()
    assert answer.status == 200, body
    return took_s, len(body)


def main() -> None:
    """Make, start, ask, print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    with tempfile.TemporaryDirectory(prefix="arkway-pages-") as folder:
        home = Path(folder)
        call = make(home / "ledger.db", rows)
        size = (home / "ledger.db").stat().st_size
        print(f"{rows} rows, {size / 2**30:.2f} GiB; {ASKED} times each, ms")
        command = [sys.executable, "-m", "arkway", "control", "--control-port", str(PORT)]
        process = subprocess.Popen(
            command, env={**os.environ, "ARKWAY_HOME": folder}, stdout=subprocess.DEVNULL
        )
        try:
            _print_pages(home, call)
        finally:
            process.terminate()
            process.wait(10)


def _print_pages(home: Path, call: str) -> None:
    for _ in range(200):
        try:
            token = (home / "first-admin-token").read_text().strip()
            ask("health", token)
            break
        except OSError:
            time.sleep(0.05)
    print(f"{'page':34} {'p50':>7} {'p95':>7} {'max':>7} {'KiB':>6}")
    for name, page in PAGES.items():
        path = page.replace("{id}", call)
        first_s, size = ask(path, token)
        took = sorted(ask(path, token)[0] for _ in range(ASKED))
        p50, p95 = took[ASKED // 2], took[int(ASKED * 0.95)]
        numbers = " ".join(f"{each * 1000:7.1f}" for each in (p50, p95, max(*took, first_s)))
        print(f"{name:34} {numbers} {size / 1024:6.0f}")


if __name__ == "__main__":
    main()
