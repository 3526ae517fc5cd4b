"""How much may one account do with one model? Requests and tokens a minute, calls in flight.

As Ark does, tokens are taken on arrival by an estimate (prompt and expected answer) and corrected
when the call ends. A rate holds in every 60 s, in buckets of 0.1 s that leave when their newest
amount is a minute old: never too early, 0.1 s late at most. Source: Ark, rate limits.
"""

from collections import deque
from dataclasses import dataclass

from arkway.simulate.ark.settings import Limits

_PERIOD_S = 60.0
_BUCKETS_PER_S = 10


class _Bucket:
    """What arrived within one tenth of a second."""

    __slots__ = ("has_left", "leaves_at_s", "requests", "tokens")

    def __init__(self, leaves_at_s: float) -> None:
        self.leaves_at_s = leaves_at_s
        self.requests = self.tokens = 0
        self.has_left = False


@dataclass(slots=True)
class Lease:
    """What one call holds."""

    bucket: _Bucket
    tokens: int


@dataclass(frozen=True, slots=True)
class Full:
    """A limit that was reached, and when it would be worth another try (None: nobody knows)."""

    code: str
    retry_after_s: float | None


class Gate:
    """The limits of one account for one model, and what of them is taken."""

    __slots__ = ("_buckets", "_requests", "_tokens", "in_flight", "limits", "peak_in_flight")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.in_flight = self.peak_in_flight = 0
        self._requests = self._tokens = 0
        self._buckets: deque[_Bucket] = deque()  # 601 at most: those of a minute

    def take(self, now_s: float, tokens: int) -> Lease | Full:
        """Take a request and `tokens`, or nothing at all."""
        self._expire(now_s)
        limits = self.limits
        if limits.in_flight is not None and self.in_flight >= limits.in_flight:
            return Full("InflightBatchsizeExceeded", None)
        rpm, tpm = limits.requests_per_min, limits.tokens_per_min
        if rpm is not None and self._requests >= rpm:
            return Full("ModelAccountRpmRateLimitExceeded", self._buckets[0].leaves_at_s - now_s)
        if tpm is not None and self._tokens + tokens > tpm:
            wait_s = self._tokens_free_in_s(now_s, self._tokens + tokens - tpm)
            return Full("ModelAccountTpmRateLimitExceeded", wait_s)
        bucket = self._bucket(now_s)
        bucket.requests += 1
        bucket.tokens += tokens
        self._requests += 1
        self._tokens += tokens
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        return Lease(bucket, tokens)

    def settle(self, lease: Lease, tokens: int) -> None:
        """End a call that used `tokens`. Once for each lease."""
        self.in_flight -= 1
        if not lease.bucket.has_left:
            lease.bucket.tokens += tokens - lease.tokens
            self._tokens += tokens - lease.tokens

    def used(self, now_s: float) -> tuple[int, int]:
        """Return the requests and tokens of the last minute."""
        self._expire(now_s)
        return self._requests, self._tokens

    def _bucket(self, now_s: float) -> _Bucket:
        leaves_at_s = (int(now_s * _BUCKETS_PER_S) + 1) / _BUCKETS_PER_S + _PERIOD_S
        buckets = self._buckets
        if not buckets or buckets[-1].leaves_at_s < leaves_at_s:
            buckets.append(_Bucket(leaves_at_s))
        return buckets[-1]

    def _expire(self, now_s: float) -> None:
        buckets = self._buckets
        while buckets and buckets[0].leaves_at_s <= now_s:
            gone = buckets.popleft()
            gone.has_left = True
            self._requests -= gone.requests
            self._tokens -= gone.tokens

    def _tokens_free_in_s(self, now_s: float, needed: int) -> float | None:
        """Return when `needed` tokens will have left; None when they never will."""
        for bucket in self._buckets:
            needed -= bucket.tokens
            if needed <= 0:
                return bucket.leaves_at_s - now_s
        return None
