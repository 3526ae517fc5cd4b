"""How is every account doing? A typed report for operators: command line, metrics, console."""

from math import inf

import msgspec

from arkway.model.ids import AccountId
from arkway.routing.health import Health, State
from arkway.routing.lease import Slot


class Use(msgspec.Struct, frozen=True):
    """How much of one limit is used. None: no such limit is known."""

    used: int
    limit: float | None  # the one in force: the operator's less its margin, or what was learned
    is_learned: bool = False  # below the operator's: the upstream said 429 earlier


class AccountReport(msgspec.Struct, frozen=True):
    """One account for one model."""

    account: AccountId
    model: str  # the public name
    state: State
    reason: str  # why it is out; empty: it is not
    returns_in_s: float | None  # None: it is not out, or until an operator acts
    is_draining: bool
    requests: Use  # of the last 60 s
    tokens: Use
    in_flight: Use
    waiting: int  # calls that wait for this account
    blocked_for_s: float  # the upstream asked for a pause so long
    limited: int  # 429s of this account since the start
    cached_share: float  # of input tokens of recent answers
    ttft_s: float  # mean of recent answers; 0: none
    slowness: float  # times to first token against what the prompts should need; 1: as expected
    affinity_pays: bool  # False: its cache gives nothing, affinity counts less
    ejections: int  # in a row


def report(model: str, slot: Slot, now_s: float, *, affinity_pays: bool) -> AccountReport:
    """Return the report of one slot."""
    gauge, account = slot.gauge, slot.target.account
    gauge.window.forget(now_s)
    configured = gauge.configured
    out = _what_is_out(slot)
    returns_in_s = None
    if out.is_out and out.until_s < inf:
        returns_in_s = max(out.until_s - now_s, 0.0)
    return AccountReport(
        account=account.id,
        model=model,
        state=out.state(now_s),
        reason=out.reason,
        returns_in_s=returns_in_s,
        is_draining=account.is_draining,
        requests=_use(gauge.window.requests, gauge.most_requests, configured.requests_per_min),
        tokens=_use(gauge.window.tokens, gauge.most_tokens, configured.tokens_per_min),
        in_flight=_use(gauge.in_flight, gauge.most_in_flight, configured.in_flight),
        waiting=gauge.queued,
        blocked_for_s=max(gauge.blocked_until_s - now_s, 0.0),
        limited=gauge.count_429,
        cached_share=gauge.cached_tokens / gauge.input_tokens if gauge.input_tokens else 0.0,
        ttft_s=gauge.ttft_s,
        slowness=gauge.slowness,
        affinity_pays=affinity_pays,
        ejections=out.ejections,
    )


def _what_is_out(slot: Slot) -> Health:
    if slot.health.is_out or not slot.model_health.is_out:
        return slot.health
    return slot.model_health


def _use(used: int, most: float, configured: int | None) -> Use:
    if most == inf:
        return Use(used, None)
    return Use(used, most, configured is None or most < 0.97 * configured)
