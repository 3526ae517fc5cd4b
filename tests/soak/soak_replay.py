"""Is a conversation as warm through the gateway as the simulation says? A trace, replayed for real.

    python tests/soak/soak_replay.py TRACE [SPEED] [--rows N] [--no-header]

Each row of the trace becomes a chat request whose prompt begins as the trace says: the trie of all
prompts, a message an edge. The requests go, SPEED times as fast, through a running gateway to the
Ark simulator, whose own log counts cached tokens and refusals. The same trace, as fast, is then
replayed by `arkway simulate`'s code over the same accounts. Limits are 1.6 times the mean demand.
The result is kept in bench/soak_replay.json.
"""

import argparse
import asyncio
import json
import platform
import sys
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from arkway.simulate.trace.load_io import load
from arkway.simulate.trace.plan import Plan
from arkway.simulate.trace.replay import bound, replay
from arkway.simulate.trace.rows import Row, Trace
from arkway.simulate.trace.upstream import Timing
from support.gateway import KEY, Gateway
from support.sim import Sim

RESULT = Path(__file__).parents[2] / "bench" / "soak_replay.json"
MODEL = "Doubao-1.5-pro-256k"
BYTES_PER_TOKEN = 4  # the simulator's
ACCOUNTS, HEADROOM = 8, 1.6
AT_ONCE = 2000  # requests under way; more means that somebody has stopped


@dataclass
class Verdict:
    trace: str
    rows: int
    speed: float
    has_header: bool
    bound_tokens: int = 0
    simulated_share: float = 0.0
    share: float = 0.0  # of the bound, as the simulator of Ark counted
    provoked_429: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    worst_lag_s: float = 0.0  # behind the schedule: a client that is late tests nothing
    took_s: float = 0.0


