import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission import refusals
from arkway.admission.totals import Tally
from arkway.listener.exchange_io import error_headers
from arkway.model.catalogue import BudgetPeriod, KeyLimits
from support import strategies  # noqa: F401 - its profile


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (24_600_000, "0.0246"),
        (10**9, "1"),
        (10 * 10**9, "10"),
        (1_500_000_000, "1.5"),
    ],
)
def test_money_is_written_in_units(nano, text):
    assert refusals.money(nano) == text


@given(st.integers(0, 10**20))
def test_no_nano_is_lost_in_writing(nano):
    units, _, rest = refusals.money(nano).partition(".")

    assert int(units) * 10**9 + int(rest.ljust(9, "0")) == nano


def test_what_waiting_cures_says_how_long():
    refusal = refusals.over_tokens(100, 90, 20, 0.0168)

    assert error_headers(refusal) == b"retry-after: 1\r\nretry-after-ms: 17\r\n"


@pytest.mark.parametrize(
    "refusal",
    [
        refusals.never_fits(100, 101),
        refusals.no_tokens_left(100, Tally(0, spent=100), 1),
        refusals.no_money_left(
            KeyLimits(budget_nano=5, budget_period=BudgetPeriod.DAY), Tally(0, spent=5), 1, 0
        ),
    ],
    ids=["never_fits", "no_tokens_left", "no_money_left"],
)
def test_what_no_waiting_cures_asks_for_no_retry(refusal):
    assert error_headers(refusal) == b"x-should-retry: false\r\n"


@pytest.mark.parametrize(("most", "retryable"), [(30, True), (31, False)])
def test_room_is_held_or_gone(most, retryable):
    tally = Tally(0, spent=70, held=20)
    tokens = refusals.no_tokens_left(100, tally, most)
    money = refusals.no_money_left(KeyLimits(budget_nano=100), tally, most, 0)

    assert (tokens.retryable, money.retryable) == (retryable, retryable)
    assert ("20 of the 30 tokens left" in str(tokens)) is retryable
