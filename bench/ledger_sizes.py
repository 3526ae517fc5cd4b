"""Do the ledger and the store hold what they have to? Rows a second, a long month, many keys.

    python bench/ledger_sizes.py rows [SECONDS]      # sustained, journal and database, one process
    python bench/ledger_sizes.py month FOLDER [ROWS] # makes a month of rows, once; asks it
    python bench/ledger_sizes.py keys [COUNT]        # loads COUNT keys, changes one, looks one up

Each prints one line of JSON; ledger_sizes.json has those of the machine in README.md.
"""

import asyncio
import json
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import date
from pathlib import Path

import uvloop

from arkway.control.home import ledger_file
from arkway.ledger.book_file_io import BookFile
from arkway.ledger.book_io import book_at
from arkway.ledger.chain import link
from arkway.ledger.entry import End, Intent, Kind, Outcome, UsageSource, encode
from arkway.ledger.prune_io import prune
from arkway.ledger.read_io import reading, spent, usage
from arkway.model.key_digest import key_digest
from arkway.store import keys
from arkway.store.changes import change
from arkway.store.engine import open_store
from arkway.store.read_io import StoreReader
from arkway.store.secret_io import gateway_secrets

MONTH_MS, CALLS_IN_FLIGHT = 30 * 86_400_000, 2_000
NOVEMBER_MS = 1_793_491_200_000  # 2026-11-01
KEYS, MODELS, ACCOUNTS = 1_000, 4, 8
TRIES = 5


def intent(number: int, at_ms: int, dice: random.Random) -> Intent:
    model = dice.randrange(MODELS)
    return Intent(
        f"019a{number:08x}-0000-7000-8000-{number:012x}",
        1,
        at_ms,
        f"key_{dice.randrange(KEYS):016x}",
        "default",
        f"account-{dice.randrange(ACCOUNTS)}",
        f"Doubao-model-{model}",
        f"doubao-model-{model}-250115",
        1,
        "CNY",
        stream=True,
    )


def end(of: Intent, at_ms: int, dice: random.Random) -> End:
    return End(
        of.request_id,
        1,
        at_ms,
        Kind.SETTLE,
        Outcome.COMPLETED,
        UsageSource.UPSTREAM,
        dice.randrange(4000),
        dice.randrange(4000),
        0,
        dice.randrange(900),
        dice.randrange(200),
        dice.randrange(1_000_000),
        1,
        2000,
        400,
        3000,
        "home",
        200,
    )


# -- rows a second ---------------------------------------------------------------------------------


async def _rows(folder: Path, seconds: float) -> dict[str, object]:
    loop, dice = asyncio.get_running_loop(), random.Random(1)
    sys.setswitchinterval(0.0002)  # as `arkway serve`
    book = book_at(ledger_file(folder), loop, print)
    book.open(0)
    told = [0]

    def on_told(is_durable: bool) -> None:
        assert is_durable
        told[0] += 1

    made = [intent(number, NOVEMBER_MS + number, dice) for number in range(20_000)]
    number = given = 0
    lag: list[int] = []
    cpu_s, began_s = time.process_time(), time.monotonic()
    while time.monotonic() - began_s < seconds:
        while given - told[0] < CALLS_IN_FLIGHT:  # so many calls wait for their row at once
            base = made[number % len(made)]
            one = Intent(
                f"019a{number:08x}-0000-7000-8000-{number:012x}", 1, NOVEMBER_MS + number,
                base.key, base.tenant, base.account, base.model, base.upstream_model, 1, "CNY",
            )  # fmt: skip
            book.append(one, on_told)
            book.append(end(one, one.at_ms + 3000, dice), on_told)
            number, given = number + 1, given + 2
        await asyncio.sleep(0)
        lag.append(book.state.unfiled)
    took_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    durable = told[0]
    book.close()
    with reading(ledger_file(folder)) as db:
        (filed,) = db.execute("SELECT count(*) FROM entries").fetchone()
    assert filed == given, "rows were lost"
    return {
        "seconds": round(took_s, 1),
        "rows": durable,
        "rows_per_s": round(durable / took_s),
        "cpu_us_per_row": round(1e6 * cpu_s / durable, 1),
        "most_unfiled": max(lag),
    }


def rows(seconds: float = 20.0) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="arkway-bench-") as folder:
        return uvloop.run(_rows(Path(folder), seconds))


# -- a month ---------------------------------------------------------------------------------------


