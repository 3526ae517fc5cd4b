from dataclasses import replace
from datetime import UTC, datetime

import pytest

from arkway.admission.estimate import Estimate
from arkway.admission.limits import (
    DAY_S,
    KEEP_S,
    MAX_ALERTS,
    Limits,
    Quota,
    UsageAlert,
    has_no_limits,
)
from arkway.admission.totals import Seed
from arkway.listener.exchange_io import error_headers
from arkway.model.catalogue import BudgetPeriod, KeyLimits, KeySpec
from arkway.model.errors import (
    CallOverTokenRate,
    ConcurrencyLimitExceeded,
    GatewayError,
    InsufficientQuota,
    RateLimitExceeded,
    TokenRateLimitExceeded,
)

NOON = int(datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp())


def key(key_id="key_1", **limits):
    return KeySpec(b"", "a key", "tenant", id=key_id, limits=KeyLimits(**limits))


def estimate(likely=10, most=None, nano=0, least=1):
    return Estimate(least, likely, likely if most is None else most, nano)


class Bench:
    """Limits with clocks that stand until they are moved."""

    def __init__(self, seeds=None):
        self.limits = Limits(seeds) if seeds else Limits()
        self.now_s, self.unix_s = 1000.0, NOON

    def ask(self, a_key, *args, **kwargs):
        return self.limits.reserve(a_key, estimate(*args, **kwargs), self.now_s, self.unix_s)

    def settle(self, taken, tokens=0, nano=0):
        self.limits.settle(taken, tokens, nano, self.now_s)

    def use(self, a_key, tokens=0, nano=0):
        self.settle(self.ask(a_key, tokens, nano=nano), tokens, nano)

    def refuses(self, a_key, *args, **kwargs):
        with pytest.raises(GatewayError) as caught:
            self.ask(a_key, *args, **kwargs)
        return caught.value

    def wait(self, seconds):
        self.now_s += seconds
        self.unix_s += int(seconds)

    def alerts(self):
        told = [(alert.quota, alert.percent) for alert in self.limits.alerts]
        self.limits.alerts.clear()
        return told


@pytest.fixture
def bench():
    return Bench()


# -- keys without limits --------------------------------------------------------------------------


def test_a_key_without_limits_leaves_nothing_behind(bench):
    taken = bench.ask(key())
    bench.settle(taken, 10**9, 10**18)

    assert len(bench.limits) == 0
    assert bench.limits.headers(key(), bench.now_s) == b""
    assert has_no_limits(KeyLimits(budget_period=BudgetPeriod.DAY))


@pytest.mark.parametrize(
    "name", ["requests_per_min", "tokens_per_min", "concurrency", "total_tokens", "budget_nano"]
)
def test_each_limit_alone_is_a_limit(bench, name):
    one = key(**{name: 1})

    assert not has_no_limits(one.limits)
    bench.ask(one, 1, nano=1)
    bench.refuses(one, 1, nano=1)


# -- rates ----------------------------------------------------------------------------------------


def test_requests_per_minute(bench):
    three = key(requests_per_min=3)
    for _ in range(3):
        bench.ask(three)
        bench.wait(10)

    refusal = bench.refuses(three)

    assert type(refusal) is RateLimitExceeded
    assert (refusal.type, refusal.retryable) == ("requests", True)
    assert refusal.retry_after_s == 30.001
    bench.wait(29.99)
    bench.refuses(three)
    bench.wait(0.01)
    bench.ask(three)


def test_a_released_call_stays_a_request_and_gives_back_the_rest(bench):
    one = key(requests_per_min=1, tokens_per_min=50, concurrency=1, total_tokens=50, budget_nano=50)
    bench.limits.release(bench.ask(one, 50, nano=50))

    assert type(bench.refuses(one, 50, nano=50)) is RateLimitExceeded
    bench.ask(replace(one, limits=replace(one.limits, requests_per_min=2)), 50, nano=50)


def test_refused_calls_count_in_nothing(bench):
    few = key(requests_per_min=5, tokens_per_min=100, concurrency=1)
    taken = bench.ask(few, 10)
    for _ in range(20):
        bench.refuses(few, 10)
    bench.settle(taken, 10)

    assert b"remaining-requests: 4\r\n" in bench.limits.headers(few, bench.now_s)
    assert b"remaining-tokens: 90\r\n" in bench.limits.headers(few, bench.now_s)


