"""How do several rules compare, and how many accounts does a trace need? Replays side by side."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import msgspec

from arkway.routing.policy import RoutingPolicy
from arkway.simulate.trace.plan import Plan
from arkway.simulate.trace.replay import bound, replay
from arkway.simulate.trace.result import Result
from arkway.simulate.trace.rows import Trace
from arkway.simulate.trace.rules import ELASTIC, NAMES

MAX_ACCOUNTS = 1024  # that a plan looks at


def compare(
    trace: Trace,
    plan: Plan,
    names: Sequence[str] = NAMES,
    on_progress: Callable[[int], None] | None = None,
) -> list[Result]:
    """Return one result a rule, in the order of `names`."""
    results = []
    for at, name in enumerate(names):
        begin = at * len(trace.rows)

        def tell(number: int, begin: int = begin) -> None:
            if on_progress is not None:
                on_progress(begin + number)

        results.append(replay(trace, plan, name, RoutingPolicy(), tell))
    return results


def report(trace: Trace, plan: Plan, results: list[Result]) -> dict[str, Any]:
    """Return the object that `--json` prints."""
    tokens = sum(row.input_tokens for row in trace.rows)
    return {
        "trace": trace.name,
        "requests": len(trace.rows),
        "accounts": plan.accounts,
        "bound": round(bound(trace, plan) / tokens, 5) if tokens else 0.0,
        "policies": [result.figures() for result in results],
    }


class Needed(msgspec.Struct, frozen=True):
    """The fewest accounts that serve a trace."""

    accounts: int | None  # None: not even the most that were tried
    result: Result
    tried: tuple[tuple[int, int, int], ...]  # accounts, refused calls, waiting calls


def needed(
    trace: Trace,
    plan: Plan,
    fewer_than: int,
    on_progress: Callable[[int], None] | None = None,
) -> Needed:
    """Return how many accounts with the plan's limits refuse fewer calls than that.

    A call is refused where it fails or provokes a 429. Doubles what the mean demand needs until it
    suffices, then halves. Progress starts again with each number that is tried.
    """
    tried: dict[int, Result] = {}

    def refused(accounts: int) -> int:
        tried_plan = msgspec.structs.replace(plan, accounts=accounts)
        result = replay(trace, tried_plan, ELASTIC, None, on_progress)
        tried[accounts] = result
        return result.failed + result.provoked_429

    high = _least(trace, plan)
    low = high - 1  # too few for the mean of the demand
    while refused(high) >= fewer_than:
        if high >= MAX_ACCOUNTS:
            return Needed(None, tried[high], _story(tried))
        low, high = high, min(high * 2, MAX_ACCOUNTS)
    while high - low > 1:
        middle = (low + high) // 2
        if refused(middle) < fewer_than:
            high = middle
        else:
            low = middle
    return Needed(high, tried[high], _story(tried))


def _least(trace: Trace, plan: Plan) -> int:
    """Return how many accounts the mean demand needs: with fewer, a run is one long queue."""
    limits = plan.limits
    least = 1.0
    if limits.tokens_per_min is not None:
        least = max(least, trace.tokens_per_min / limits.tokens_per_min)
    if limits.requests_per_min is not None:
        least = max(least, trace.requests_per_min / limits.requests_per_min)
    return min(ceil(least), MAX_ACCOUNTS)


def _story(tried: dict[int, Result]) -> tuple[tuple[int, int, int], ...]:
    return tuple(
        (accounts, it.failed + it.provoked_429, it.waited) for accounts, it in sorted(tried.items())
    )
