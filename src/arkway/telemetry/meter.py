"""How many, how long, how much? Counts of everything that happens. Hot path.

The ordinary call (answered whole by its first attempt) goes at once into a lane of plain integers,
found by one look-up: nothing is made for it that outlives it. Whatever else happens is rare and is
counted set by set, from the whole event. Where somebody listens, every call is an event; events
are handed on in batches. Pure: the clock is a parameter, one thread. Figures: ADR 0022.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence

from arkway.telemetry import families as f
from arkway.telemetry.events import (
    CALLER_LEFT,
    COMPLETED,
    AttemptFinished,
    CallFinished,
    End,
    Intent,
    Subscriber,
)

# Events of so many calls are handed on together, and what there is on every tick.
BATCH = 64
# Lanes of ordinary calls: models by accounts by a few words. Beyond it they are counted set by set.
MAX_LANES = 2048
# Calls of which the time to the first token and the whole time are kept, for percentiles.
MAX_RECENT = 1024

TOKEN_CLASSES = ("input", "cached_input", "cache_creation", "output", "reasoning")
LEFT_EARLY, LEFT_MIDWAY = "before_first_byte", "in_stream"

_find, _DURATIONS, _FIRST_TOKENS = bisect_left, f.DURATION_S, f.FIRST_TOKEN_S  # bound once

Labels = tuple[str, ...]
Sample = tuple[Labels, float]


class Sets:
    """Counts by sets of labels; beyond `most` sets all labels are `other`."""

    __slots__ = ("counts", "most")

    def __init__(self, most: int = f.MAX_SETS) -> None:
        self.counts: dict[Labels, int] = {}
        self.most = most

    def add(self, labels: Labels, amount: int = 1) -> None:
        """Count `amount` under `labels`."""
        counts = self.counts
        if labels not in counts and len(counts) >= self.most:
            labels = (f.OTHER,) * len(labels)
        counts[labels] = counts.get(labels, 0) + amount


class Spread:
    """A histogram: how many values fell between which bounds, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value. A bound belongs to what is below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def merge(self, counts: Sequence[int], total: float) -> None:
        """Add what another one of the same bounds has counted."""
        self.counts = [a + b for a, b in zip(self.counts, counts, strict=True)]
        self.total += total


class Names:
    """Names of the configuration as labels: the first `most` of them; the rest is `other`."""

    __slots__ = ("_known", "_most")

    def __init__(self, most: int) -> None:
        self._known: dict[str, str] = {}
        self._most = most

    def label(self, name: str) -> str:
        """Return the label of `name`."""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= self._most:
                return f.OTHER
            known = self._known[name] = name
        return known


class _Lane:
    """Ordinary calls of one model at one account: plain sums."""

    __slots__ = (
        "cached",
        "calls",
        "cost_nano",
        "created",
        "durations",
        "first_s",
        "first_tokens",
        "output",
        "reasoning",
        "took_s",
        "uncached",
    )

    def __init__(self) -> None:
        self.calls = self.cost_nano = 0
        self.uncached = self.cached = self.created = self.output = self.reasoning = 0
        self.durations = [0] * (len(f.DURATION_S) + 1)
        self.first_tokens = [0] * (len(f.FIRST_TOKEN_S) + 1)
        self.took_s = self.first_s = 0.0


