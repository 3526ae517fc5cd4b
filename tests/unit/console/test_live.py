import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.console import live

STATUS = {
    "state": "ready",
    "version": "1.2",
    "uptime_s": 12.5,
    "calls_in_flight": 3,
    "streams": 2,
    "rates": {
        "calls_per_s": 4.5,
        "errors_per_s": 0.5,
        "failed_per_s": 0.2,
        "input_tokens_per_s": 900.0,
        "output_tokens_per_s": 80.0,
    },
    "time_to_first_token_s": {"p50": 0.2, "p95": 0.9, "p99": None, "count": 20},
    "cache_hit_ratio": 0.75,
    "accounts": [
        {"account": "a", "state": "up", "in_flight": 2, "max_in_flight": 8, "attempts": {"ok": 3}},
        {
            "account": "b",
            "model": "m",
            "state": "ejected",
            "reason": "failures",
            "returns_in_s": 20.0,
            "requests": {"used": 50, "limit": 100.0, "is_learned": True},
            "tokens": {"used": 10, "limit": None},
            "in_flight": {"used": 1, "limit": 4},
            "waiting": 2,
            "limited": 7,
            "cached_share": 0.4,
            "ttft_s": 0.3,
        },
    ],
    "attention": [{"what": "account_ejected", "detail": "b"}],
}


def test_status_is_read():
    found = live.of_status(STATUS)
    assert (found.errors_per_s, found.refused_per_s) == (0.5, 0.3)
    assert (found.state, found.calls_per_s, found.hit_rate, found.in_flight) == (
        "ready",
        4.5,
        0.75,
        3,
    )
    assert found.first_token_s == (0.2, 0.9, None)
    assert found.attention == (("account_ejected", "b"),)
    one, two = found.accounts
    assert one.uses == (live.Use("in_flight", 2, 8.0),)
    assert one.attempts == {"ok": 3}
    assert two.uses[0] == live.Use("requests", 50, 100.0, is_learned=True)
    assert two.uses[1] == live.Use("tokens", 10, None)
    assert (two.returns_in_s, two.waiting, two.limited, two.first_token_s) == (20.0, 2, 7, 0.3)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*STATUS, "other"]), _JSON))
def test_a_status_of_any_other_shape_is_shown_as_far_as_it_goes(status):
    assert live.of_status(status).source == "status"


def call(at_ms, **more):
    base = {
        "at_ms": at_ms, "code": "", "outcome": "completed", "uncached": 10, "cached": 30,
        "created": 0, "output": 5, "reasoning": 1, "first_token_ms": 100,
    }  # fmt: skip
    return {**base, **more}


def test_without_a_status_the_last_minute_of_the_ledger_is_counted():
    now_ms = 1_000_000
    calls = [
        call(now_ms - 1000 * second, first_token_ms=100 * (second + 1)) for second in range(10)
    ]
    calls += [call(now_ms - 120_000)]
    found = live.of_calls(calls, now_ms, "ready")
    assert found.calls_per_s == pytest.approx(10 / 60)
    assert found.input_per_s == pytest.approx(400 / 60)
    assert found.hit_rate == 0.75
    assert found.first_token_s == (0.5, 1.0, 1.0)


def test_a_page_of_calls_that_does_not_reach_back_a_minute_counts_for_its_own_time():
    calls = [call(1_000_000 - 100 * n) for n in range(100)]
    assert live.of_calls(calls, 1_000_000, "ready").calls_per_s == pytest.approx(100 / 9.9)


def test_nothing_is_nothing():
    found = live.of_calls([], 0, "unreachable")
    assert (found.calls_per_s, found.hit_rate, found.first_token_s[0]) == (0, None, None)


def test_errors_are_read_from_the_metrics_whatever_the_order_of_labels():
    text = (
        '# HELP arkway_errors_total x\narkway_errors_total{code="a",reason="",status="429"} 3.0\n'
        'arkway_errors_total{status="429",code="a",reason="queue"} 2\n'
        'arkway_errors_total{status="503",code="b",reason=""} 1.0\nother_total{code="a"} 9\n'
    )
    now = live.errors_of_metrics(text)
    assert now == {("429", "a"): 5.0, ("503", "b"): 1.0}
    assert live.added(now, {("429", "a"): 4.0, ("503", "b"): 1.0}) == {("429", "a"): 1.0}
    assert live.added({("1", "x"): 2.0}, {("1", "x"): 9.0}) == {("1", "x"): 2.0}, "it began again"


def test_an_account_is_told_by_its_models_where_the_gateway_does():
    model = {"model": "m", "state": "up", "requests": {"used": 3, "limit": 97.0}, "waiting": 1}
    status = {
        "accounts": [{"account": "a", "state": "up", "models": [model, {**model, "model": "n"}]}]
    }
    one, two = live.of_status(status).accounts
    assert (one.account, one.model, two.model) == ("a", "m", "n")
    assert one.uses == (live.Use("requests", 3, 97.0),)