def test_tokens_per_minute_are_held_and_then_settled(bench):
    hundred = key(tokens_per_min=100)
    taken = bench.ask(hundred, 60)
    refusal = bench.refuses(hundred, 60)

    assert type(refusal) is TokenRateLimitExceeded
    assert (refusal.status, refusal.type, refusal.code) == (429, "tokens", "rate_limit_exceeded")
    assert refusal.retry_after_s == 60.001
    bench.settle(taken, 40)
    bench.ask(hundred, 60)


def test_use_beyond_the_hold_counts_from_when_it_is_known(bench):
    hundred = key(tokens_per_min=100)
    taken = bench.ask(hundred, 10)
    bench.wait(50)
    bench.settle(taken, 110)

    assert bench.refuses(hundred, 1).retry_after_s == 60.001
    bench.wait(60)
    bench.ask(hundred, 100)


def test_a_call_guessed_above_the_whole_limit_is_admitted_alone(bench):
    hundred = key(tokens_per_min=100)
    bench.ask(hundred, 1)
    assert type(bench.refuses(hundred, 5000, least=100)) is TokenRateLimitExceeded
    bench.wait(60)

    bench.ask(hundred, 5000, least=100)

    bench.refuses(hundred, 1)


def test_a_prompt_above_the_whole_limit_is_refused_for_good(bench):
    refusal = bench.refuses(key(tokens_per_min=100), 5000, least=101)

    assert type(refusal) is CallOverTokenRate
    assert not refusal.retryable
    assert refusal.retry_after_s is None
    assert "101" in str(refusal)
    assert "limit 100 " in str(refusal)


def test_of_two_rates_the_one_that_lasts_longer_is_named(bench):
    both = key(requests_per_min=2, tokens_per_min=100)
    bench.ask(both, 10)
    bench.wait(20)
    bench.ask(both, 60)

    requests_last = bench.refuses(both, 1)
    tokens_last = bench.refuses(both, 80)

    assert (type(requests_last), requests_last.retry_after_s) == (RateLimitExceeded, 40.001)
    assert (type(tokens_last), tokens_last.retry_after_s) == (TokenRateLimitExceeded, 60.001)


def test_concurrency(bench):
    two = key(concurrency=2)
    first, _second = bench.ask(two), bench.ask(two)
    refusal = bench.refuses(two)

    assert type(refusal) is ConcurrencyLimitExceeded
    assert (refusal.retryable, refusal.retry_after_s) == (True, 1.0)
    bench.settle(first)
    bench.ask(two)
    bench.refuses(two)


# -- headers --------------------------------------------------------------------------------------


def test_headers_say_limit_remainder_and_reset(bench):
    both = key(requests_per_min=60, tokens_per_min=1000)
    bench.ask(both, 100)
    bench.wait(1.5)
    bench.ask(both, 50)
    bench.wait(1.5)

    assert bench.limits.headers(both, bench.now_s) == (
        b"x-ratelimit-limit-requests: 60\r\n"
        b"x-ratelimit-remaining-requests: 58\r\n"
        b"x-ratelimit-reset-requests: 58.501s\r\n"
        b"x-ratelimit-limit-tokens: 1000\r\n"
        b"x-ratelimit-remaining-tokens: 850\r\n"
        b"x-ratelimit-reset-tokens: 58.501s\r\n"
    )


def test_a_refusal_carries_the_headers(bench):
    one = key(requests_per_min=1)
    bench.ask(one)

    assert error_headers(bench.refuses(one)) == (
        b"retry-after: 61\r\nretry-after-ms: 60001\r\n" + bench.limits.headers(one, bench.now_s)
    )
    assert error_headers(bench.refuses(key("key_2", concurrency=0))).count(b"x-ratelimit") == 0


def test_headers_of_a_key_that_has_not_called(bench):
    assert bench.limits.headers(key(tokens_per_min=7), 0.0) == (
        b"x-ratelimit-limit-tokens: 7\r\n"
        b"x-ratelimit-remaining-tokens: 7\r\n"
        b"x-ratelimit-reset-tokens: 0s\r\n"
    )
    assert bench.limits.headers(key(concurrency=7), 0.0) == b""


# -- token limit and budget -----------------------------------------------------------------------


