"""How full is an account for one model, and what is its limit? Hot path.

Every call reserves a request, its likely tokens and a place in flight in one step, and settles
with what it used. Limits are what the operator says, pulled down to what was in use when the
upstream said 429 (and a margin), and slowly let up again towards the operator's.

Law (tests/unit/routing/test_window.py, test_pool_machine.py): under any calls, no 60 s hold more
than the limit, and nothing in flight is ever negative.
"""

from enum import StrEnum
from math import inf

from arkway.model.catalogue import AccountLimits
from arkway.routing.policy import RoutingPolicy
from arkway.routing.window import WINDOW_S, Bucket, Window

_MEMORY = 0.1  # weight of the newest in means: the last ten or so decide
_LONG_S = 600.0  # half-life of what evens out what a minute cannot
_MIN_LIMIT = 1.0
# So few calls in a minute say nothing of a minute's limit: the account is used by others too, or
# was just before. The upstream's own `Retry-After` is all there is to go by.
_TELLING_CALLS = 10
# A limit is let down once in so long: the 429s of one moment say one thing.
_DOWN_EVERY_S = 10.0
# Where the upstream does not say when to come back: so long at first, twice as long each time.
_FIRST_PAUSE_S = 0.2
_MOST_PAUSE_S = 5.0


class Limited(StrEnum):
    """Which limit an upstream named with its 429."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    IN_FLIGHT = "in_flight"
    UNKNOWN = "unknown"


class Gauge:
    """Use, limits and behaviour of one account and model."""

    __slots__ = (
        "_down_s",
        "_first_s",
        "_pause_s",
        "_policy",
        "blocked_until_s",
        "cached_tokens",
        "configured",
        "count_429",
        "duration_s",
        "elsewhere_requests",
        "elsewhere_tokens",
        "in_flight",
        "input_tokens",
        "learned_s",
        "long_s",
        "long_tokens",
        "most_in_flight",
        "most_requests",
        "most_tokens",
        "queued",
        "queued_tokens",
        "slow_s",
        "slowness",
        "ttft_s",
        "window",
        "yield_samples",
        "yielded",
    )

    def __init__(self, limits: AccountLimits, policy: RoutingPolicy) -> None:
        self._policy = policy
        self.window = Window()
        self.in_flight = 0
        self.queued = 0  # calls that wait for this account
        self.queued_tokens = 0
        self.elsewhere_tokens = 0.0  # likely in use by other nodes, while they cannot be heard
        self.elsewhere_requests = 0.0
        self.long_tokens = 0.0  # decayed over many minutes, as of `long_s`
        self.long_s: float | None = None  # None: nothing was sent there yet
        self.blocked_until_s = -inf  # the upstream said: not before
        self.learned_s = -inf  # when a limit was last pulled down; -inf: none is
        self.count_429 = 0
        self.ttft_s = 0.0  # mean time to first token; 0: none was seen
        self.duration_s = 0.0  # mean length of a call
        self._first_s = inf  # when the account was first used for this model
        self._down_s = -inf  # when a limit was last let down
        self._pause_s = _FIRST_PAUSE_S
        self.slow_s = -inf  # when that was last learned
        self.slowness = 1.0  # time to first token, as a multiple of what its prompt should need
        self.input_tokens = 0.0  # decayed sums: the share of input that was cached
        self.cached_tokens = 0.0
        self.yielded = 1.0  # of what was believed to be cached, so much was
        self.yield_samples = 0
        self.apply(limits)

    def apply(self, limits: AccountLimits) -> None:
        """Take the operator's limits; what was learned about others is forgotten."""
        self.configured = limits
        self.most_requests = self._within(limits.requests_per_min)
        self.most_tokens = self._within(limits.tokens_per_min)
        self.most_in_flight: float = inf if limits.in_flight is None else limits.in_flight
        self.learned_s = -inf

    @property
    def is_rated(self) -> bool:
        """Whether a limit a minute is known, of tokens or of requests."""
        return self.most_tokens < inf or self.most_requests < inf

    def has_room(self, tokens: int, now_s: float) -> bool:
        """Whether one more call of so many tokens may be sent now."""
        window = self.window
        window.forget(now_s)
        if self.in_flight >= self.most_in_flight or now_s < self.blocked_until_s:
            return False
        if window.requests + self.elsewhere_requests >= self.most_requests:
            return False
        return window.tokens + self.elsewhere_tokens + tokens <= self.most_tokens or (
            # A margin, or a limit that was learned, may be wrong about a long prompt: let it show.
            not window.tokens and not self.never_fits(tokens)
        )

    def never_fits(self, tokens: int) -> bool:
        """Whether so many tokens are above the operator's limit of a minute."""
        most = self.configured.tokens_per_min
        return most is not None and tokens > most

    def fullness(self, tokens: int, now_s: float) -> float:
        """Return the largest used part of a limit, with one more call; 0 without limits."""
        window = self.window
        window.forget(now_s)
        full = (window.tokens + self.elsewhere_tokens + tokens) / self.most_tokens
        part = (window.requests + self.elsewhere_requests + 1) / self.most_requests
        if part > full:
            full = part
        part = (self.in_flight + 1) / self.most_in_flight
        return part if part > full else full

    def room_in_s(self, tokens: int, now_s: float) -> float:
        """Return when there likely is room for a call, as seconds from now. Inf: never.

        Windows are known; when a call in flight ends is the mean's guess.
        """
        if self.never_fits(tokens):
            return inf
        window = self.window
        window.forget(now_s)
        wait_s = max(0.0, self.blocked_until_s - now_s)
        requests_over = window.requests + self.elsewhere_requests + 1 - self.most_requests
        tokens_over = window.tokens + self.elsewhere_tokens - self.most_tokens
        tokens_over += min(tokens, self.most_tokens)
        if requests_over > 0 or tokens_over > 0:
            over = (int(max(requests_over, 0) + 0.999), int(max(tokens_over, 0) + 0.999))
            wait_s = max(wait_s, window.room_in_s(*over, now_s))
        if self.in_flight >= self.most_in_flight:
            wait_s = max(wait_s, (self.duration_s or 1.0) / max(self.in_flight, 1))
        return wait_s

    def answered(self) -> None:
        """A call was answered: whatever limit it met has passed."""
        self._pause_s = _FIRST_PAUSE_S

    def reserve(self, tokens: int, now_s: float) -> Bucket:
        """Count one call from now on."""
        if now_s < self._first_s:
            self._first_s = now_s
        if self.learned_s > -inf:
            self._let_up(now_s)
        self.in_flight += 1
        if self.long_s is not None:
            self.long_tokens *= 0.5 ** ((now_s - self.long_s) / _LONG_S)
        self.long_tokens += tokens
        self.long_s = now_s
        return self.window.add(now_s, tokens)

    def long_use(self, now_s: float) -> float:
        """Return the decayed sum of tokens of many minutes."""
        if self.long_s is None:
            return 0.0
        part: float = 0.5 ** ((now_s - self.long_s) / _LONG_S)
        return self.long_tokens * part

    def settle(self, bucket: Bucket, reserved: int, used: int) -> None:
        """End a call: it used so many tokens."""
        self.in_flight -= 1
        assert self.in_flight >= 0, "a call ended twice"
        if used != reserved:
            self.long_tokens += used - reserved
            self.window.settle(bucket, 0, used - reserved)

    def give_back(self, bucket: Bucket, reserved: int) -> None:
        """End a call that never reached the upstream: nothing of it counts."""
        self.in_flight -= 1
        assert self.in_flight >= 0, "a call ended twice"
        self.window.settle(bucket, -1, -reserved)

    def on_limited(
        self, which: Limited, retry_after_s: float | None, now_s: float, *, is_alone: bool
    ) -> None:
        """The upstream said 429: its limit is about what is in use, the ended call left out.

        The account is left alone for what the upstream said, or for a pause that doubles until it
        answers. With other nodes (not `is_alone`), of which less is seen than the upstream sees,
        the limit is let down by a step from where it was, and the pause is a second at least.
        """
        self.count_429 += 1
        if not retry_after_s:
            retry_after_s = self._pause_s if is_alone else max(self._pause_s, 1.0)
            self._pause_s = min(2 * self._pause_s, _MOST_PAUSE_S)
        until_s = now_s + min(retry_after_s, WINDOW_S)
        self.blocked_until_s = max(self.blocked_until_s, until_s)
        window = self.window
        window.forget(now_s)
        is_young = now_s - self._first_s < WINDOW_S  # the upstream's minute holds more than ours
        if which is Limited.IN_FLIGHT:
            self.most_in_flight = self._down(self.most_in_flight, self.in_flight, 1.0, is_alone)
            self.learned_s = now_s
            return
        if is_young or window.requests < _TELLING_CALLS or now_s - self._down_s < _DOWN_EVERY_S:
            return
        self._down_s = now_s
        if which is Limited.REQUESTS:
            seen = window.requests + self.elsewhere_requests
            self.most_requests = self._down(
                self.most_requests, seen, self._policy.limit_decrease, is_alone
            )
        else:  # unknown: tokens, which long prompts exhaust first
            seen = window.tokens + self.elsewhere_tokens
            self.most_tokens = self._down(
                self.most_tokens, seen, self._policy.limit_decrease, is_alone
            )
        self.learned_s = now_s

    @staticmethod
    def _down(most: float, seen: float, decrease: float, is_alone: bool) -> float:
        down = seen * decrease
        if not is_alone and most < inf:
            down = max(down, most * 0.98)
        return min(most, max(_MIN_LIMIT, down))

    def _within(self, limit: int | None) -> float:
        """Return how much of the operator's limit of a minute is used at most. Inf: no limit."""
        return inf if limit is None else max(1.0, limit * self._policy.limit_margin)

    def _let_up(self, now_s: float) -> None:
        """Raise learned limits by a part a minute, where they are what holds calls back."""
        minutes = (now_s - self.learned_s) / 60.0
        if minutes < 0.05:
            return
        self.learned_s = now_s
        factor = 1 + self._policy.limit_increase * minutes
        limits, window = self.configured, self.window
        if window.tokens > 0.8 * self.most_tokens:
            top = self._within(limits.tokens_per_min)
            self.most_tokens = min(self.most_tokens * factor, top)
        if window.requests > 0.8 * self.most_requests:
            top = self._within(limits.requests_per_min)
            self.most_requests = min(self.most_requests * factor, top)
        if self.in_flight > 0.8 * self.most_in_flight:
            top = inf if limits.in_flight is None else limits.in_flight
            self.most_in_flight = min(self.most_in_flight * factor + 0.01, top)

    def learn_answer(
        self, ttft_s: float | None, duration_s: float, expected_s: float, now_s: float
    ) -> None:
        """Take one answer's times into account."""
        self.duration_s += (duration_s - self.duration_s) * (_MEMORY if self.duration_s else 1.0)
        if ttft_s is not None:
            self.ttft_s += (ttft_s - self.ttft_s) * (_MEMORY if self.ttft_s else 1.0)
            slow = min(ttft_s / expected_s, 10.0)
            self.slowness += (slow - self.slowness) * (_MEMORY if self.slow_s > -inf else 1.0)
            self.slow_s = now_s

    def learn_cache(self, believed: float, input_tokens: int, cached_tokens: int) -> None:
        """Compare what was believed to be cached with what was. Shapes: believed: 0 to 1."""
        self.input_tokens = self.input_tokens * 0.99 + input_tokens
        self.cached_tokens = self.cached_tokens * 0.99 + cached_tokens
        if believed > 0.5 and input_tokens:
            got = min(1.0, cached_tokens / input_tokens / believed)
            self.yield_samples += 1
            weight = max(1 / 50, 1 / self.yield_samples)
            self.yielded += (got - self.yielded) * weight
