"""May this key make this call now? Per-key limits, reserved before dispatch, settled after.

One `reserve` checks requests and tokens per minute, calls in progress, token limit and budget,
and takes all of them or none; `settle` or `release` ends the hold, once. Two kinds of estimate
serve two kinds of limit: rates hold what a call will *likely* use, so that honest bursts pass;
token limit and budget hold the *most* it can come to, so that no interleaving overspends.

State is kept by key id and outlives snapshots. It is bounded: a key at rest is forgotten after
KEEP_S, for the ledger knows its totals and its windows are empty. Pure: clocks are parameters,
one thread. Hot path: a key without limits costs a few comparisons.
"""

from collections import OrderedDict, deque
from enum import StrEnum

import msgspec

from arkway.admission import refusals
from arkway.admission.durations import rate_lines
from arkway.admission.estimate import Estimate
from arkway.admission.totals import DAY_S, Seeds, Tally, Totals, nothing_settled
from arkway.admission.window import COARSE_S, Bucket, SlidingWindow, granularity_s
from arkway.model.catalogue import KeyLimits, KeySpec
from arkway.model.errors import GatewayError, InsufficientQuota
from arkway.model.ids import KeyId

# How long a key at rest is remembered: its windows are empty after 60 s, and the ledger has long
# written what it settled, so whoever asks `Seeds` then misses nothing.
KEEP_S = 120.0
# Every new key looks at so many old ones. More than one, so that forgetting is faster than
# learning and the number of states follows the number of keys in use.
LOOKED_AT = 2
# Alerts that nobody has taken yet; the oldest go first. A reader comes with every call.
MAX_ALERTS = 1000
ALERT_PERCENT = 80

_NO_LIMITS = KeyLimits()


class Quota(StrEnum):
    """A limit that is used up rather than waited for."""

    TOKEN_LIMIT = "token_limit"  # noqa: S105 - no password
    BUDGET = "budget"


class UsageAlert(msgspec.Struct, frozen=True):
    """A key has used 80 % or all of a quota; said once for each crossing."""

    key_id: KeyId
    quota: Quota
    percent: int  # 80; 100: used up, or too little is left for the calls that come
    used: int  # tokens, or nano-units
    limit: int


class _State:
    """What is known of one key; outlives snapshots."""

    __slots__ = ("in_flight", "key_id", "last_s", "limits", "requests", "tokens", "totals")

    def __init__(self, key_id: KeyId) -> None:
        self.key_id = key_id
        self.limits = _NO_LIMITS  # those of the last snapshot seen
        self.in_flight = 0
        self.last_s = 0.0
        self.requests: SlidingWindow | None = None
        self.tokens: SlidingWindow | None = None
        self.totals: Totals | None = None


class Reservation(msgspec.Struct, eq=False):
    """What one call holds, from `reserve` to `settle` or `release`. Callers keep it closed."""

    key_id: KeyId
    state: _State | None = None  # None: the key had no limits
    bucket: Bucket | None = None  # of the tokens per minute
    rate_tokens: int = 0  # held there
    day: Tally | None = None  # whose totals hold the most; None: no totals were kept then
    month: Tally | None = None
    most_tokens: int = 0
    most_nano: int = 0
    is_open: bool = True