def test_a_spent_budget_refuses_for_good_and_says_when_it_starts_afresh(bench):
    daily = key(budget_nano=10_000_000_000, budget_period=BudgetPeriod.DAY)
    bench.use(daily, nano=9_990_000_000)

    refusal = bench.refuses(daily, nano=24_600_000)

    assert type(refusal) is InsufficientQuota
    assert not refusal.retryable
    assert refusal.retry_after_s is None
    assert "9.99 of 10 is spent" in str(refusal)
    assert "up to 0.0246" in str(refusal)
    assert "2026-12-01T00:00:00Z" in str(refusal)


def test_what_calls_in_progress_hold_may_be_free_soon(bench):
    daily = key(budget_nano=100)
    taken = bench.ask(daily, nano=70)
    refusal = bench.refuses(daily, nano=40)

    assert type(refusal) is ConcurrencyLimitExceeded
    assert refusal.retryable
    bench.settle(taken, nano=60)
    bench.ask(daily, nano=40)
    assert type(bench.refuses(daily, nano=41)) is InsufficientQuota


def test_a_token_limit_suspends_the_key_until_it_is_raised(bench):
    limited = key(total_tokens=1000)
    bench.use(limited, 1000)
    bench.wait(400 * DAY_S)

    assert type(bench.refuses(limited, 1)) is InsufficientQuota
    bench.ask(key(total_tokens=1001), 1)


def test_when_both_quotas_refuse_the_final_one_is_told(bench):
    both = key(total_tokens=100, budget_nano=100)
    bench.use(both, nano=100)
    bench.ask(both, 60)

    assert type(bench.refuses(both, 60, nano=1)) is InsufficientQuota


def test_a_lower_limit_holds_at_once(bench):
    bench.use(key(budget_nano=100), nano=50)

    assert type(bench.refuses(key(budget_nano=50), nano=1)) is InsufficientQuota
    bench.ask(key(budget_nano=51), nano=1)


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        (BudgetPeriod.DAY, (2026, 11, 24, 23, 59, 59), (2026, 11, 25)),
        (BudgetPeriod.MONTH, (2024, 2, 29, 23, 59, 59), (2024, 3, 1)),
        (BudgetPeriod.MONTH, (2023, 2, 28, 23, 59, 59), (2023, 3, 1)),
        (BudgetPeriod.MONTH, (2026, 12, 31, 23, 59, 59), (2027, 1, 1)),
    ],
)
def test_a_budget_starts_afresh_with_its_period(bench, period, start, end):
    budget = key(budget_nano=100, budget_period=period)
    bench.unix_s = int(datetime(*start, tzinfo=UTC).timestamp())
    bench.use(budget, nano=60)
    running = bench.ask(budget, nano=40)
    bench.refuses(budget, nano=1)

    bench.wait(1)

    assert bench.unix_s == int(datetime(*end, tzinfo=UTC).timestamp())
    bench.ask(budget, nano=100)
    bench.settle(running, nano=40)  # the old period's
    assert type(bench.refuses(budget, nano=1)) is ConcurrencyLimitExceeded
    bench.wait(-1)
    assert type(bench.refuses(budget, nano=1)) is InsufficientQuota  # 100 of it are spent


def test_a_budget_for_ever_never_starts_afresh(bench):
    bench.use(key(budget_nano=100), nano=100)
    bench.wait(5000 * DAY_S)

    assert "afresh" not in str(bench.refuses(key(budget_nano=100), nano=1))


def test_another_period_takes_hold_at_once(bench):
    bench.use(key(budget_nano=100, budget_period=BudgetPeriod.DAY), nano=100)
    bench.wait(DAY_S)  # into the next month
    daily = key(budget_nano=100, budget_period=BudgetPeriod.DAY)
    bench.use(daily, nano=30)

    bench.refuses(key(budget_nano=129), nano=1)
    bench.ask(key(budget_nano=100, budget_period=BudgetPeriod.MONTH), nano=70)


