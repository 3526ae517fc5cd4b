"""What does telemetry cost a call? One ordinary call, counted; no kernel, no I/O.

    python bench/telemetry.py     # prints nanoseconds a call: the best and the median of ROUNDS

What the pipeline does beside serving: an `AttemptFinished`, and its counts. The ledger's entries
that it is made of exist anyway. An empty loop is subtracted.
"""

import statistics
import time
from types import SimpleNamespace
from typing import Any

import msgspec

from arkway.ledger.entry import End, Intent, Kind, Outcome, UsageSource
from arkway.runtime.plane import WorkerPlane
from arkway.telemetry.events import AttemptFinished
from arkway.telemetry.meter import Meter

CALLS, ROUNDS = 100_000, 9
INTENT = Intent("01a2141f-9d12-7aea-8371-946aeac83300", 1, 1, "key_1", "t", "a", "Doubao", "d", 7)
END = End(
    INTENT.request_id, 1, 2, Kind.SETTLE, Outcome.COMPLETED, UsageSource.UPSTREAM,
    100, 50, 0, 200, 12, 27_600, 7, 900, 250, 900, "home", 200,
)  # fmt: skip


class Work(msgspec.Struct, eq=False):
    """As much of `arkway.work.Work` as the event is made of."""

    exchange: Any
    caller: Any
    call: Any
    ended: tuple[AttemptFinished, ...] = ()
    is_answered: bool = False
    error: None = None


class Plane:
    """As much of the plane."""

    on_call = WorkerPlane.on_call

    def __init__(self) -> None:
        self.meter = Meter()

    def time(self) -> float:
        return 1.25


def works(is_stream: bool) -> list[Work]:
    request = SimpleNamespace(traceparent=b"")
    exchange = SimpleNamespace(request_id=INTENT.request_id, received_s=1.0, request=request)
    caller = SimpleNamespace(key=SimpleNamespace(id="key_1", name="n", tenant="t"))
    call = SimpleNamespace(model=SimpleNamespace(name="Doubao"), stream=is_stream, n=1)
    return [Work(exchange, caller, call) for _ in range(CALLS)]


def round_ns(is_stream: bool) -> float:
    """Return nanoseconds a call of one round."""
    plane, calls = Plane(), works(is_stream)
    began_ns = time.perf_counter_ns()
    for _ in calls:
        pass
    empty_ns = time.perf_counter_ns() - began_ns
    began_ns = time.perf_counter_ns()
    for work in calls:
        work.ended += (AttemptFinished(INTENT, END, ""),)
        work.is_answered = True
        plane.on_call(work)
    return (time.perf_counter_ns() - began_ns - empty_ns) / CALLS


for name, is_stream in (("plain", False), ("stream", True)):
    figures = [round_ns(is_stream) for _ in range(ROUNDS)]
    print(f"{name}: {min(figures):.0f} ns a call, median {statistics.median(figures):.0f}")
