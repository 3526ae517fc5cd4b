"""What does a simulated account do with a request? Its cache, its limits, its token timing.

Shares no code with the gateway's routing: the limiter here is the judge of the one there. Its rule
is the strictest that upstreams have: no 60 s that end anywhere may hold more requests or tokens
(input and output, counted on arrival) than the limit. A block is cached from its request's first
token on, until it was idle for the TTL.
"""

from collections import deque
from math import inf

import msgspec

_WINDOW_S = 60.0


class Timing(msgspec.Struct, frozen=True):
    """How fast an account answers: about a model of 30 B on one accelerator."""

    base_s: float = 0.2
    prefill_tokens_per_s: float = 10_000.0
    decode_tokens_per_s: float = 40.0


class Cache:
    """Prompt blocks: which prefix of a prompt is cached now."""

    def __init__(self, ttl_s: float = inf) -> None:
        self._ttl_s = ttl_s
        self._from_s: dict[int, float] = {}  # block -> usable since
        self._used_s: dict[int, float] = {}

    def match(self, blocks: tuple[int, ...], now_s: float) -> int:
        """Return how many leading blocks are cached, and use them."""
        count, oldest_s = 0, now_s - self._ttl_s
        from_s, used_s = self._from_s, self._used_s
        for block in blocks:
            since_s = from_s.get(block)
            if since_s is None or since_s > now_s or used_s[block] < oldest_s:
                break
            used_s[block] = now_s
            count += 1
        return count

    def held(self) -> dict[int, float]:
        """Return every block, and since when it is usable."""
        return dict(self._from_s)

    def write(self, blocks: tuple[int, ...], first_token_s: float, now_s: float) -> None:
        """Cache a prompt's blocks from its first token on."""
        from_s, used_s, oldest_s = self._from_s, self._used_s, now_s - self._ttl_s
        for block in blocks:
            since_s = from_s.get(block)
            if since_s is None or since_s > first_token_s or used_s[block] < oldest_s:
                from_s[block] = first_token_s
            used_s[block] = max(used_s.get(block, -inf), first_token_s)


class Limits(msgspec.Struct, frozen=True):
    """What an account allows; None: anything."""

    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    in_flight: int | None = None


class SimAccount:
    """One simulated account."""

    def __init__(self, name: str, limits: Limits, timing: Timing, ttl_s: float) -> None:
        self.name = name
        self.limits = limits
        self.timing = timing
        self.cache = Cache(ttl_s)
        self.is_dead = False
        self.in_flight = 0
        self.refused = 0  # 429s
        self.tokens = 0  # served, input and output
        self.tokens_by_minute: dict[int, int] = {}
        self._window: deque[tuple[float, int]] = deque()
        self._window_tokens = 0

    def refuses(self, tokens: int, now_s: float) -> str:
        """Return the limit that a request breaks, after counting it; empty: it is accepted."""
        window, limits = self._window, self.limits
        while window and window[0][0] <= now_s - _WINDOW_S:
            self._window_tokens -= window.popleft()[1]
        code = ""
        if limits.in_flight is not None and self.in_flight >= limits.in_flight:
            code = "InflightBatchsizeExceeded"
        elif limits.requests_per_min is not None and len(window) >= limits.requests_per_min:
            code = "ModelAccountRpmRateLimitExceeded"
        elif (
            limits.tokens_per_min is not None
            and self._window_tokens + tokens > limits.tokens_per_min
        ):
            code = "ModelAccountTpmRateLimitExceeded"
        if code:
            self.refused += 1
            return code
        window.append((now_s, tokens))
        self._window_tokens += tokens
        self.tokens += tokens
        minute = int(now_s // 60)
        self.tokens_by_minute[minute] = self.tokens_by_minute.get(minute, 0) + tokens
        return ""

    def ttft_s(self, uncached_tokens: int) -> float:
        """Return the time to the first token of a prompt."""
        return self.timing.base_s + uncached_tokens / self.timing.prefill_tokens_per_s

    def decode_s(self, output_tokens: int) -> float:
        """Return the time from the first token to the last."""
        return output_tokens / self.timing.decode_tokens_per_s


def cached_tokens(matched: int, block_tokens: int, input_tokens: int) -> int:
    """Return the tokens in so many leading blocks; the last may be partial."""
    return min(matched * block_tokens, input_tokens)