# -- ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["settle", "release"])
@pytest.mark.parametrize("second", ["settle", "release"])
def test_a_reservation_ends_once(bench, first, second):
    all_limits = key(
        requests_per_min=9, tokens_per_min=99, concurrency=3, total_tokens=99, budget_nano=99
    )
    taken, other = bench.ask(all_limits, 10, nano=10), bench.ask(all_limits, 10, nano=10)
    for name in (first, second, second):
        if name == "settle":
            bench.settle(taken, 5, 5)
        else:
            bench.limits.release(taken)

    used = 5 if first == "settle" else 0
    bench.ask(all_limits, 99 - 10 - used, nano=99 - 10 - used)
    bench.ask(all_limits, 0)
    bench.refuses(all_limits, 0)  # three calls are in progress
    bench.settle(other)


def test_a_limit_set_while_a_call_runs_counts_that_call(bench):
    begun_free, begun_rated = bench.ask(key()), bench.ask(key(requests_per_min=9), 5)
    bench.ask(key(total_tokens=100, budget_nano=100), 1, nano=1)

    bench.settle(begun_free, 60, 60)
    bench.settle(begun_rated, 30, 30)

    assert type(bench.refuses(key(total_tokens=100), 11)) is InsufficientQuota
    assert type(bench.refuses(key(budget_nano=100), nano=11)) is InsufficientQuota
    bench.ask(key(total_tokens=100, budget_nano=100), 9, nano=9)


def test_a_limit_lifted_and_set_again_has_missed_nothing(bench):
    bench.use(key(total_tokens=100), 50)
    bench.use(key(concurrency=5), 45)
    running = bench.ask(key(), 1)
    bench.settle(running, 4)

    bench.ask(key(total_tokens=100), 1)
    bench.refuses(key(total_tokens=100), 1)


# -- totals from the ledger, and forgetting -------------------------------------------------------


def test_totals_are_asked_for_once_and_only_where_a_limit_needs_them():
    asked = []

    def seeds(key_id, unix_s):
        asked.append((key_id, unix_s))
        return Seed(90, 70, 60, 50)

    bench = Bench(seeds)
    bench.use(key(requests_per_min=5), 1)
    assert asked == []
    bench.refuses(key(total_tokens=100), 11)
    bench.ask(key(total_tokens=100), 9)
    for period, left in (("total", 30), ("day", 40), ("month", 50)):
        bench.refuses(key(budget_nano=100, budget_period=BudgetPeriod(period)), nano=left + 1)
    assert asked == [("key_1", NOON)]


class Ledger:
    """Totals by key, as `Seeds` gives them."""

    def __init__(self):
        self.tokens = {}

    def __call__(self, key_id, _unix_s):
        return Seed(tokens=self.tokens.get(key_id, 0))


def test_a_forgotten_key_finds_its_totals_again():
    ledger = Ledger()
    bench = Bench(ledger)
    bench.use(key(total_tokens=100), 95)
    ledger.tokens["key_1"] = 95
    bench.wait(KEEP_S)
    bench.use(key("key_2", concurrency=1))

    assert len(bench.limits) == 1
    assert type(bench.refuses(key(total_tokens=100), 6)) is InsufficientQuota
    bench.ask(key(total_tokens=100), 5)


def test_a_key_with_a_call_in_progress_is_not_forgotten(bench):
    one = key(concurrency=1)
    bench.ask(one)
    bench.wait(100 * KEEP_S)
    for name in "abcdef":
        bench.use(key(name, concurrency=1))

    bench.refuses(one)


def test_a_key_within_its_window_is_not_forgotten(bench):
    one = key(requests_per_min=1)
    bench.use(one)
    bench.wait(59.9)
    for name in "abcdef":
        bench.use(key(name, concurrency=1))

    bench.refuses(one)


def test_a_key_whose_long_call_has_just_ended_is_not_forgotten():
    """The ledger may not have written yet what it used."""
    bench = Bench(Ledger())
    limited = key(total_tokens=100)
    taken = bench.ask(limited, 95)
    bench.wait(10 * KEEP_S)
    bench.settle(taken, 95)
    bench.use(key("key_2", concurrency=1))

    bench.refuses(limited, 6)


def test_a_key_in_use_does_not_keep_others_in_memory(bench):
    """Also one whose only call lasts: it is passed over."""
    bench.ask(key("long", concurrency=1))
    for name in ["busy", "b", "c", "d", "e"]:
        bench.use(key(name, concurrency=1))
    for _ in range(10):
        bench.wait(KEEP_S / 5)
        bench.use(key("busy", concurrency=1))
    for name in "fgh":
        bench.use(key(name, concurrency=1))

    assert len(bench.limits) == len({"long", "busy", "f", "g", "h"})