class Limits:
    """The limits of every key, and what is used and held of them."""

    def __init__(self, seeds: Seeds = nothing_settled) -> None:
        self._seeds = seeds
        self._states: OrderedDict[KeyId, _State] = OrderedDict()
        self.alerts: deque[UsageAlert] = deque(maxlen=MAX_ALERTS)  # readers empty it

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._states)

    def reserve(self, key: KeySpec, estimate: Estimate, now_s: float, unix_s: int) -> Reservation:
        """Take one call out of all limits of `key`, or out of none.

        Units:   now_s of a monotonic clock, unix_s since the epoch (for days and months).
        Errors:  InsufficientQuota, CallOverTokenRate: final. RateLimitExceeded and
                 TokenRateLimitExceeded: with the time after which the same call fits if nobody
                 else uses the key. ConcurrencyLimitExceeded: worth another try soon. Each
                 carries the lines of `headers`.
        """
        limits = key.limits
        if has_no_limits(limits):
            return Reservation(key.id)
        state = self._states.get(key.id)
        if state is None:
            state = self._open(key.id, now_s)
        else:
            self._states.move_to_end(key.id)  # the least recently used come first
        state.last_s = now_s
        if state.limits is not limits:
            self._adopt(state, limits, unix_s)
        try:
            if state.totals is not None:
                self._check_quotas(state, state.totals, estimate, unix_s)
            _check_rates(state, estimate, now_s)
        except GatewayError as refusal:
            refusal.header_lines = self.headers(key, now_s)
            raise
        return _take(state, estimate, now_s)

    def settle(
        self, reservation: Reservation, used_tokens: int, cost_nano: int, now_s: float
    ) -> None:
        """Replace what a call held by what it used and cost: input and output, all attempts.

        The second end of one reservation does nothing. Use beyond the hold counts in full: in
        the totals at once, in the tokens per minute from now on.
        """
        if not reservation.is_open:
            return
        reservation.is_open = False
        state = reservation.state
        if state is None:
            state = self._states.get(reservation.key_id)
            if state is None:
                return  # the key has no limits still
        else:
            state.in_flight -= 1
            state.last_s = now_s
        if reservation.bucket is not None:
            _settle_rate(state, reservation, used_tokens, now_s)
        if state.totals is not None:
            _settle_totals(state.totals, reservation, used_tokens, cost_nano)
            self._watch(state, state.totals)

    def release(self, reservation: Reservation) -> None:
        """Give back what a call held that was not served; it stays counted as a request."""
        if reservation.is_open:
            last_s = 0.0 if reservation.state is None else reservation.state.last_s
            self.settle(reservation, 0, 0, last_s)

    def headers(self, key: KeySpec, now_s: float) -> bytes:
        """Return the `x-ratelimit-*` lines of a key; empty where it has no such limits.

        `reset` is the time until nothing counts against the limit any more.
        """
        limits = key.limits
        requests, tokens = limits.requests_per_min, limits.tokens_per_min
        if requests is None and tokens is None:
            return b""
        state = self._states.get(key.id)
        lines = b""
        if requests is not None:
            lines = _lines(b"requests", requests, state.requests if state else None, now_s)
        if tokens is not None:
            lines += _lines(b"tokens", tokens, state.tokens if state else None, now_s)
        return lines

    def _open(self, key_id: KeyId, now_s: float) -> _State:
        """Begin to remember a key, and forget some that are at rest."""
        assert key_id, "a key with limits and without an id"
        states = self._states
        for _ in range(min(LOOKED_AT, len(states))):
            oldest = next(iter(states.values()))
            rest_s = now_s - oldest.last_s
            if rest_s < KEEP_S:
                break
            if oldest.in_flight == 0 and _is_forgettable(oldest, rest_s):
                del states[oldest.key_id]
            else:
                states.move_to_end(oldest.key_id)
        state = states[key_id] = _State(key_id)
        return state

    def _adopt(self, state: _State, limits: KeyLimits, unix_s: int) -> None:
        """Let other limits hold from now on; what was used and is held stays."""
        old, state.limits = state.limits, limits
        if limits.requests_per_min is not None:
            exact_or_not = granularity_s(limits.requests_per_min)
            if state.requests is None:
                state.requests = SlidingWindow(exact_or_not)
            state.requests.granularity_s = exact_or_not
        if limits.tokens_per_min is not None and state.tokens is None:
            state.tokens = SlidingWindow(COARSE_S)
        if limits.total_tokens is None and limits.budget_nano is None:
            return
        if state.totals is None:
            # What the ledger has was reported when it came about, by whoever ran then.
            state.totals = Totals(state.key_id, self._seeds, unix_s)
            for _, limit, tally in _quotas(limits, state.totals):
                tally.alerted = _reached(tally, limit)
        elif (old.total_tokens, old.budget_nano) != (limits.total_tokens, limits.budget_nano):
            for _, limit, tally in _quotas(limits, state.totals):
                tally.alerted = min(tally.alerted, _reached(tally, limit))

    def _check_quotas(self, state: _State, totals: Totals, estimate: Estimate, unix_s: int) -> None:
        """Raise if the most that this call can come to has no room in a quota."""
        if unix_s // DAY_S != totals.day.index:
            totals.turn(unix_s)
        limits = state.limits
        refusal: GatewayError | None = None
        limit = limits.total_tokens
        if limit is not None:
            tally = totals.tokens
            if tally.spent + tally.held + estimate.most_tokens > limit:
                refusal = refusals.no_tokens_left(limit, tally, estimate.most_tokens)
                self._on_refusal(state, Quota.TOKEN_LIMIT, tally, refusal)
        limit = limits.budget_nano
        if limit is not None and type(refusal) is not InsufficientQuota:
            tally = totals.of_budget(limits.budget_period)
            if tally.spent + tally.held + estimate.most_nano > limit:
                refusal = refusals.no_money_left(limits, tally, estimate.most_nano, unix_s)
                self._on_refusal(state, Quota.BUDGET, tally, refusal)
        if refusal is not None:
            raise refusal

    def _on_refusal(self, state: _State, quota: Quota, tally: Tally, refusal: GatewayError) -> None:
        """Report a quota as used up when it refuses for good and little of it is left.

        What is held is the most a call can use, so a quota rarely ends at 100 % exactly.
        """
        if type(refusal) is InsufficientQuota and tally.alerted == ALERT_PERCENT:
            limits = state.limits
            limit = limits.budget_nano if quota is Quota.BUDGET else limits.total_tokens
            self._alert(state.key_id, quota, 100, tally, limit or 0)

    def _watch(self, state: _State, totals: Totals) -> None:
        """Report each quota whose next mark has been reached."""
        for quota, limit, tally in _quotas(state.limits, totals):
            reached = _reached(tally, limit)
            if reached > tally.alerted:
                self._alert(state.key_id, quota, reached, tally, limit)

    def _alert(self, key_id: KeyId, quota: Quota, percent: int, tally: Tally, limit: int) -> None:
        tally.alerted = percent
        self.alerts.append(UsageAlert(key_id, quota, percent, tally.spent, limit))


