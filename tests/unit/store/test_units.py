import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.store.entries import MAX_NANO
from arkway.store.units import date, decimal, expiry, nano

NOW_S = 1_800_000_000


@given(st.integers(0, MAX_NANO))
def test_an_amount_survives_being_written(amount):
    assert nano(decimal(amount)) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0", 0), ("0.80", 800_000_000), ("12.5", 12_500_000_000), ("1.000000001", 10**9 + 1)],
)
def test_amounts_are_exact(text, amount):
    assert nano(text) == amount


@pytest.mark.parametrize(
    "text", ["", "-1", "1.", ".5", "1e3", " 1", "1\n", "١", "1.0000000001", "9" * 13]
)
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError):
        nano(text)


@pytest.mark.parametrize(
    ("text", "unix_s"),
    [
        ("none", None),
        ("7d", NOW_S + 7 * 86_400),
        ("90d", NOW_S + 90 * 86_400),
        ("2030-01-31", 1_896_048_000),
        ("2030-01-31T08:00:00+08:00", 1_896_048_000),
        ("2030-01-31T00:00:00Z", 1_896_048_000),
    ],
)
def test_an_end_is_days_or_a_date(text, unix_s):
    assert expiry(text, NOW_S) == unix_s


@pytest.mark.parametrize(
    "text", ["", "0d", "-1d", "9999d", "soon", "2020-01-01", "30", "2030-13-01"]
)
def test_what_is_no_end_is_refused(text):
    with pytest.raises(ValueError):
        expiry(text, NOW_S)


def test_a_moment_is_shown_in_utc():
    assert date(1_896_048_000) == "2030-01-31 00:00:00Z"
    assert date(None) == "never"
