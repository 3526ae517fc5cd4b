import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission.days import MAX_DAYS, asked_days
from arkway.model.errors import GatewayError, InvalidValue

NOW_MS = 1_764_000_000_000  # 2025-11-24


def test_nothing_asked_is_the_last_thirty_days():
    assert asked_days(b"", NOW_MS) == ("2025-10-26", "2025-11-24")


def test_days_may_be_named():
    query = b"start_date=2025-01-01&end_date=2025-12-31"
    assert asked_days(query, NOW_MS) == ("2025-01-01", "2025-12-31")
    assert asked_days(b"end_date=2024-02-29", NOW_MS) == ("2024-01-31", "2024-02-29")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        (b"start_date=2025-13-01", "start_date"),
        (b"end_date=yesterday", "end_date"),
        (b"start_date=2025-11-25", "start_date"),
        (b"start_date=2024-11-01", "start_date"),
        (b"limit=5", "query"),
        (b"start_date=2025-11-01&start_date=2025-11-02", "query"),
        (b"&", "query"),
    ],
)
def test_what_is_no_day_is_refused_by_name(query, param):
    with pytest.raises(InvalidValue) as refusal:
        asked_days(query, NOW_MS)
    assert refusal.value.param == param


@given(st.binary(max_size=60))
def test_any_query_is_days_or_a_refusal(query):
    try:
        first, last = asked_days(query, NOW_MS)
    except GatewayError:
        return
    assert first <= last
    assert MAX_DAYS
