"""Does a budget that fits exactly k calls admit k of 200, whoever comes when?"""

import random

import pytest

from arkway.admission.estimate import Estimate, Estimator, cost_nano
from arkway.admission.limits import Limits
from arkway.model.call import Call
from arkway.model.catalogue import BudgetPeriod, KeyLimits, KeySpec, ModelSpec, Price
from arkway.model.errors import ConcurrencyLimitExceeded, GatewayError, InsufficientQuota

TRIALS, CALLS = 1000, 200
NANO, TOKENS = 24_600_000, 13_000  # the most that one call can come to


def limited(rng, k):
    """A key whose quota fits `k` calls and not one more."""
    slack = rng.randrange(NANO)
    period = rng.choice(list(BudgetPeriod))
    if rng.random() < 0.5:
        limits = KeyLimits(budget_nano=k * NANO + slack, budget_period=period)
    else:
        limits = KeyLimits(total_tokens=k * TOKENS + slack % TOKENS)
    return KeySpec(b"", "n", "t", id="key_1", limits=limits)


@pytest.mark.slow
def test_all_at_once_k_are_admitted_every_time():
    """Every call holds its most until all have been asked for; each then uses all of it."""
    call = Estimate(1, 500, TOKENS, NANO)
    for trial in range(TRIALS):
        rng = random.Random(trial)
        k = rng.randrange(1, CALLS)
        key, limits, taken, now_s = limited(rng, k), Limits(), [], 1000.0
        refusals = set()
        for _ in range(CALLS):
            try:
                taken.append(limits.reserve(key, call, now_s, 1_800_000_000))
            except GatewayError as refusal:
                refusals.add(type(refusal))
        assert len(taken) == k
        assert refusals == {ConcurrencyLimitExceeded}

        rng.shuffle(taken)
        for one in taken:
            limits.settle(one, TOKENS, NANO, now_s)
        with pytest.raises(InsufficientQuota):
            limits.reserve(key, call, now_s, 1_800_000_000)


@pytest.mark.slow
def test_whatever_the_order_no_trial_overspends_and_none_admits_fewer():
    """Calls come, end and fail in random order and come back when they are asked to.

    Calls that were served use their most, so that exactly k can be served.
    """
    call = Estimate(1, 500, TOKENS, NANO)
    for trial in range(TRIALS):
        rng = random.Random(trial)
        k = rng.randrange(1, CALLS)
        key, limits, now_s = limited(rng, k), Limits(), 1000.0
        waiting, running, served, given_up = CALLS, [], 0, 0
        while waiting or running:
            now_s += rng.random() / 10
            if waiting and (not running or rng.random() < 0.6):
                try:
                    running.append(limits.reserve(key, call, now_s, 1_800_000_000))
                    waiting -= 1
                except InsufficientQuota:
                    waiting -= 1
                    given_up += 1
                except ConcurrencyLimitExceeded:
                    assert running, "told to wait for nobody"
                continue
            one = running.pop(rng.randrange(len(running)))
            if rng.random() < 0.2:
                limits.release(one)  # its upstream failed: the caller tries again
                waiting += 1
            else:
                limits.settle(one, TOKENS, NANO, now_s)
                served += 1
        assert (served, given_up) == (k, CALLS - k)


@pytest.mark.slow
def test_calls_of_any_size_never_spend_more_than_there_is():
    for trial in range(TRIALS):
        rng = random.Random(trial)
        limit, spent, now_s = rng.randrange(1, 50 * NANO), 0, 1000.0
        key = KeySpec(b"", "n", "t", id="key_1", limits=KeyLimits(budget_nano=limit))
        limits, running, waiting = Limits(), [], CALLS
        while waiting or running:
            if waiting and (not running or rng.random() < 0.6):
                waiting -= 1
                most = rng.randrange(NANO)
                try:
                    taken = limits.reserve(key, Estimate(1, 5, 5, most), now_s, 1_800_000_000)
                    running.append((taken, most))
                except InsufficientQuota:
                    assert spent + most > limit
                except ConcurrencyLimitExceeded:
                    assert spent + most <= limit < spent + most + sum(m for _, m in running)
                continue
            taken, most = running.pop(rng.randrange(len(running)))
            cost = rng.randrange(most + 1)
            limits.settle(taken, 5, cost, now_s)
            spent += cost
            assert spent <= limit


@pytest.mark.parametrize(("max_tokens", "most_at_once"), [(None, 30), (4096, 90), (1024, 200)])
def test_a_burst_of_short_answers_gets_through_a_small_budget(max_tokens, most_at_once):
    """200 callers, a budget of 1, calls that could cost 0.026 each and cost 0.0007.

    Those told to wait come again. Nearly all is spent, never more, and not one after another.
    """
    rng, now_s, budget = random.Random(1), 1000.0, 10**9
    price = Price(1, "CNY", 800_000_000, 160_000_000, 2_000_000_000)
    model = ModelSpec("m", "m", 32_768, 12_288, price=price)
    params = {"messages": [{"role": "user", "content": "x"}]}
    call = Call(model, "m", False, False, 1, params, 2000, None, max_tokens)
    if max_tokens:
        params["max_tokens"] = max_tokens
    key = KeySpec(b"", "n", "t", id="key_1", limits=KeyLimits(budget_nano=budget))
    limits, estimator, running, spent, peak = Limits(), Estimator(), [], 0, 0
    while True:
        try:
            if len(running) < CALLS:
                estimate = estimator.estimate(key.id, call)
                running.append(limits.reserve(key, estimate, now_s, 1_800_000_000))
                peak = max(peak, len(running))
                continue
        except ConcurrencyLimitExceeded:
            assert running, "told to wait for nobody"
        except InsufficientQuota:
            if not running:
                break
        taken = running.pop(rng.randrange(len(running)))
        tokens_in = int(2000 * rng.uniform(0.18, 0.26))
        tokens_out = min(max_tokens or 12_288, int(rng.lognormvariate(5, 0.8)))
        cost = cost_nano(price, tokens_in, tokens_out)
        spent += cost
        limits.settle(taken, tokens_in + tokens_out, cost, now_s)
        estimator.learn(key.id, call, tokens_in, tokens_out)
        assert spent <= budget

    assert peak >= most_at_once
    assert spent >= 0.97 * budget
