"""What has gone wrong at each account lately, by the upstream's own code? Pure.

Counts of failed attempts over the last hour and the last day. Labels come from closed sets: names
of the configuration and codes that are documented; what is beyond the bound is `other`. Kept in
memory: they begin with the process, and `/metrics` and the ledger have what lies before.
"""

from collections import Counter, deque
from collections.abc import Iterable

import msgspec

from arkway.telemetry.families import OTHER

HOUR_S, DAY_S = 3600.0, 86_400.0
# How finely a window moves on: what is older than it leaves within a minute, or half an hour.
_HOUR_STEP_S, _DAY_STEP_S = 60.0, 1800.0
# Sets of account, class and code that one step tells apart: 40 accounts with some codes each. With
# the 110 steps that there are it comes to 4 MiB when everything fails in every way, all day.
MAX_SETS = 400

Fault = tuple[str, str, str]  # the account, the class of error, the code


class FaultCount(msgspec.Struct, frozen=True):
    """How often an account's attempts failed so."""

    error_class: str
    code: str
    hour: int  # in the last hour
    day: int  # in the last 24


class _Window:
    """Counts of the last `span_s`, in steps of `step_s`."""

    __slots__ = ("_span", "_step_s", "_steps")

    def __init__(self, span_s: float, step_s: float) -> None:
        self._step_s = step_s
        self._span = int(span_s / step_s)
        self._steps: deque[tuple[int, Counter[Fault]]] = deque(maxlen=self._span + 1)

    def add(self, fault: Fault, now_s: float) -> None:
        step = int(now_s / self._step_s)
        if not self._steps or self._steps[-1][0] != step:
            self._steps.append((step, Counter()))
        counts = self._steps[-1][1]
        if fault not in counts and len(counts) >= MAX_SETS:
            fault = (OTHER, OTHER, OTHER)
        counts[fault] += 1

    def counts(self, now_s: float) -> Counter[Fault]:
        oldest = int(now_s / self._step_s) - self._span
        found: Counter[Fault] = Counter()
        for step, counts in self._steps:
            if step > oldest:
                found.update(counts)
        return found


class Faults:
    """Failed attempts, lately. Call from one thread, with a clock that does not go back."""

    def __init__(self) -> None:
        self._hour, self._day = _Window(HOUR_S, _HOUR_STEP_S), _Window(DAY_S, _DAY_STEP_S)

    def add(self, fault: Fault, now_s: float) -> None:
        """Count a failed attempt."""
        self._hour.add(fault, now_s)
        self._day.add(fault, now_s)

    def of(self, accounts: Iterable[str], now_s: float) -> dict[str, list[FaultCount]]:
        """Return what went wrong at each of `accounts`, the most frequent of the day first."""
        hour, day = self._hour.counts(now_s), self._day.counts(now_s)
        found: dict[str, list[FaultCount]] = {account: [] for account in accounts}
        for (account, error_class, code), count in day.most_common():
            if account in found:
                in_hour = hour[account, error_class, code]
                found[account].append(FaultCount(error_class, code, in_hour, count))
        return found
