"""Under which circumstances is a trace replayed?"""

from math import inf

import msgspec

from arkway.simulate.trace.rows import Trace
from arkway.simulate.trace.upstream import Limits, Timing


class Plan(msgspec.Struct, frozen=True):
    """The accounts, and what happens to them."""

    accounts: int = 8
    has_header: bool = True  # callers name their conversations
    headroom: float | None = None  # limits, as a multiple of mean demand; None: no limits
    shares: tuple[int, ...] = ()  # of the limits, repeated over the accounts; none: equal
    limits: Limits = Limits()  # of each account, where no headroom is given
    told_factor: float = 1.0  # the limits that routing is told, as a multiple of the true ones
    ttl_s: float = inf  # of the caches
    nodes: int = 1  # gateways, each with its own part of the calls
    lag_s: float = 1.0  # until a node knows what another has learned
    lose_shared_at_s: float | None = None  # from then on nodes learn nothing of each other
    kill_account_at_s: float | None = None
    revive_account_at_s: float | None = None
    add_account_at_s: float | None = None
    timing: Timing = Timing()
    max_attempts: int = 3
    estimate_error: float = 0.1  # of a prompt's tokens: a gateway knows bytes, not tokens
    may_wait: bool = True
    seed: int = 7

    def limits_of(self, trace: Trace) -> list[Limits]:
        """Return each account's limits."""
        if self.headroom is None:
            return [self.limits] * self.accounts
        shares = [
            self.shares[at % len(self.shares)] if self.shares else 1 for at in range(self.accounts)
        ]
        parts = [self.headroom * share / sum(shares) for share in shares]
        return [
            Limits(
                max(int(trace.requests_per_min * part), 1),
                max(int(trace.tokens_per_min * part), 1),
            )
            for part in parts
        ]
