"""Does the ledger say what the upstream counted? Many calls of every kind, added up twice.

    python tests/soak/soak_mixed.py [CALLS] [SEED]

50 keys, 4 models, 8 accounts; plain and streamed calls, some for two choices; an upstream that now
and then refuses, resets, breaks off or tells no counts; callers of whom one in seven leaves, at
any moment. Half of the keys drain. Then the upstream's own log (`mixed_upstream`) is compared with
the ledger, read by plain SQL, in whole tokens:

- attempts: the upstream got what the ledger holds, by id, account, model and key
- counts: an attempt whose counts the upstream told is settled with them, all four, or its caller
  had left and its key does not drain
- sums: for each key, model and account, what was told comes to what was settled by it
- callers: what each was told is in the ledger

Callers and upstream share no code with the gateway; the gateway's store is set up by its own.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from arkway.store import accounts, keys
from arkway.store.changes import change
from arkway.store.secret_io import SECRET_VARIABLE
from support.gateway import free_port
from support.stores import SECRET, fresh_store

MODELS = {
    "Doubao-1.5-pro-32k": "doubao-1-5-pro-32k-250115",
    "Doubao-1.5-pro-256k": "doubao-1-5-pro-256k-250115",
    "Doubao-1.5-lite-32k": "doubao-1-5-lite-32k-250115",
    "Doubao-pro-32k": "doubao-pro-32k-241215",
}
ACCOUNTS, KEYS, CALLERS = 8, 50, 64
LEAVES, IS_STREAM, IS_TWO = 0.15, 0.5, 0.05
HERE = Path(__file__).parent
LIMIT_BYTES = 1 << 20
START_LIMIT_S, SETTLE_LIMIT_S = 20.0, 20.0


@dataclass
class Verdict:
    """What both sides came to."""

    calls: int = 0
    completed: int = 0
    left: int = 0
    failed: int = 0
    attempts: int = 0
    ends: dict[str, int] = field(default_factory=dict)  # kind, source, outcome -> attempts
    told_tokens: int = 0
    sums_compared: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class Heard:
    """What the callers were told."""

    calls: int = 0
    usage: dict[str, tuple[int, int]] = field(default_factory=dict)  # id -> (input, output)
    left: int = 0
    failed: int = 0


# -- callers ---------------------------------------------------------------------------------------


async def caller(port: int, texts: list[str], heard: Heard, calls: int, seed: int) -> None:
    dice, connection = random.Random(seed), None
    while heard.calls < calls:
        heard.calls += 1
        try:
            if connection is None:
                connection = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT_BYTES)
            work = one_call(connection, texts, heard, dice)
            if dice.random() < LEAVES:
                await asyncio.wait_for(work, dice.random() ** 2 * 0.08)
            else:
                await work
        except TimeoutError:
            heard.left += 1
            connection[1].transport.abort()
            connection = None
        except (asyncio.IncompleteReadError, ConnectionError):
            heard.failed += 1
            if connection is not None:
                connection[1].close()
            connection = None
    if connection is not None:
        connection[1].close()


async def one_call(connection, texts: list[str], heard: Heard, dice: random.Random) -> None:
    reader, writer = connection
    number, is_stream = dice.randrange(len(texts)), dice.random() < IS_STREAM
    content = f"key-{number} " + "hi " * dice.randrange(1, 60)
    body = {
        "model": dice.choice([*MODELS]),
        "messages": [{"role": "user", "content": content}],
        "n": 2 if dice.random() < IS_TWO else 1,
    }
    if is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    conversation = f"X-Conversation-Id: c{dice.randrange(500)}\r\n" if dice.random() < 0.5 else ""
    text = json.dumps(body)
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {texts[number]}"
        f"\r\n{conversation}Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        f"{text}".encode()
    )
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    usage = None
    if "content-length" in headers:
        answer = json.loads(await reader.readexactly(int(headers["content-length"])))
        usage = answer.get("usage")
    else:
        usage = await streamed_usage(reader)
    if first.split()[1] != "200":
        heard.failed += 1
        if headers.get("connection") == "close":
            raise ConnectionError
        return
    if usage is not None:
        counts = usage["prompt_tokens"], usage["completion_tokens"]
        heard.usage[headers["x-request-id"]] = counts


async def streamed_usage(reader: asyncio.StreamReader) -> dict | None:
    """Return the usage of a stream; ConnectionError after an error event."""
    usage = None
    while size := int(await reader.readuntil(b"\r\n"), 16):
        for event in (await reader.readexactly(size + 2)).split(b"\n\n"):
            payload = event.strip().removeprefix(b"data: ")
            if payload.startswith(b"{"):
                fields = json.loads(payload)
                if "error" in fields:
                    raise ConnectionError
                usage = fields.get("usage") or usage
    await reader.readexactly(2)
    return usage


# -- the gateway -----------------------------------------------------------------------------------


def set_up(home: Path, upstream_port: int) -> tuple[list[str], dict[str, str]]:
    """Make accounts and keys; return the keys' texts, and their names by id."""
    home.mkdir()
    texts, names = [], {}
    with change(fresh_store(home), "soak") as now:
        for number in range(ACCOUNTS):
            dialect = "ark" if number % 2 else "openai"
            url = f"http://127.0.0.1:{upstream_port}/v1"
            raw = {"name": f"account-{number}", "dialect": dialect, "base_url": url}
            accounts.create(now, raw, f"account-{number}")
        for number in range(KEYS):
            policy = "drain" if number % 2 else "cancel"
            made = keys.create(now, {"name": f"key-{number}", "on_disconnect": policy})
            texts.append(made.text)
            names[made.record.id] = f"key-{number}"
    return texts, names


