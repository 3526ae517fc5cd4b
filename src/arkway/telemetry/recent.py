"""How is it going now? Rates of the last seconds and percentiles of the last calls. Pure.

Once a second the running totals are noted; a rate is the difference of two notes over the time
between them. Percentiles are of real values, the last minute's, not of a histogram's bounds.
"""

from collections import deque
from collections.abc import Iterable, Mapping

from arkway.telemetry import families as f
from arkway.telemetry.events import CALLER_LEFT, COMPLETED
from arkway.telemetry.meter import Labels

WINDOW_S = 10.0
KEEP_S = 60.0
_NOTES = int(KEEP_S) + 1

Counters = Mapping[str, Mapping[Labels, int]]
Totals = dict[str, int]
CLASS = "class_"  # before the class of error of failed attempts


def totals(counters: Counters) -> Totals:
    """Return the few sums that rates are made of."""
    calls, tokens = counters[f.CALLS.name], counters[f.TOKENS.name]
    found: Totals = {"calls": 0, "failed": 0}
    for (_, outcome, *_), count in calls.items():
        found["calls"] += count
        if outcome not in (COMPLETED, CALLER_LEFT):
            found["failed"] += count
    for (_, _, error_class), count in counters[f.ATTEMPTS.name].items():
        if error_class:
            found[CLASS + error_class] = found.get(CLASS + error_class, 0) + count
    for count in counters[f.ERRORS.name].values():
        found["errors"] = found.get("errors", 0) + count
    for (_, kind), count in tokens.items():
        found[kind] = found.get(kind, 0) + count
    for (_, currency), nano in counters[f.COST.name].items():
        found["cost_" + currency] = found.get("cost_" + currency, 0) + nano
    return found


class Recent:
    """The totals of the last minute, a note a second."""

    def __init__(self) -> None:
        self._notes: deque[tuple[float, Totals]] = deque(maxlen=_NOTES)

    def note(self, now_s: float, counted: Totals) -> None:
        """Remember the totals at `now_s`; meant for once a second."""
        self._notes.append((now_s, counted))

    def change(self, now_s: float, counted: Totals, within_s: float) -> tuple[float, Totals]:
        """Return (seconds, what was added) since the oldest note within `within_s`, or (0, {})."""
        for at_s, then in self._notes:
            if 0 < now_s - at_s <= within_s:
                added = {name: count - then.get(name, 0) for name, count in counted.items()}
                return now_s - at_s, added
        return 0.0, {}


def percentiles(values: Iterable[float]) -> dict[str, float | int | None]:
    """Return p50, p95 and p99 of `values`, and how many there were. Nearest rank."""
    ordered = sorted(values)
    count = len(ordered)

    def at(percent: int) -> float | None:
        return round(ordered[max(0, -(-count * percent // 100) - 1)], 6) if count else None

    return {"p50": at(50), "p95": at(95), "p99": at(99), "count": count}
