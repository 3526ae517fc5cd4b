"""Turns: fair by tokens between tenants, first come first served within one."""

from collections import Counter

from arkway.routing.ask import Ask
from arkway.routing.lease import Wait
from arkway.routing.policy import RoutingPolicy
from arkway.routing.retries import Hedges, RetryBudget
from arkway.routing.waiting import FairQueue
from support.pool_lab import M


def wait(tenant, tokens):
    return Wait(Ask(M, tenant, tokens, 0), (), (), 0.0, 10.0)


def served(queue, count):
    order = []
    for _ in range(count):
        head = queue.head()
        assert queue.head() is head
        queue.remove(head, is_served=True)
        order.append(head)
    return order


def test_one_tenant_is_first_come_first_served():
    queue, waits = FairQueue(100), [wait("t", tokens) for tokens in (500, 1, 70)]
    for one in waits:
        queue.push(one)

    assert served(queue, 3) == waits
    assert queue.head() is None


def test_who_sends_more_is_served_no_more():
    queue = FairQueue(100)
    for _ in range(90):
        queue.push(wait("loud", 50))
    for _ in range(10):
        queue.push(wait("quiet", 50))

    first = Counter(one.ask.tenant for one in served(queue, 20))

    assert abs(first["loud"] - first["quiet"]) <= 4


def test_long_prompts_get_their_share_of_tokens_and_no_more():
    queue = FairQueue(100)
    for _ in range(50):
        queue.push(wait("long", 1000))
        queue.push(wait("short", 100))

    order = served(queue, 44)

    tokens = Counter()
    for one in order:
        tokens[one.ask.tenant] += one.ask.input_tokens
    assert 0.5 < tokens["long"] / tokens["short"] < 2.0


def test_retries_are_a_share_of_traffic_and_a_few_a_second():
    budget, now_s = RetryBudget(RoutingPolicy()), 100.0
    while budget.take(now_s):
        pass
    allowed = 0
    for _ in range(1000):  # 100 calls a second for ten seconds, all of which fail
        now_s += 0.01
        budget.on_call()
        allowed += budget.take(now_s)

    assert abs(allowed - (200 + 30)) <= 2
    assert budget.refused > 700


def test_hedges_are_off_and_then_few():
    off, on = Hedges(RoutingPolicy()), Hedges(RoutingPolicy(hedges=True))
    for hedges in (off, on):
        for _ in range(1000):
            hedges.on_call()
            hedges.take()

    assert off.taken == 0
    assert 15 <= on.taken <= 21