def make_month(folder: Path, count: int) -> None:
    """Write a month of `count` rows as the filing thread does, in commits of 20 000."""
    dice, path = random.Random(1), ledger_file(folder)
    file = BookFile(path)
    file.open()
    step_ms = MONTH_MS / (count / 2)
    seq, hash_, batch = file.seq, file.hash, []
    for number in range(count // 2):
        one = intent(number, NOVEMBER_MS + int(number * step_ms), dice)
        for entry in (one, end(one, one.at_ms + 3000, dice)):
            body = encode(entry)
            seq += 1
            hash_ = link(hash_, seq, body)
            batch.append((seq, entry, body, hash_))
        if len(batch) >= 20_000:
            file.add(batch)
            batch = []
    if batch:
        file.add(batch)
    file.close()


def _timed(work, tries: int = TRIES) -> dict[str, float]:  # type: ignore[no-untyped-def]
    took = []
    for _ in range(tries):
        began_s = time.perf_counter()
        work()
        took.append((time.perf_counter() - began_s) * 1000)
    return {"median_ms": round(statistics.median(took), 1), "worst_ms": round(max(took), 1)}


def month(folder: Path, count: int = 10_000_000) -> dict[str, object]:
    path = ledger_file(folder)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        make_month(folder, count)
    key, environ = f"key_{7:016x}", os.environ | {"ARKWAY_HOME": str(folder)}
    days = ("2026-11-01", "2026-11-30")
    found: dict[str, object] = {}
    with reading(path) as db:
        found["rows"] = db.execute("SELECT max(seq) FROM entries").fetchone()[0]
        found["lines_of_sums"] = db.execute("SELECT count(*) FROM daily").fetchone()[0]
        found["gib"] = round(path.stat().st_size / 2**30, 2)
        for name, by, where in (
            ("GET /v1/usage", ("day", "model"), {"key": key}),
            ("by day, model", ("day", "model"), {}),
            ("by key", ("key",), {}),
            ("by key, account", ("key", "account"), {}),
        ):
            found[name] = _timed(lambda by=by, where=where: usage(db, by, where, days))
        found["seed of a key's limits"] = _timed(lambda: (spent(db, key), spent(db, key, days[0])))
    command = [sys.executable, "-m", "arkway", "usage", "--since", days[0]]
    found["arkway usage"] = _timed(
        lambda: subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL), 5
    )
    command = [sys.executable, "-m", "arkway", "version"]
    found["arkway version"] = _timed(
        lambda: subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL), 5
    )
    file = BookFile(path)
    began_s = time.perf_counter()
    file.open()
    found["start_ms"] = round((time.perf_counter() - began_s) * 1000, 1)
    file.close()
    return found


# -- many keys -------------------------------------------------------------------------------------


def _resident_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def many_keys(count: int = 100_000) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="arkway-bench-") as folder:
        home = Path(folder)
        environ = {"ARKWAY_SECRET_KEY": "a secret of a benchmark, the same for every run"}
        store = open_store(home, environ)
        with change(store, "bench") as now:
            made = keys.create(now, {"name": "first", "requests_per_min": 600, "budget": "10"})
        _multiply(store.path, count - 1)
        command = [sys.executable, __file__, "load-keys", folder]
        out = subprocess.run(command, env=os.environ | environ, check=True, capture_output=True)
        loaded = json.loads(out.stdout)
        reader = StoreReader(home, gateway_secrets(home, environ, make=False))
        view = reader.read()
        with change(store, "bench") as now:
            keys.edit(now, made.record.id, {"requests_per_min": 60})
        began_s = time.perf_counter()
        changed = reader.read(view)
        loaded["read_of_one_change_ms"] = round((time.perf_counter() - began_s) * 1000, 1)
        assert changed.revision > view.revision
        reader.close()
        return loaded


def _multiply(path: Path, count: int) -> None:
    """Copy the one key `count` times, with names, ids and digests of their own."""
    with closing(sqlite3.connect(path)) as db, db:
        for table, unique in (("api_keys", ("id", "name")), ("api_key_digests", ("digest",))):
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            row = db.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()
            lines = []
            for number in range(count):
                fields = dict(zip(columns, row, strict=True))
                fields |= {"id": f"key_{number:016x}"} if "id" in fields else {}
                fields |= {"key_id": f"key_{number:016x}"} if "key_id" in fields else {}
                if "name" in unique:
                    fields["name"] = f"key-{number}"
                if "digest" in fields:
                    fields["digest"] = key_digest(b"b", b"%d" % number)
                lines.append(tuple(fields.values()))
            marks = ",".join("?" * len(columns))
            db.executemany(f"INSERT INTO {table} VALUES({marks})", lines)


def load_keys(home: Path) -> dict[str, object]:
    reader = StoreReader(home, gateway_secrets(home, os.environ, make=False))
    before_mib, began_s = _resident_mib(), time.perf_counter()
    view = reader.read()
    took_s = time.perf_counter() - began_s
    return {
        "keys": len(view.keys),
        "load_s": round(took_s, 2),
        "resident_mib": round(_resident_mib() - before_mib, 1),
    }


def main() -> None:
    what, *words = sys.argv[1:]
    if what == "rows":
        found = rows(*map(float, words))
    elif what == "month":
        found = month(Path(words[0]), *map(int, words[1:]))
    elif what == "keys":
        found = many_keys(*map(int, words))
    elif what == "prune":
        began_s = time.perf_counter()
        removed, _ = prune(ledger_file(Path(words[0])), date.fromisoformat(words[1]))
        found = {"removed": removed, "took_s": round(time.perf_counter() - began_s, 1)}
    else:
        found = load_keys(Path(words[0]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
