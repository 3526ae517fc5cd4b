"""How much was asked for in the last minute? A sliding window that never lets too much in. Pure.

Amounts are kept in buckets, oldest first. A bucket leaves when its *newest* amount is a minute
old, so merging amounts errs on the strict side only: with `granularity_s` 0 nothing is merged and
the window is exact; with more, room comes back at most that much late. Hot path.

Law (tests/unit/admission/test_window.py): if every `add` was preceded by `used(now_s) + amount <=
limit`, no 60 s that end anywhere hold more than `limit`; and after `wait_s` they have room.
"""

from collections import deque

import msgspec

WINDOW_S = 60.0
# Memory of one window: so many buckets of about 100 bytes. A limit of so many requests is exact.
MAX_BUCKETS = 600
COARSE_S = WINDOW_S / MAX_BUCKETS


class Bucket(msgspec.Struct, eq=False):
    """Amounts that leave the window together."""

    first_s: float
    newest_s: float
    amount: int
    is_in: bool = True  # False: has left the window; nothing can be given back to it


class SlidingWindow:
    """The amounts of the last 60 s, up to and including now."""

    __slots__ = ("_buckets", "_sum", "granularity_s")

    def __init__(self, granularity_s: float) -> None:
        self.granularity_s = granularity_s  # may be changed at any time
        self._buckets: deque[Bucket] = deque()
        self._sum = 0

    def __len__(self) -> int:
        return len(self._buckets)

    def used(self, now_s: float) -> int:
        """Return the sum of what is in the window; forgets what has left it."""
        buckets = self._buckets
        left_s = now_s - WINDOW_S
        while buckets and buckets[0].newest_s <= left_s:
            bucket = buckets.popleft()
            bucket.is_in = False
            self._sum -= bucket.amount
        return self._sum

    def add(self, now_s: float, amount: int) -> Bucket:
        """Count `amount` from now on; return where it is, for `give_back`.

        A clock that runs backwards is read as standing still.
        """
        self._sum += amount
        buckets = self._buckets
        if buckets:
            last = buckets[-1]
            if now_s < last.newest_s:
                now_s = last.newest_s
            if now_s - last.first_s < self.granularity_s or len(buckets) >= 2 * MAX_BUCKETS:
                last.newest_s = now_s
                last.amount += amount
                return last
        bucket = Bucket(now_s, now_s, amount)
        buckets.append(bucket)
        return bucket

    def give_back(self, bucket: Bucket, amount: int) -> None:
        """Take `amount` out of the bucket it was counted in; late comes to nothing."""
        if bucket.is_in:
            assert 0 <= amount <= bucket.amount, "more given back than was taken"
            bucket.amount -= amount
            self._sum -= amount

    def wait_s(self, amount: int, limit: int, now_s: float) -> float:
        """Return how long until `amount` fits under `limit`, if nothing else is added. Unit: s.

        0: it fits now. An amount above the limit never fits: the length of the window.
        """
        over = self.used(now_s) + amount - limit
        if over <= 0:
            return 0.0
        for bucket in self._buckets:
            over -= bucket.amount
            if over <= 0:
                return bucket.newest_s + WINDOW_S - now_s
        return WINDOW_S

    def empty_in_s(self, now_s: float) -> float:
        """Return how long until nothing is left in the window. Unit: s."""
        if self.used(now_s):
            for bucket in reversed(self._buckets):
                if bucket.amount:
                    return bucket.newest_s + WINDOW_S - now_s
        return 0.0


def granularity_s(limit: int) -> float:
    """Return how coarse a window for `limit` amounts of 1 has to be: exact where memory allows."""
    return 0.0 if limit <= MAX_BUCKETS else COARSE_S
