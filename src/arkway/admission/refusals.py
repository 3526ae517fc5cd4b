"""What is a caller told whose key is at a limit? The refusals of `limits`, in words. Pure."""

from datetime import UTC, datetime

from arkway.admission.durations import whole_ms
from arkway.admission.totals import Tally, period_end
from arkway.model.catalogue import KeyLimits
from arkway.model.errors import (
    CallOverTokenRate,
    ConcurrencyLimitExceeded,
    GatewayError,
    InsufficientQuota,
    RateLimitExceeded,
    TokenRateLimitExceeded,
)

# Nobody knows when a call in progress ends. A second is shorter than most answers, and long
# enough that a refused SDK does not come back within the same burst.
BUSY_RETRY_AFTER_S = 1.0
_NANO = 1_000_000_000


def money(nano: int) -> str:
    """Return an amount of money in units, exactly: `0.0246`."""
    units, rest = divmod(nano, _NANO)
    return f"{units}.{rest:09d}".rstrip("0").rstrip(".") if rest else str(units)


def over_requests(limit: int, wait_s: float) -> GatewayError:
    """Return the refusal of a call for the key's requests per minute."""
    return RateLimitExceeded(
        f"Rate limit reached for requests of this key: limit {limit} per minute.",
        retry_after_s=whole_ms(wait_s) / 1000,
        reason="requests_per_min",
    )


def over_tokens(limit: int, used: int, wanted: int, wait_s: float) -> GatewayError:
    """Return the refusal of a call for the key's tokens per minute."""
    return TokenRateLimitExceeded(
        f"Rate limit reached for tokens of this key: limit {limit} per minute, used {used}, "
        f"this call needs about {wanted}.",
        retry_after_s=whole_ms(wait_s) / 1000,
        reason="tokens_per_min",
    )


def never_fits(limit: int, least: int) -> GatewayError:
    """Return the refusal of a call whose prompt alone is over the tokens per minute."""
    return CallOverTokenRate(
        f"Request too large for this key: limit {limit} tokens per minute, and the prompt alone "
        f"has about {least}. Send a shorter prompt.",
        reason="tokens_per_min_never_fits",
    )


def too_many_at_once(limit: int) -> GatewayError:
    """Return the refusal of a call beyond the key's concurrency."""
    return ConcurrencyLimitExceeded(
        f"This key may have {limit} calls in progress, and has them.",
        retry_after_s=BUSY_RETRY_AFTER_S,
        reason="concurrency",
    )


def no_tokens_left(limit: int, tally: Tally, most: int) -> GatewayError:
    """Return the refusal of a call that could pass the key's token limit."""
    if tally.spent + most <= limit:
        return _held(f"{tally.held} of the {limit - tally.spent} tokens left to this key")
    return InsufficientQuota(
        f"This key's token limit has no room for this call: {tally.spent} of {limit} tokens are "
        f"used, and the call may come to {most}. A smaller 'max_tokens' needs less room.",
        reason="token_limit",
    )


def no_money_left(limits: KeyLimits, tally: Tally, most: int, unix_s: int) -> GatewayError:
    """Return the refusal of a call that could pass the key's budget."""
    limit = limits.budget_nano or 0
    if tally.spent + most <= limit:
        return _held(f"{money(tally.held)} of the {money(limit - tally.spent)} left to this key")
    end = period_end(limits.budget_period, unix_s)
    afresh = (
        f" The budget starts afresh at {datetime.fromtimestamp(end, UTC):%Y-%m-%dT%H:%M:%SZ}."
        if end is not None
        else ""
    )
    return InsufficientQuota(
        f"This key's budget has no room for this call: {money(tally.spent)} of {money(limit)} is "
        f"spent, and the call may cost up to {money(most)}. A smaller 'max_tokens' needs less "
        f"room.{afresh}",
        reason="budget",
    )


def _held(what: str) -> GatewayError:
    """Return the refusal for what calls in progress may still use: it may be free in a moment."""
    return ConcurrencyLimitExceeded(
        f"Calls in progress hold {what}. Retry when they have ended, or send fewer at once.",
        retry_after_s=BUSY_RETRY_AFTER_S,
        reason="held_by_calls",
    )