class Meter:
    """Everything that is counted. Call from one thread."""

    def __init__(self, subscribers: Sequence[Subscriber] = ()) -> None:
        self.subscribers = tuple(subscribers)  # whoever sets it wants events of every call
        self._waiting: list[CallFinished] = []
        self._lanes: dict[tuple[str, str, str, str, str], _Lane] = {}
        self._stream_lanes: dict[tuple[str, str, str, str, str], _Lane] = {}
        self._models, self._accounts = Names(f.MAX_MODELS), Names(f.MAX_ACCOUNTS)
        self._durations: dict[Labels, Spread] = {}
        self._first_tokens: dict[Labels, Spread] = {}
        self.sets = {
            family.name: Sets()
            for family in f.FAMILIES
            if family.kind == f.COUNTER and family.labels
        }
        self.lag = Spread(f.LAG_S)
        self.plain = dict.fromkeys((f.STALLED.name, f.REVOKED.name), 0)
        self.recent: deque[tuple[float, float, float]] = deque(maxlen=MAX_RECENT)

    # Events.

    def on_ordinary(
        self, intent: Intent, end: End, is_stream: bool, received_s: float, ended_s: float
    ) -> bool:
        """Count a call that its one attempt answered whole; False: it has to be an event.

        Units:   received_s, ended_s of one monotonic clock.
        """
        lanes = self._stream_lanes if is_stream else self._lanes
        key = (intent.model, intent.account, end.affinity, end.source._value_, intent.currency)
        lane = lanes.get(key)
        if lane is None:
            if len(lanes) >= MAX_LANES:
                return False
            lane = lanes[key] = _Lane()
        took_s = ended_s - received_s
        lane.calls += 1
        lane.uncached += end.uncached
        lane.output += end.output
        lane.cost_nano += end.cost_nano
        if end.cached:
            lane.cached += end.cached
        if end.created:
            lane.created += end.created
        if end.reasoning:
            lane.reasoning += end.reasoning
        lane.took_s += took_s
        lane.durations[_find(_DURATIONS, took_s)] += 1
        first_s = 0.0
        if is_stream and end.first_token_ms:
            first_s = end.first_token_ms / 1000
            lane.first_s += first_s
            lane.first_tokens[_find(_FIRST_TOKENS, first_s)] += 1
        self.recent.append((ended_s, took_s, first_s))
        return True

    def on_call(self, call: CallFinished) -> None:
        """Take a call that is over, as an event, and count it.

        One that `on_ordinary` has counted is not given here but to `tell`.
        """
        self._count(call)
        if self.subscribers:
            self.tell(call)

    def tell(self, call: CallFinished) -> None:
        """Hand on the event of a call; soon, with others."""
        self._waiting.append(call)
        if len(self._waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Hand on what waits. Called on every tick."""
        calls, self._waiting = self._waiting, []
        if calls:
            for subscriber in self.subscribers:
                subscriber.take(calls)

    def on_error(self, status: int, code: str, reason: str) -> None:
        """Count an error that a caller was given."""
        self.add(f.ERRORS, (str(status), code, reason))

    def on_ejected(self, account: str) -> None:
        """Count an account that lost its place."""
        self.add(f.EJECTIONS, (self.account(account),))

    def on_trial(self, attempt: AttemptFinished) -> None:
        """Count an operator's test of an account: an attempt like others, and nobody's call."""
        self._count_attempt(self._models.label(attempt.intent.model), attempt)

    def add(self, family: f.Family, labels: Labels, amount: int = 1) -> None:
        """Count under `labels` of a counter that has some."""
        self.sets[family.name].add(labels, amount)

    def count(self, family: f.Family, amount: int = 1) -> None:
        """Count for a counter without labels."""
        self.plain[family.name] += amount

    def account(self, name: str) -> str:
        """Return the label of an account."""
        return self._accounts.label(name)

    def _count(self, call: CallFinished) -> None:
        """Count a call that is not of the ordinary kind."""
        model = self._models.label(call.model)
        took_s, first_s = call.ended_s - call.received_s, 0.0
        self.add(f.CALLS, (model, call.outcome, _status(call.status), call.code))
        for attempt in call.attempts:
            self._count_attempt(model, attempt)
            first_ms = attempt.end.first_token_ms
            if first_ms and (not first_s or first_ms / 1000 < first_s):
                first_s = first_ms / 1000
        if call.outcome == CALLER_LEFT:
            self.add(f.CALLERS_LEFT, (LEFT_MIDWAY if first_s else LEFT_EARLY,))
        if call.outcome != COMPLETED:
            return
        self.add(f.AFFINITY, (call.attempts[-1].end.affinity if call.attempts else "none",))
        _spread(self._durations, (model, _yes(call.is_stream)), f.DURATION_S).add(took_s)
        if call.is_stream and first_s:
            _spread(self._first_tokens, (model,), f.FIRST_TOKEN_S).add(first_s)
        self.recent.append((call.ended_s, took_s, first_s))

    def _count_attempt(self, model: str, attempt: AttemptFinished) -> None:
        intent, end = attempt.intent, attempt.end
        account = self._accounts.label(intent.account)
        self.add(f.ATTEMPTS, (account, end.outcome._value_, attempt.error_class))
        self.add(f.BOOKED, (end.kind._value_,))
        self.add(f.USAGE_SOURCE, (end.source._value_,))
        amounts = (end.uncached, end.cached, end.created, end.output, end.reasoning)
        for kind, amount in zip(TOKEN_CLASSES, amounts, strict=True):
            if amount:
                self.add(f.TOKENS, (model, kind), amount)
        if end.cost_nano:
            self.add(f.COST, (model, intent.currency), end.cost_nano)

    # Reading.

    def counters(self) -> dict[str, dict[Labels, int]]:
        """Return every counter's sets by its name, lanes and all. Money is in nano-units."""
        sets = {name: Sets(each.most) for name, each in self.sets.items()}
        for name, each in self.sets.items():
            sets[name].counts = each.counts.copy()
        lanes = (*self._lanes.items(), *self._stream_lanes.items())
        for (model, account, affinity, source, currency), lane in lanes:
            model, account = self._models.label(model), self._accounts.label(account)
            sets[f.CALLS.name].add((model, COMPLETED, "200", ""), lane.calls)
            sets[f.ATTEMPTS.name].add((account, COMPLETED, ""), lane.calls)
            sets[f.BOOKED.name].add(("settle",), lane.calls)
            sets[f.USAGE_SOURCE.name].add((source,), lane.calls)
            sets[f.AFFINITY.name].add((affinity,), lane.calls)
            amounts = (lane.uncached, lane.cached, lane.created, lane.output, lane.reasoning)
            for kind, amount in zip(TOKEN_CLASSES, amounts, strict=True):
                sets[f.TOKENS.name].add((model, kind), amount)
            if currency:
                sets[f.COST.name].add((model, currency), lane.cost_nano)
        counts = {name: each.counts for name, each in sets.items()}
        return counts | {name: {(): amount} for name, amount in self.plain.items()}

    def spreads(self) -> Iterator[tuple[str, Labels, Spread]]:
        """Yield every histogram: its name, its labels, what it counted."""
        durations, first_tokens = _copies(self._durations), _copies(self._first_tokens)
        for is_stream, lanes in ((False, self._lanes), (True, self._stream_lanes)):
            for (model, *_), lane in lanes.items():
                model = self._models.label(model)
                whole = _spread(durations, (model, _yes(is_stream)), f.DURATION_S)
                whole.merge(lane.durations, lane.took_s)
                if is_stream:
                    first = _spread(first_tokens, (model,), f.FIRST_TOKEN_S)
                    first.merge(lane.first_tokens, lane.first_s)
        yield from ((f.CALL_SECONDS.name, labels, each) for labels, each in durations.items())
        yield from (
            (f.FIRST_TOKEN_SECONDS.name, labels, each) for labels, each in first_tokens.items()
        )
        lag = Spread(f.LAG_S)
        lag.merge(self.lag.counts, self.lag.total)
        yield f.LAG.name, (), lag


def _spread(spreads: dict[Labels, Spread], labels: Labels, bounds: Sequence[float]) -> Spread:
    found = spreads.get(labels)
    if found is None:  # bounded by MAX_MODELS, which the labels come through
        found = spreads[labels] = Spread(bounds)
    return found


def _copies(spreads: dict[Labels, Spread]) -> dict[Labels, Spread]:
    copies = {labels: Spread(each.bounds) for labels, each in spreads.items()}
    for labels, copy in copies.items():
        copy.merge(spreads[labels].counts, spreads[labels].total)
    return copies


def _yes(is_so: bool) -> str:
    return "true" if is_so else "false"


def _status(status: int) -> str:
    """Return a status as a label; nobody saw one where the caller had left."""
    return str(status) if status else "none"