def _is_forgettable(state: _State, rest_s: float) -> bool:
    """Whether a key at rest for `rest_s` carries nothing that the ledger does not know.

    It does not know that a quota was reported as used up before it was.
    """
    if state.totals is None or rest_s >= DAY_S:
        return True
    quotas = _quotas(state.limits, state.totals)
    return all(tally.alerted <= _reached(tally, limit) for _, limit, tally in quotas)


def has_no_limits(limits: KeyLimits) -> bool:
    """Whether nothing has to be estimated, counted or held for a key."""
    return (
        limits.requests_per_min is None
        and limits.tokens_per_min is None
        and limits.concurrency is None
        and limits.total_tokens is None
        and limits.budget_nano is None
    )


def _check_rates(state: _State, estimate: Estimate, now_s: float) -> None:
    """Raise if the call does not fit now: of several reasons the one that lasts longest."""
    limits = state.limits
    wait_s, refusal = 0.0, None
    limit = limits.tokens_per_min
    if limit is not None and state.tokens is not None:
        if estimate.least_tokens > limit:
            raise refusals.never_fits(limit, estimate.least_tokens)
        # Only a guess of the answer is over the limit: it is admitted alone, not never.
        wanted = min(estimate.likely_tokens, limit)
        used = state.tokens.used(now_s)
        if used + wanted > limit:
            wait_s = state.tokens.wait_s(wanted, limit, now_s)
            refusal = refusals.over_tokens(limit, used, wanted, wait_s)
    limit = limits.requests_per_min
    if (
        limit is not None
        and state.requests is not None
        and state.requests.used(now_s) >= limit
        and (requests_wait_s := state.requests.wait_s(1, limit, now_s)) > wait_s
    ):
        wait_s = requests_wait_s
        refusal = refusals.over_requests(limit, wait_s)
    limit = limits.concurrency
    if limit is not None and state.in_flight >= limit and wait_s < refusals.BUSY_RETRY_AFTER_S:
        refusal = refusals.too_many_at_once(limit)
    if refusal is not None:
        raise refusal


