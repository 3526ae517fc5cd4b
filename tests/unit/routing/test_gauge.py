"""What a 429 teaches: how long an account rests, and when a limit is learned."""

from math import inf

from arkway.model.catalogue import AccountLimits
from arkway.routing.gauge import Gauge, Limited
from arkway.routing.policy import RoutingPolicy


def used(seconds):
    """A gauge and the time, after so long of a call a second."""
    gauge, now_s = Gauge(AccountLimits(), RoutingPolicy()), 1000.0
    for _ in range(seconds):
        gauge.settle(gauge.reserve(100, now_s), 100, 100)
        now_s += 1.0
    return gauge, now_s


def rest_s(gauge, now_s, after_s=None):
    gauge.on_limited(Limited.REQUESTS, after_s, now_s, is_alone=True)
    return round(gauge.blocked_until_s - now_s, 3)


def test_an_unexplained_429_rests_the_account_twice_as_long_each_time_until_it_answers():
    gauge, now_s = used(5)

    rests = [rest_s(gauge, now_s + 10 * at) for at in range(7)]
    gauge.answered()

    assert rests == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert rest_s(gauge, now_s + 100) == 0.2


def test_what_the_upstream_says_is_kept():
    gauge, now_s = used(5)

    assert rest_s(gauge, now_s, after_s=7.0) == 7.0


def test_a_limit_is_learned_from_a_full_minute_only():
    young, young_now_s = used(50)
    old, old_now_s = used(70)

    rest_s(young, young_now_s)
    rest_s(old, old_now_s)

    assert young.most_requests == inf
    assert 50 < old.most_requests < 60


def test_the_429s_of_one_moment_let_a_limit_down_once():
    gauge, now_s = used(70)

    rest_s(gauge, now_s)
    once = gauge.most_requests
    rest_s(gauge, now_s + 5.0)
    assert gauge.most_requests == once
    rest_s(gauge, now_s + 11.0)
    assert gauge.most_requests < once


def test_a_call_of_a_whole_minutes_tokens_is_sent_when_nothing_else_is():
    """The margin below a limit is for many calls: it must not keep one out for ever."""
    gauge = Gauge(AccountLimits(tokens_per_min=10_000), RoutingPolicy())

    assert gauge.has_room(10_000, 1000.0)
    assert not gauge.has_room(10_001, 1000.0)

    gauge.reserve(100, 1000.0)
    assert not gauge.has_room(9800, 1000.0)
