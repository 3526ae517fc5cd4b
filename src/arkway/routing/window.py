"""What was asked of an account in the last minute? Requests and tokens, in one window. Hot path.

Both amounts of a call leave together, 60 s after it. Calls within COARSE_S share a bucket, which
leaves when its newest is a minute old: room comes back at most that late, and never too early.

Law (tests/unit/routing/test_window.py): no 60 s that end anywhere hold more than was let in under
the limits.
"""

from collections import deque

import msgspec

WINDOW_S = 60.0
# Memory: at most 600 buckets a window.
COARSE_S = 0.1


class Bucket(msgspec.Struct, eq=False):
    """Amounts that leave the window together."""

    first_s: float
    newest_s: float
    requests: int
    tokens: int
    is_in: bool = True  # False: has left the window; nothing can be settled in it


class Window:
    """The requests and tokens of the last 60 s, up to and including now."""

    __slots__ = ("_buckets", "requests", "tokens")

    def __init__(self) -> None:
        self._buckets: deque[Bucket] = deque()
        self.requests = 0  # as of the last `forget`
        self.tokens = 0

    def forget(self, now_s: float) -> None:
        """Let go of what is a minute old. Call it before reading the sums."""
        buckets, left_s = self._buckets, now_s - WINDOW_S
        while buckets and buckets[0].newest_s <= left_s:
            bucket = buckets.popleft()
            bucket.is_in = False
            self.requests -= bucket.requests
            self.tokens -= bucket.tokens

    def add(self, now_s: float, tokens: int) -> Bucket:
        """Count one request from now on; return where it is, for `settle`.

        A clock that runs backwards is read as standing still.
        """
        self.requests += 1
        self.tokens += tokens
        buckets = self._buckets
        if buckets:
            last = buckets[-1]
            if now_s < last.newest_s:
                now_s = last.newest_s
            if now_s - last.first_s < COARSE_S:
                last.newest_s = now_s
                last.requests += 1
                last.tokens += tokens
                return last
        bucket = Bucket(now_s, now_s, 1, tokens)
        buckets.append(bucket)
        return bucket

    def settle(self, bucket: Bucket, requests: int, tokens: int) -> None:
        """Add to a bucket, or take away where negative; late comes to nothing."""
        if bucket.is_in:
            bucket.requests += requests
            bucket.tokens += tokens
            self.requests += requests
            self.tokens += tokens

    def room_in_s(self, requests_over: int, tokens_over: int, now_s: float) -> float:
        """Return how long until so many requests and so many tokens have left. Unit: s."""
        for bucket in self._buckets:
            if requests_over <= 0 and tokens_over <= 0:
                break
            requests_over -= bucket.requests
            tokens_over -= bucket.tokens
            at_s = bucket.newest_s
            if requests_over <= 0 and tokens_over <= 0:
                return max(0.0, at_s + WINDOW_S - now_s)
        return 0.0 if requests_over <= 0 and tokens_over <= 0 else WINDOW_S