def arkway(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "arkway", *words]


def environ(home: Path) -> dict[str, str]:
    without = {"ARKWAY_CONTROL_ENABLED": "false"}  # not what this is about
    return os.environ | {"ARKWAY_HOME": str(home), SECRET_VARIABLE: SECRET} | without


def started(home: Path, port: int, ops_port: int) -> subprocess.Popen[bytes]:
    with (home / "stderr.log").open("ab") as stderr:
        process = subprocess.Popen(
            arkway(home, "serve", "--port", str(port), "--ops-port", str(ops_port)),
            env=environ(home), stdout=subprocess.DEVNULL, stderr=stderr,
        )  # fmt: skip
    deadline_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ops_port}/readyz", timeout=1):
                return process
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    process.kill()
    raise AssertionError((home / "stderr.log").read_text()[-2000:])


def wait_until_idle(ops_port: int) -> None:
    """Wait until no call is in progress: drains too."""
    deadline_s = time.monotonic() + SETTLE_LIMIT_S
    while time.monotonic() < deadline_s:
        with urllib.request.urlopen(f"http://127.0.0.1:{ops_port}/readyz", timeout=1) as answer:
            if json.load(answer)["calls"] == 0:
                return
        time.sleep(0.05)


# -- both sides added up ---------------------------------------------------------------------------


@dataclass
class Sides:
    """Attempts by `(id, account, model, key)`: several of one call may be at one account."""

    got: Counter = field(default_factory=Counter)
    told: dict[tuple, Counter] = field(default_factory=dict)  # -> counts -> attempts
    held: Counter = field(default_factory=Counter)
    served: Counter = field(default_factory=Counter)
    settled: dict[tuple, Counter] = field(default_factory=dict)
    others: dict[tuple, list[str]] = field(default_factory=dict)  # -> "kind source outcome"


def read_log(log: Path, sides: Sides) -> None:
    for line in log.read_text().splitlines():
        what, *words = line.split()
        where, counts = tuple(words[:4]), tuple(map(int, words[4:]))
        if what == "got":
            sides.got[where] += 1
        elif what == "told":
            sides.told.setdefault(where, Counter())[counts] += 1


