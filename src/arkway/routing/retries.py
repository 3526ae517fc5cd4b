"""May a call be tried again, or twice at once? Bounds of one call, budgets over all. Pure."""

from collections.abc import Sequence

from arkway.model.outcome import RETRIED, ErrorClass
from arkway.routing.policy import RoutingPolicy

_SAVED_S = 10.0  # of quiet: so much of the budget is kept for a burst
# Attempts of a call: when one compute pool behind all accounts is full, another says the same.
MOST_IN_OVERLOAD = 2
# While limits alone refuse a call nobody works on it, and what refuses is left alone from then on.
# Four attempts served every call of an hour in which nodes had lost sight of each other; one spare.
MOST_WHEN_LIMITED = 5
_MOST = 1000.0  # retries, however much traffic there was


def may_help(failed: Sequence[ErrorClass], most: int) -> bool:
    """Whether one more attempt may serve a call whose attempts failed like this, the last last.

    Shapes:  most: the operator's bound; 1 means never again.
    """
    last = failed[-1]
    if last is ErrorClass.POOL_LIMITED:
        most = min(most, MOST_IN_OVERLOAD)
    elif most > 1 and all(it is ErrorClass.ACCOUNT_LIMITED for it in failed):
        most = max(most, MOST_WHEN_LIMITED)
    return last in RETRIED and len(failed) < most


class RetryBudget:
    """Retries are a share of traffic and a few a second, so that they never multiply an outage."""

    def __init__(self, policy: RoutingPolicy) -> None:
        self._share = policy.retry_share
        self._per_s = policy.retries_per_s
        self._saved = policy.retries_per_s * _SAVED_S
        self._most = max(self._saved, 1.0)
        self._at_s: float | None = None
        self.refused = 0  # retries that were not made; for metrics

    def on_call(self) -> None:
        """A call begins: it pays a share of a retry into the budget."""
        saved = self._saved + self._share
        self._saved = saved if saved < _MOST else _MOST

    def take(self, now_s: float) -> bool:
        """Take one retry out of the budget; False: there is none."""
        if self._at_s is not None and self._saved < self._most:
            earned = max(0.0, now_s - self._at_s) * self._per_s
            self._saved = min(self._saved + earned, self._most)
        self._at_s = now_s
        if self._saved < 1.0:
            self.refused += 1
            return False
        self._saved -= 1.0
        return True


class Hedges:
    """Whether a late call may be sent to a second account: off unless the operator wants it."""

    def __init__(self, policy: RoutingPolicy) -> None:
        self._is_on = policy.hedges
        self._share = policy.hedge_share
        self._allowed = 1.0
        self.taken = 0

    def on_call(self) -> None:
        """A call begins."""
        if self._is_on and self._allowed < _MOST:
            self._allowed += self._share

    def take(self) -> bool:
        """Take one hedge; False: they are off, or 2 % of calls were hedged already."""
        if not self._is_on or self._allowed < 1.0:
            return False
        self._allowed -= 1.0
        self.taken += 1
        return True

    def give_back(self) -> None:
        """What was taken was not used: no account had room for it."""
        self._allowed += 1.0
        self.taken -= 1


_GROWTH = 1.25  # a bucket's width: the percentile is at most so much too long
_FIRST_S = 0.02
_BUCKETS = 40  # up to 150 s
_FULL = 400


class Percentile:
    """A decayed 95th percentile of times to first token."""

    __slots__ = ("_counts", "_total")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self._total = 0

    def learn(self, time_s: float) -> None:
        """Take one time into account."""
        index, edge_s = 0, _FIRST_S
        while edge_s < time_s and index < _BUCKETS - 1:
            index, edge_s = index + 1, edge_s * _GROWTH
        self._counts[index] += 1
        self._total += 1
        if self._total >= _FULL:
            self._counts = [count >> 1 for count in self._counts]
            self._total = sum(self._counts)

    def p95_s(self) -> float | None:
        """Return a time that 95 of 100 recent ones do not pass; None: too few were seen."""
        if self._total < 20:
            return None
        above = 0
        for index in range(_BUCKETS - 1, -1, -1):
            above += self._counts[index]
            if above > self._total * 0.05:
                return _FIRST_S * _GROWTH**index
        return None
