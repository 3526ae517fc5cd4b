"""How long does a page of the console take over a long ledger? Makes one, opens pages, prints.

    python bench/console_pages.py [ROWS [HOME]]   # 10 000 000, a passing home; see admin_pages.py

Each page is opened 20 times, after two to warm up, as a browser's first request asks for it: its
HTML has all that it shows, so that is the time until it can be read but for drawing. A control
process of its own answers, with a session.
"""

import http.client
import json
import math
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from admin_pages import PORT, make

OPENED = 20
PAGES = {
    "overview": "/",
    "accounts": "/accounts",
    "keys": "/keys",
    "a key": "/keys/{key}",
    "usage: a year": "/usage?since=2024-12-02&until=2025-11-30&by=model,key",
    "usage: a year by day and model": "/usage?since=2024-12-02&until=2025-11-30&by=day,model",
    "calls: newest": "/calls",
    "calls: failed": "/calls?outcome=refused",
    "calls: a key that never called": "/calls?key=key_none",
    "a call": "/calls/{id}",
    "models": "/models",
    "audit": "/audit",
    "playground": "/playground",
    "settings": "/settings",
}


def ask(method: str, path: str, headers: dict[str, str], body: str | None = None):  # type: ignore[no-untyped-def]
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("set-cookie") or ""
    finally:
        connection.close()


def cookie_of(home: Path) -> str:
    """Log in when the process is there; return the cookie."""
    for _ in range(200):
        try:
            token = (home / "first-admin-token").read_text().strip()
            body = json.dumps({"token": token})
            headers = {"content-type": "application/json"}
            return str(ask("POST", "/admin/v1/session", headers, body)[2].partition(";")[0])
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the control process did not start")


def opened(path: str, cookie: str) -> list[float]:
    times = []
    for _ in range(OPENED + 2):
        began_s = time.perf_counter()
        status, body, _ = ask("GET", path, {"cookie": cookie})
        times.append((time.perf_counter() - began_s) * 1000)
        assert status == 200, f"{path}: {status}"
        assert b"could not be read" not in body, path
    return sorted(times[2:])


def main(rows: int, home: Path) -> None:
    ledger = home / "ledger.db"
    if not ledger.exists():
        home.mkdir(parents=True, exist_ok=True)
        make(ledger, rows)
    with closing(sqlite3.connect(ledger)) as db:
        (call,) = db.execute(
            "SELECT request_id FROM entries WHERE seq >= ? AND seq % 2 = 0 LIMIT 1", (rows // 2,)
        ).fetchone()
        (last,) = db.execute("SELECT max(seq) FROM entries").fetchone()
    print(f"{last} entries, {ledger.stat().st_size / 2**30:.2f} GiB; opened {OPENED} times each")
    command = [sys.executable, "-m", "arkway", "control", "--control-port", str(PORT)]
    environ = {**os.environ, "ARKWAY_HOME": str(home)}
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    try:
        cookie = cookie_of(home)
        csrf = json.loads(ask("GET", "/admin/v1/session", {"cookie": cookie})[1])["csrf_token"]
        origin = {"origin": f"http://127.0.0.1:{PORT}", "x-csrf-token": csrf, "cookie": cookie}
        headers = {**origin, "content-type": "application/json"}
        key = json.loads(ask("POST", "/admin/v1/keys", headers, '{"name": "bench"}')[1])["id"]
        print("| page | p50 ms | p95 ms | worst ms |\n| --- | ---: | ---: | ---: |")
        for name, path in PAGES.items():
            times = opened(path.format(id=call, key=key), cookie)
            p95 = times[math.ceil(OPENED * 0.95) - 1]
            print(f"| {name} | {times[OPENED // 2]:.0f} | {p95:.0f} | {times[-1]:.0f} |")
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    with tempfile.TemporaryDirectory(prefix="arkway-bench-") as place:
        main(count, Path(sys.argv[2]) if len(sys.argv) > 2 else Path(place))