def read_ledger(home: Path, names: dict[str, str], sides: Sides, verdict: Verdict) -> None:
    with closing(sqlite3.connect(f"file:{home}/ledger.db?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT i.request_id, i.account, i.upstream_model, i.key, e.kind, e.source, e.outcome,"
            " e.uncached + e.cached + e.created, e.cached, e.output + e.reasoning, e.reasoning"
            " FROM intents i LEFT JOIN ends e USING (request_id, attempt)"
        ).fetchall()
        twice = db.execute(
            "SELECT request_id, attempt FROM ends GROUP BY 1, 2 HAVING count(*) > 1"
        ).fetchall()
    verdict.problems += [f"an attempt with two ends: {key}" for key in twice]
    verdict.attempts = len(rows)
    for request_id, account, model, key, kind, source, outcome, *counts in rows:
        where = (request_id, account, model, names[key])
        if kind is None:
            verdict.problems.append(f"no end: {where}")
            continue
        label = f"{kind} {source} {outcome}"
        verdict.ends[label] = verdict.ends.get(label, 0) + 1
        sides.held[where] += 1
        if kind == "settle":
            sides.served[where] += 1
        if kind == "settle" and source == "upstream":
            sides.settled.setdefault(where, Counter())[tuple(counts)] += 1
        else:
            sides.others.setdefault(where, []).append(label)


def compare(sides: Sides, verdict: Verdict) -> None:
    problems = verdict.problems
    unseen = sides.got - sides.held
    problems += [f"served without a row: {where}" for where in unseen]
    problems += [f"settled and never served: {where}" for where in sides.served - sides.got]
    sums: list[dict[str, Counter]] = [{}, {}]
    for where in {*sides.told, *sides.settled}:
        told = sides.told.get(where, Counter())
        settled = sides.settled.get(where, Counter())
        problems += [f"{where} settled with {each}, never told" for each in settled - told]
        missed = told - settled
        excused = [
            label
            for label in sides.others.get(where, ())
            if label.endswith(("caller_left", "revoked"))
        ]
        if missed.total() > len(excused):
            problems.append(f"{where} was told {missed}, the ledger has {excused}")
        for counts in (settled & told).elements():
            verdict.told_tokens += counts[0] + counts[2]
        for side, counters in enumerate((told - missed, settled)):
            for group in where[1:]:
                for counts in counters.elements():
                    total = sums[side].setdefault(group, Counter())
                    total.update(
                        dict(zip(("in", "cached", "out", "reasoning"), counts, strict=True))
                    )
    for group in {*sums[0], *sums[1]}:
        verdict.sums_compared += 1
        if sums[0].get(group) != sums[1].get(group):
            problems.append(f"{group}: told {sums[0].get(group)}, settled {sums[1].get(group)}")


def check_callers(home: Path, heard: Heard, verdict: Verdict) -> None:
    with closing(sqlite3.connect(f"file:{home}/ledger.db?mode=ro", uri=True)) as db:
        booked: dict[str, list[tuple[int, int]]] = {}
        for request_id, tokens_in, tokens_out in db.execute(
            "SELECT request_id, uncached + cached + created, output + reasoning FROM ends"
            " WHERE kind = 'settle' AND outcome = 'completed'"
        ):
            booked.setdefault(request_id, []).append((tokens_in, tokens_out))
    for request_id, counts in heard.usage.items():
        rows = booked.get(request_id, [])
        # Of several choices the caller sees the prompt once, and each answer.
        outputs = sum(out for _, out in rows)
        if not rows or counts[1] != outputs or counts[0] not in [tokens for tokens, _ in rows]:
            verdict.problems.append(f"{request_id} was told {counts}, the ledger has {rows}")


# -- all of it -------------------------------------------------------------------------------------


async def load(port: int, texts: list[str], calls: int, seed: int) -> Heard:
    heard = Heard()
    work = [caller(port, texts, heard, calls, seed * 1000 + each) for each in range(CALLERS)]
    await asyncio.gather(*work)
    return heard


def soak(calls: int, seed: int, ports: tuple[int, int, int], folder: Path) -> Verdict:
    home, log, verdict, sides = folder / "home", folder / "upstream.log", Verdict(), Sides()
    log.touch()
    texts, names = set_up(home, ports[2])
    command = [sys.executable, str(HERE / "mixed_upstream.py"), str(ports[2]), str(log), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as upstream:
        assert upstream.stdout is not None
        upstream.stdout.readline()
        gateway = started(home, ports[0], ports[1])
        try:
            heard = asyncio.run(load(ports[0], texts, calls, seed))
            wait_until_idle(ports[1])
        finally:
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(timeout=20)
            upstream.terminate()
    read_log(log, sides)
    read_ledger(home, names, sides, verdict)
    compare(sides, verdict)
    check_callers(home, heard, verdict)
    verdict.calls, verdict.completed = heard.calls, len(heard.usage)
    verdict.left, verdict.failed = heard.left, heard.failed
    done = subprocess.run(
        arkway(home, "ledger", "verify"), env=environ(home), capture_output=True, text=True
    )
    if done.returncode:
        verdict.problems.append(f"verify: {done.stdout}{done.stderr}")
    return verdict


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="arkway-soak-") as folder:
        ports = free_port(), free_port(), free_port()
        verdict = soak(calls, seed, ports, Path(folder))
    result = asdict(verdict) | {"seed": seed, "took_s": round(time.monotonic() - began_s, 1)}
    result["problems"] = result["problems"][:50]
    print(json.dumps(result, indent=1))
    sys.exit(1 if verdict.problems else 0)


if __name__ == "__main__":
    main()
