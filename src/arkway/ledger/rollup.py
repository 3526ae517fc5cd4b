"""What do entries come to by day? One line for each day, key, tenant, model, account, currency."""

from collections.abc import Iterable
from datetime import UTC, datetime

from arkway.ledger.entry import End, Intent, Kind, UsageSource
from arkway.ledger.schema import DIMENSIONS, MEASURES, SUMS

# Members bound once: Python 3.11 finds an enum's member by a slow path.
_SETTLE, _UNKNOWN, _ESTIMATE = Kind.SETTLE, Kind.UNKNOWN, UsageSource.ESTIMATE

Line = tuple[str | int, ...]  # the dimensions, then the measures, in the order of the schema


def day_of(at_ms: int) -> str:
    """Return the UTC day of a time: `2026-11-24`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


class DayClock:
    """`day_of` for times that are mostly of one day."""

    __slots__ = ("_day", "_from_ms", "_to_ms")

    def __init__(self) -> None:
        self._day, self._from_ms, self._to_ms = "", 0, 0

    def day(self, at_ms: int) -> str:
        """Return the UTC day of `at_ms`."""
        if not self._from_ms <= at_ms < self._to_ms:
            self._from_ms = at_ms - at_ms % 86_400_000
            self._to_ms = self._from_ms + 86_400_000
            self._day = day_of(at_ms)
        return self._day


def rolled_up(ends: Iterable[tuple[End, Intent]], clock: DayClock) -> list[Line]:
    """Return what to add to the days: one line a group.

    An end counts on the day its attempt was held: that day's budget was asked for it.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for end, intent in ends:
        group = (
            clock.day(intent.at_ms),
            intent.key,
            intent.tenant,
            intent.model,
            intent.account,
            intent.currency,
        )
        sums = groups.get(group)
        if sums is None:
            sums = groups[group] = [0] * len(MEASURES)
        sums[0] += 1
        if end.kind is _SETTLE:
            sums[1] += 1
            sums[2] += end.source is _ESTIMATE
        elif end.kind is _UNKNOWN:
            sums[3] += 1
        sums[4] += end.uncached
        sums[5] += end.cached
        sums[6] += end.created
        sums[7] += end.output
        sums[8] += end.reasoning
        sums[9] += end.cost_nano
    assert all(len(group) == len(DIMENSIONS) for group in groups), "the order of the schema"
    return [(*group, *sums) for group, sums in groups.items()]


def smaller(lines: Iterable[Line], table: str) -> list[Line]:
    """Return the lines of a table of sums with fewer dimensions."""
    places = [DIMENSIONS.index(name) for name in SUMS[table]]
    groups: dict[tuple[str | int, ...], list[int]] = {}
    for line in lines:
        counts = [value for value in line[len(DIMENSIONS) :] if isinstance(value, int)]
        group = tuple(line[place] for place in places)
        known = groups.get(group)
        groups[group] = (
            counts if known is None else [a + b for a, b in zip(known, counts, strict=True)]
        )
    return [(*group, *sums) for group, sums in groups.items()]
