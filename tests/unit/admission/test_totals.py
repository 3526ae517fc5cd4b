from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission.totals import (
    DAY_S,
    Seed,
    Totals,
    month_index,
    nothing_settled,
    period_end,
)
from arkway.model.catalogue import BudgetPeriod
from support import strategies  # noqa: F401 - its profile

moments = st.integers(0, 4_102_444_799)  # to the end of 2099


def at(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        (at(2024, 2, 28, 12), at(2024, 3, 1)),  # leap year
        (at(2024, 2, 29, 23, 59, 59), at(2024, 3, 1)),
        (at(2023, 2, 28, 23, 59, 59), at(2023, 3, 1)),
        (at(2100, 2, 28, 23, 59, 59), at(2100, 3, 1)),  # no leap year
        (at(2026, 4, 30), at(2026, 5, 1)),
        (at(2026, 12, 31, 23, 59, 59), at(2027, 1, 1)),
        (at(2027, 1, 1), at(2027, 2, 1)),
    ],
)
def test_the_end_of_a_month(moment, end):
    assert period_end(BudgetPeriod.MONTH, moment) == end
    assert month_index(end) == month_index(moment) + 1
    assert month_index(end - 1) == month_index(moment)


@given(moments)
def test_periods_are_the_calendars(unix_s):
    now = datetime.fromtimestamp(unix_s, UTC)
    midnight = now.replace(hour=0, minute=0, second=0) + timedelta(days=1)

    assert period_end(BudgetPeriod.DAY, unix_s) == int(midnight.timestamp())
    assert period_end(BudgetPeriod.TOTAL, unix_s) is None
    end = datetime.fromtimestamp(period_end(BudgetPeriod.MONTH, unix_s), UTC)
    assert (end - timedelta(seconds=1)).month == now.month
    assert end.day == 1


def test_totals_begin_with_what_the_ledger_has():
    asked = []

    def seeds(key_id, unix_s):
        asked.append((key_id, unix_s))
        return Seed(1, 2, 3, 4)

    totals = Totals("key_1", seeds, at(2026, 1, 31))

    spent = [t.spent for t in (totals.tokens, totals.money, totals.day, totals.month)]
    assert spent == [1, 2, 3, 4]
    assert asked == [("key_1", at(2026, 1, 31))]


def test_a_new_day_begins_with_nothing_and_the_month_goes_on():
    totals = Totals("key_1", lambda *_: Seed(1, 2, 3, 4), at(2026, 1, 30, 23, 59, 59))

    totals.turn(at(2026, 1, 31))
    assert (totals.day.spent, totals.month.spent, totals.money.spent) == (0, 4, 2)
    totals.turn(at(2026, 2, 1))
    assert (totals.day.spent, totals.month.spent, totals.money.spent) == (0, 0, 2)


def test_a_clock_that_steps_back_over_midnight_finds_its_day_again():
    totals = Totals("key_1", nothing_settled, at(2026, 1, 31, 23, 59, 59))
    day, month = totals.day, totals.month
    day.spent, month.held = 7, 9

    totals.turn(at(2026, 2, 1))
    assert totals.day is not day
    totals.turn(at(2026, 1, 31, 23, 59, 58))

    assert totals.day is day
    assert totals.month is month


def test_a_clock_that_goes_back_further_asks_the_ledger():
    known = {at(2026, 1, 1) // DAY_S: Seed(0, 0, 30, 40)}
    totals = Totals("key_1", lambda _, s: known.get(s // DAY_S, Seed()), at(2026, 3, 3))

    totals.turn(at(2026, 1, 1))

    assert (totals.day.spent, totals.month.spent) == (30, 40)
