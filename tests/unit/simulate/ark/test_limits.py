import random

import pytest

from arkway.simulate.ark.limits import Full, Gate, Lease
from arkway.simulate.ark.settings import Limits


def gate(**limits):
    return Gate(Limits(**limits))


def test_requests_of_a_minute():
    it = gate(requests_per_min=2)
    assert isinstance(it.take(0.05, 1), Lease)
    assert isinstance(it.take(30.0, 1), Lease)

    refused = it.take(59.0, 1)

    assert refused.code == "ModelAccountRpmRateLimitExceeded"
    assert refused.retry_after_s == pytest.approx(1.1)
    assert isinstance(it.take(59.0 + refused.retry_after_s, 1), Lease)


def test_a_call_that_has_ended_still_counts_as_a_request():
    it = gate(requests_per_min=1)
    it.settle(it.take(0.0, 1), 1)

    assert isinstance(it.take(59.9, 1), Full)
    assert isinstance(it.take(60.1, 1), Lease)


def test_tokens_are_taken_on_arrival_and_corrected_at_the_end():
    it = gate(tokens_per_min=100)
    lease = it.take(0.0, 80)

    assert it.take(0.0, 21).code == "ModelAccountTpmRateLimitExceeded"
    it.settle(lease, 30)

    assert it.used(0.0) == (1, 30)
    assert isinstance(it.take(0.0, 70), Lease)
    assert isinstance(it.take(0.0, 1), Full)


def test_a_settlement_after_its_minute_changes_nothing():
    it = gate(tokens_per_min=100)
    lease = it.take(0.0, 80)
    assert it.used(61.0) == (0, 0)

    it.settle(lease, 500)

    assert it.used(61.0) == (0, 0)


def test_what_can_never_fit_has_no_time():
    assert gate(tokens_per_min=100).take(0.0, 101).retry_after_s is None


def test_when_tokens_are_free():
    it = gate(tokens_per_min=100)
    it.take(0.0, 40)
    it.take(10.0, 50)

    assert it.take(20.0, 40).retry_after_s == pytest.approx(40.1)
    assert it.take(20.0, 80).retry_after_s == pytest.approx(50.1)


def test_calls_in_flight():
    it = gate(in_flight=2)
    first = it.take(0.0, 1)
    it.take(0.0, 1)

    assert it.take(0.0, 1) == Full("InflightBatchsizeExceeded", None)
    it.settle(first, 1)
    assert isinstance(it.take(0.0, 1), Lease)
    assert (it.in_flight, it.peak_in_flight) == (2, 2)


def test_a_refusal_takes_nothing():
    it = gate(requests_per_min=1)
    it.take(0.0, 1)
    for _ in range(10):
        it.take(0.0, 1)

    assert it.used(0.0) == (1, 1)
    assert it.in_flight == 1


def test_no_minute_has_more_than_the_limit_and_none_is_held_longer_than_it_must():
    draw = random.Random(7)
    it, taken, now_s = gate(requests_per_min=50, tokens_per_min=2_000), [], 0.0
    for _ in range(3_000):
        now_s += draw.expovariate(2.0)
        tokens = draw.randrange(1, 100)
        result = it.take(now_s, tokens)
        old = [(at_s, n) for at_s, n in taken if at_s > now_s - 60.0]
        surely = [(at_s, n) for at_s, n in taken if at_s > now_s - 60.1]
        if isinstance(result, Lease):
            assert len(old) < 50
            assert sum(n for _, n in old) + tokens <= 2_000
            taken.append((now_s, tokens))
        else:
            assert len(surely) >= 50 or sum(n for _, n in surely) + tokens > 2_000
    assert 500 < len(taken) < 2_900
    assert len(it._buckets) <= 601
