"""Is any answer lost when the gateway is killed? Kill it again and again, and compare witnesses.

    python tests/soak/soak_ledger.py [KILLS] [SEED]

Under the load of 200 callers, half of them streaming, the gateway is killed (`kill -9`) at random
instants, most of them right after the ledger's files have changed. After each restart three
witnesses are compared: what the callers were told (`caller`), what the upstream served
(`upstream`), and the ledger, read by plain SQL. None of this shares code with the gateway.

- acknowledged and missing: an answer that a caller had whole has no settled row with its counts
- doubled: an attempt has two ends, or a call two settled attempts
- unseen: the upstream got a request for which there is no row
- open: an attempt without an end after the restart
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
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from caller import Heard, call_for_ever

from support.gateway import free_port

CALLERS = 200
LOAD_S = (0.15, 0.9)  # of load before a kill
BIASED = 0.7  # share of the kills that wait for a write of the ledger
START_LIMIT_S, RECOVERY_LIMIT_S = 20.0, 5.0
HERE = Path(__file__).parent


@dataclass
class Verdict:
    """What the witnesses came to, over all kills."""

    kills: int = 0
    acknowledged: int = 0
    served: int = 0
    attempts: int = 0
    unknown: int = 0
    slowest_recovery_s: float = 0.0
    problems: list[str] = field(default_factory=list)


class Gateway:
    """The gateway as its users run it, in a home of its own."""

    def __init__(self, home: Path, port: int, ops_port: int, upstream_port: int) -> None:
        self.home, self.port, self.ops_port = home, port, ops_port
        self.env = os.environ | {"ARKWAY_HOME": str(home), "UPSTREAM_KEY": "soak"}
        self.env |= {"ARKWAY_CONTROL_ENABLED": "false"}  # not what this is about
        url = f"http://127.0.0.1:{upstream_port}/v1"
        self.command("accounts", "add", "soak", "--dialect", "openai", "--base-url", url,
                     "--key-env", "UPSTREAM_KEY")  # fmt: skip
        made = self.command("keys", "create", "--name", "soak", "--json")
        self.key = json.loads(made)["key"]
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "arkway", *words],
            env=self.env, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return done.stdout

    def start(self) -> float:
        """Start; return how long it took until it was ready. Unit: s."""
        began_s = time.monotonic()
        ports = ["--port", str(self.port), "--ops-port", str(self.ops_port)]
        with (self.home / "stderr.log").open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "arkway", "serve", *ports],
                env=self.env, stdout=subprocess.DEVNULL, stderr=stderr,
            )  # fmt: skip
        while time.monotonic() - began_s < START_LIMIT_S and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.ops_port}/readyz", timeout=1):
                    return time.monotonic() - began_s
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        raise AssertionError((self.home / "stderr.log").read_text()[-2000:])

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=15)


async def wait_for_a_write(home: Path, limit_s: float) -> None:
    """Return right after the ledger's files have changed."""
    files = [home / "ledger.journal", home / "ledger.db-wal"]

    def stamp(path: Path) -> int:
        try:
            return path.stat().st_mtime_ns
        except FileNotFoundError:  # SQLite's comes and goes
            return 0

    def stamps() -> list[int]:
        return [stamp(path) for path in files]

    before, deadline_s = stamps(), time.monotonic() + limit_s
    while time.monotonic() < deadline_s and stamps() == before:
        await asyncio.sleep(0)


async def one_life(gateway: Gateway, heard: Heard, dice: random.Random) -> None:
    """Put the running gateway under load, and kill it."""
    seeds = [dice.random() for _ in range(CALLERS)]
    callers = [
        asyncio.create_task(call_for_ever(gateway.port, gateway.key, heard, seed)) for seed in seeds
    ]
    await asyncio.sleep(dice.uniform(*LOAD_S))
    if dice.random() < BIASED:
        await wait_for_a_write(gateway.home, 0.2)
        await asyncio.sleep(dice.choice([0, 0, 0.0002, 0.001]))
    gateway.kill()
    await asyncio.sleep(0.1)  # what the kernel still holds for the callers is theirs
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)


def compare(home: Path, log: Path, heard: Heard, verdict: Verdict) -> None:
    """Compare the three witnesses; every difference is a problem."""
    with sqlite3.connect(f"file:{home}/ledger.db?mode=ro", uri=True) as db:
        intents = db.execute("SELECT request_id, attempt FROM intents").fetchall()
        ends = db.execute(
            "SELECT request_id, attempt, kind, uncached + cached + created, output + reasoning,"
            " source FROM ends"
        ).fetchall()
    held, ended = set(intents), [(end[0], end[1]) for end in ends]
    settled: dict[str, list[tuple[int, int, str]]] = {}
    for request_id, _, kind, tokens_in, tokens_out, source in ends:
        if kind == "settle":
            settled.setdefault(request_id, []).append((tokens_in, tokens_out, source))
    problems = (
        [f"an attempt with two ends: {key}" for key in ended if ended.count(key) > 1]
        if len(ended) != len(set(ended))
        else []
    )
    problems += [f"no end after a restart: {key}" for key in held - set(ended)]
    problems += [f"two settled attempts: {key}" for key, rows in settled.items() if len(rows) > 1]
    for request_id, counts in heard.acknowledged.items():
        if settled.get(request_id) != [(*counts, "upstream")]:
            found = settled.get(request_id)
            problems.append(f"acknowledged {request_id} with {counts}, the ledger has {found}")
    got = {line.split()[1] for line in log.read_text().splitlines() if line.startswith("got ")}
    problems += [f"served without a row: {key}" for key in got - {key for key, _ in held}]
    verdict.problems += problems + heard.errors
    verdict.acknowledged, verdict.served = len(heard.acknowledged), len(got)
    verdict.attempts = len(held)
    verdict.unknown = sum(end[2] == "unknown" for end in ends)


async def soak(kills: int, seed: int, ports: tuple[int, int, int], folder: Path) -> Verdict:
    """Kill the gateway `kills` times; return what the witnesses came to."""
    dice, heard, verdict = random.Random(seed), Heard(), Verdict()
    home, log = folder / "home", folder / "upstream.log"
    log.touch()
    command = [sys.executable, str(HERE / "upstream.py"), str(ports[2]), str(log), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as upstream:
        assert upstream.stdout is not None
        upstream.stdout.readline()
        gateway = Gateway(home, *ports)
        try:
            gateway.start()
            for _ in range(kills):
                await one_life(gateway, heard, dice)
                took_s = gateway.start()
                verdict.kills += 1
                verdict.slowest_recovery_s = max(verdict.slowest_recovery_s, took_s)
                if took_s > RECOVERY_LIMIT_S:
                    verdict.problems.append(f"a restart took {took_s:.1f} s")
                compare(home, log, heard, verdict)
                if verdict.problems:
                    break
            if not verdict.acknowledged:
                verdict.problems.append("nobody was answered: a soak without load shows nothing")
        finally:
            gateway.stop()
            upstream.terminate()
    return verdict


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="arkway-soak-") as folder:
        ports = free_port(), free_port(), free_port()
        verdict = asyncio.run(soak(kills, seed, ports, Path(folder)))
    result = asdict(verdict) | {"seed": seed, "took_s": round(time.monotonic() - began_s, 1)}
    print(json.dumps(result, indent=1))
    sys.exit(1 if verdict.problems else 0)


if __name__ == "__main__":
    main()