@pytest.mark.slow
def test_a_million_keys_seen_once_leave_little_behind():
    bench, largest = Bench(), 0
    call = estimate()
    for number in range(1_000_000):
        bench.now_s += 0.01  # 12 000 keys within KEEP_S
        one = KeySpec(b"", "n", "t", id=str(number), limits=ONE_LIMIT)
        taken = bench.limits.reserve(one, call, bench.now_s, NOON)
        bench.limits.settle(taken, 5, 0, bench.now_s)
        largest = max(largest, len(bench.limits))

    assert largest <= 12_002


ONE_LIMIT = KeyLimits(concurrency=10)


# -- alerts ---------------------------------------------------------------------------------------


def test_each_mark_is_reported_once(bench):
    limited = key(total_tokens=100)
    told = []
    for _ in range(10):
        bench.use(limited, 10)
        told.append(bench.alerts())

    assert told[:7] == [[]] * 7
    assert told[7:] == [[(Quota.TOKEN_LIMIT, 80)], [], [(Quota.TOKEN_LIMIT, 100)]]
    bench.refuses(limited, 1)
    assert bench.alerts() == []


def test_an_alert_says_who_and_how_much(bench):
    bench.use(key(budget_nano=1000), nano=850)

    assert list(bench.limits.alerts) == [UsageAlert("key_1", Quota.BUDGET, 80, 850, 1000)]


def test_a_quota_too_small_for_the_next_call_is_used_up(bench):
    limited = key(budget_nano=100)
    bench.use(limited, nano=98)
    assert bench.alerts() == [(Quota.BUDGET, 80)]

    for _ in range(3):
        bench.refuses(limited, nano=3)
        assert bench.alerts() in ([(Quota.BUDGET, 100)], [])
        bench.refuses(replace(limited, limits=replace(limited.limits)), nano=3)  # a new snapshot
        assert bench.alerts() == []


def test_one_call_too_large_for_a_fresh_quota_is_no_news(bench):
    bench.refuses(key(budget_nano=100), nano=101)

    assert bench.alerts() == []


def test_a_raised_limit_can_be_crossed_again(bench):
    bench.use(key(total_tokens=100), 100)
    assert bench.alerts() == [(Quota.TOKEN_LIMIT, 100)]

    bench.use(key(total_tokens=1000), 100)
    assert bench.alerts() == []
    bench.use(key(total_tokens=1000), 650)
    assert bench.alerts() == [(Quota.TOKEN_LIMIT, 80)]


def test_a_new_period_can_be_crossed_again(bench):
    daily = key(budget_nano=100, budget_period=BudgetPeriod.DAY)
    for _ in range(2):
        bench.use(daily, nano=80)
        assert bench.alerts() == [(Quota.BUDGET, 80)]
        bench.wait(DAY_S)


def test_a_restart_does_not_report_again():
    bench = Bench(lambda *_: Seed(tokens=85))
    bench.use(key(total_tokens=100), 1)
    assert bench.alerts() == []
    bench.use(key(total_tokens=100), 14)
    assert bench.alerts() == [(Quota.TOKEN_LIMIT, 100)]


def test_a_key_that_was_reported_as_used_up_early_is_remembered_for_a_day():
    ledger = Ledger()
    bench = Bench(ledger)
    limited = key(total_tokens=100)
    bench.use(limited, 98)
    ledger.tokens["key_1"] = 98
    bench.refuses(limited, 3)
    bench.alerts()

    bench.wait(DAY_S - 1)
    bench.use(key("key_2", concurrency=1))
    bench.refuses(limited, 3)
    assert bench.alerts() == []
    bench.wait(DAY_S)
    bench.use(key("key_3", concurrency=1))
    assert len(bench.limits) == 1


def test_alerts_that_nobody_takes_are_bounded(bench):
    for number in range(MAX_ALERTS + 5):
        bench.use(key(f"key_{number}", total_tokens=10), 10)

    assert len(bench.limits.alerts) == MAX_ALERTS


def test_a_lowered_limit_is_crossed_by_what_was_used_before(bench):
    bench.use(key(total_tokens=100), 50)
    bench.use(key(total_tokens=60), 0)

    assert bench.alerts() == [(Quota.TOKEN_LIMIT, 80)]
