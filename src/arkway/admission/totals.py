"""What has a key used so far, in all and in this day and month? Totals, holds, periods. Pure.

A call counts in the day and month (UTC) in which it was *admitted*, however long it runs: its
hold was checked against that budget, so that budget pays. The ledger's roll-ups, from which
totals are seeded, have to go by the time of admission too.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from arkway.model.catalogue import BudgetPeriod
from arkway.model.ids import KeyId

DAY_S = 86_400
_DAY, _MONTH = BudgetPeriod.DAY, BudgetPeriod.MONTH  # Python 3.11 finds members by a slow path


class Seed(msgspec.Struct, frozen=True):
    """What the ledger has for one key: settled tokens and money (nano-units)."""

    tokens: int = 0  # all classes, for ever
    total_nano: int = 0
    day_nano: int = 0  # of the day of the moment asked about, UTC
    month_nano: int = 0  # of its month


# `seeds(key_id, unix_s)`: asked when a limit of a key needs its totals for the first time, and
# again when the clock went back into a day that is not in memory. It answers at once, with all
# that was settled before.
Seeds = Callable[[KeyId, int], Seed]


def nothing_settled(_key_id: KeyId, _unix_s: int) -> Seed:
    """Return the seed of a key that is not in any ledger."""
    return Seed()


class Tally(msgspec.Struct, eq=False):
    """What was used and is held under one limit: for ever, or in one day or month."""

    index: int  # which day, which month; 0: for ever
    spent: int = 0
    held: int = 0  # by calls in progress: the most that they can come to
    alerted: int = 0  # the highest percentage that was reported


class Totals:
    """The tallies of one key. Kept from the first limit that needs them on."""

    __slots__ = (
        "_day_before",
        "_key_id",
        "_month_before",
        "_seeds",
        "day",
        "money",
        "month",
        "tokens",
    )

    def __init__(self, key_id: KeyId, seeds: Seeds, unix_s: int) -> None:
        seed = seeds(key_id, unix_s)
        self._key_id = key_id
        self._seeds = seeds
        self.tokens = Tally(0, seed.tokens)
        self.money = Tally(0, seed.total_nano)
        self.day = Tally(unix_s // DAY_S, seed.day_nano)
        self.month = Tally(month_index(unix_s), seed.month_nano)
        # A clock that steps back over midnight finds its day again, holds included.
        self._day_before = self._month_before = Tally(-1)

    def turn(self, unix_s: int) -> None:
        """Make the tallies of the day and month of `unix_s` the current ones.

        A later period begins with nothing; an earlier one is found again or asked for.
        """
        day, month = unix_s // DAY_S, month_index(unix_s)
        if day != self.day.index:
            self.day, self._day_before = (
                self._other(self.day, self._day_before, day, unix_s),
                self.day,
            )
        if month != self.month.index:
            self.month, self._month_before = (
                self._other(self.month, self._month_before, month, unix_s),
                self.month,
            )

    def _other(self, now: Tally, before: Tally, index: int, unix_s: int) -> Tally:
        if before.index == index:
            return before
        if index > now.index:
            return Tally(index)
        seed = self._seeds(self._key_id, unix_s)
        return Tally(index, seed.day_nano if now is self.day else seed.month_nano)

    def of_budget(self, period: BudgetPeriod) -> Tally:
        """Return the tally that a budget of `period` is about."""
        if period is _DAY:
            return self.day
        return self.month if period is _MONTH else self.money


def month_index(unix_s: int) -> int:
    """Return the month of a moment, counted from the year 0, UTC."""
    moment = datetime.fromtimestamp(unix_s, UTC)
    return moment.year * 12 + moment.month - 1


def period_end(period: BudgetPeriod, unix_s: int) -> int | None:
    """Return when the budget of `period` starts afresh; None: never. Unit: s since the epoch."""
    if period is _DAY:
        return (unix_s // DAY_S + 1) * DAY_S
    if period is _MONTH:
        year, month = divmod(month_index(unix_s) + 1, 12)
        return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp())
    return None