class Prompts:
    """The trie of all prompts: where they part, a message ends."""

    def __init__(self, trace: Trace) -> None:
        self._block_bytes = trace.block_tokens * BYTES_PER_TOKEN
        children: dict[tuple[int, ...], set[int]] = defaultdict(set)
        self._ends: set[int] = {hash(row.blocks) for row in trace.rows}
        for row in trace.rows:
            for depth, block in enumerate(row.blocks):
                children[hash(row.blocks[:depth])].add(block)
        self._parts = {node for node, found in children.items() if len(found) > 1}

    def messages(self, row: Row) -> list[dict[str, str]]:
        """Return the messages of a row; rows that begin alike share theirs."""
        found, text = [], ""
        tokens_left = row.input_tokens
        for depth, block in enumerate(row.blocks, start=1):
            size = min(self._block_bytes, tokens_left * BYTES_PER_TOKEN)
            tokens_left -= size // BYTES_PER_TOKEN
            text += (f"{block:x} " * (size // 2 + 1))[:size]
            node = hash(row.blocks[:depth])
            if depth == len(row.blocks) or node in self._parts or node in self._ends:
                role = "assistant" if len(found) % 2 else "user"
                found.append({"role": role, "content": text})
                text = ""
        return found


def faster(trace: Trace, speed: float) -> Trace:
    rows = [msgspec.structs.replace(row, at_s=row.at_s / speed) for row in trace.rows]
    return Trace(trace.name, tuple(rows), trace.block_tokens)


def plan_of(speed: float, has_header: bool) -> Plan:
    usual = Timing()
    timing = Timing(
        usual.base_s / speed, usual.prefill_tokens_per_s * speed, usual.decode_tokens_per_s * speed
    )
    return Plan(accounts=ACCOUNTS, has_header=has_header, headroom=HEADROOM, timing=timing)


def sim_settings(trace: Trace, plan: Plan) -> dict[str, object]:
    (limits, *_) = plan.limits_of(trace)
    timing = plan.timing
    return {
        "number_of_accounts": ACCOUNTS,
        "limits": {
            "requests_per_min": limits.requests_per_min,
            "tokens_per_min": limits.tokens_per_min,
        },
        "timing": {
            "first_token_s": timing.base_s,
            "prefill_tokens_per_s": timing.prefill_tokens_per_s,
            "tokens_per_s": timing.decode_tokens_per_s,
            "tokens_per_chunk": 64,
        },
        "answers": {"length": "max_tokens"},
        "cache": {
            "block_tokens": trace.block_tokens,
            "min_tokens": trace.block_tokens,
            "idle_ttl_s": 86_400,
            "capacity_tokens": 10**9,
        },
    }


async def send_all(port: int, trace: Trace, verdict: Verdict) -> None:
    """Send every row at its time."""
    prompts, seen, labels = Prompts(trace), Counter(), Counter()
    gate = asyncio.Semaphore(AT_ONCE)
    began_s = time.monotonic()

    async def call(row: Row) -> None:
        async with gate:
            status, label = await ask(port, row, prompts, verdict.has_header)
        seen[status] += 1
        labels[label] += 1

    async with asyncio.TaskGroup() as calls:
        for row in trace.rows:
            late_s = time.monotonic() - began_s - row.at_s
            verdict.worst_lag_s = max(verdict.worst_lag_s, late_s)
            if late_s < 0:
                await asyncio.sleep(-late_s)
            calls.create_task(call(row))
    verdict.failed = {what: count for what, count in seen.items() if what != "good"}
    verdict.labels = dict(labels)
    verdict.took_s = time.monotonic() - began_s


async def ask(port: int, row: Row, prompts: Prompts, has_header: bool) -> tuple[str, str]:
    """Make one streamed call; return how it ended, and what the affinity header said."""
    body = json.dumps(
        {
            "model": MODEL,
            "stream": True,
            "max_tokens": row.output_tokens,
            "messages": prompts.messages(row),
        }
    ).encode()
    name = f"X-Conversation-Id: {row.conversation}\r\n" if has_header else ""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    try:
        writer.write(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"
            f"Authorization: Bearer {KEY}\r\n{name}"
            "Connection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        async with asyncio.timeout(120):
            head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status = int(head.split()[1])
    label = head.partition(b"x-arkway-affinity: ")[2].partition(b"\r\n")[0].decode()
    if status != 200:
        return f"status {status} {json.loads(rest)['error']['code']}", label
    return "good" if b"data: [DONE]" in rest[-64:] else "broken off", label


def soak(trace: Trace, speed: float, *, has_header: bool = True) -> Verdict:
    """Replay a trace both ways; return what came of it."""
    trace = faster(trace, speed)
    plan = plan_of(speed, has_header)
    verdict = Verdict(trace.name, len(trace.rows), speed, has_header)
    verdict.bound_tokens = bound(trace, plan)
    with Sim(sim_settings(trace, plan)) as sim:
        settings = {"accounts": sim.pool, "upstream": {"max_connections": 4096}}
        with Gateway(settings, env=sim.env) as gateway:
            asyncio.run(send_all(gateway.port, trace, verdict))
        log = sim.log()
    cached = sum(line["cached_tokens"] for line in log if line["outcome"] == "answered")
    verdict.share = cached / verdict.bound_tokens
    verdict.provoked_429 = sum(line["status"] == 429 for line in log)
    simulated = replay(trace, plan)
    verdict.simulated_share = simulated.hit_share_of_bound
    return verdict


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("trace", type=Path)
    given.add_argument("speed", type=float, nargs="?", default=30.0)
    given.add_argument("--rows", type=int, default=0)
    given.add_argument("--no-header", action="store_true")
    told = given.parse_args()
    trace = load(told.trace)
    if told.rows:
        trace = Trace(trace.name, trace.rows[: told.rows], trace.block_tokens)
    verdict = soak(trace, told.speed, has_header=not told.no_header)
    result = {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        **asdict(verdict),
    }
    kept = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    kept["header" if verdict.has_header else "no header"] = result
    RESULT.write_text(json.dumps(kept, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