def _take(state: _State, estimate: Estimate, now_s: float) -> Reservation:
    """Count a call that every limit has room for."""
    limits = state.limits
    state.in_flight += 1
    reservation = Reservation(state.key_id, state)
    if limits.requests_per_min is not None and state.requests is not None:
        state.requests.add(now_s, 1)
    if limits.tokens_per_min is not None and state.tokens is not None:
        tokens = min(estimate.likely_tokens, limits.tokens_per_min)
        reservation.bucket = state.tokens.add(now_s, tokens)
        reservation.rate_tokens = tokens
    totals = state.totals
    if totals is not None:
        most_tokens, most_nano = estimate.most_tokens, estimate.most_nano
        reservation.most_tokens, reservation.most_nano = most_tokens, most_nano
        reservation.day, reservation.month = day, month = totals.day, totals.month
        totals.tokens.held += most_tokens
        totals.money.held += most_nano
        day.held += most_nano
        month.held += most_nano
    return reservation


def _settle_rate(state: _State, reservation: Reservation, used_tokens: int, now_s: float) -> None:
    """Replace the hold in the tokens per minute. What was used beyond it is new use."""
    window, bucket = state.tokens, reservation.bucket
    assert window is not None, "a hold without its window"
    assert bucket is not None, "tokens were held and not counted"
    over = used_tokens - reservation.rate_tokens
    if over > 0:
        window.add(now_s, over)
    elif over < 0:
        window.give_back(bucket, -over)


def _settle_totals(
    totals: Totals, reservation: Reservation, used_tokens: int, cost_nano: int
) -> None:
    day, month = reservation.day, reservation.month
    if day is None or month is None:  # the limit is younger than the call: nothing was held
        day, month = totals.day, totals.month
    most_tokens, most_nano = reservation.most_tokens, reservation.most_nano
    for tally, hold, spent in (
        (totals.tokens, most_tokens, used_tokens),
        (totals.money, most_nano, cost_nano),
        (day, most_nano, cost_nano),
        (month, most_nano, cost_nano),
    ):
        tally.held -= hold
        tally.spent += spent
        assert tally.held >= 0, "a call ended twice"


def _quotas(limits: KeyLimits, totals: Totals) -> list[tuple[Quota, int, Tally]]:
    """Return the quotas that a key has now, each with its limit and its tally."""
    quotas = []
    if limits.total_tokens is not None:
        quotas.append((Quota.TOKEN_LIMIT, limits.total_tokens, totals.tokens))
    if limits.budget_nano is not None:
        tally = totals.of_budget(limits.budget_period)
        quotas.append((Quota.BUDGET, limits.budget_nano, tally))
    return quotas


def _reached(tally: Tally, limit: int) -> int:
    """Return the highest mark that is reached: 100, 80 or 0."""
    if tally.spent >= limit:
        return 100
    return ALERT_PERCENT if tally.spent * 100 >= limit * ALERT_PERCENT else 0


def _lines(what: bytes, limit: int, window: SlidingWindow | None, now_s: float) -> bytes:
    if window is None:
        return rate_lines(what, limit, 0, 0.0)
    return rate_lines(what, limit, window.used(now_s), window.empty_in_s(now_s))
