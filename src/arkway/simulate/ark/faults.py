"""Which fault strikes which call? Kinds, rules and their schedule; pure.

A directive in the prompt comes first, then a model of the name `sim-fault-KIND`, then the rules in
their order. A rule that is told to be random has a generator of its own, so the k-th call that it
looks at is struck or not whatever other rules there are.
"""

import random
from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

MODEL_PREFIX = "sim-fault-"

# Kinds that replace the answer: nothing is generated, no limit is used up.
INSTEAD = (
    "reset_before_headers",  # RST as soon as the request is read
    "close_before_headers",  # FIN in its place
    "reset_after_headers",  # 200 and its headers, then RST
    "hang",  # no byte for `for_s`, then FIN
    "error",  # `status` and `code`
    "redirect",  # `status` (302) to `location`
    "wrong_content_type",  # 200, a page of HTML
    "garbage",  # 200 with bytes that are neither JSON nor events
    "empty",  # 200 without a body
    "huge_header",  # a header line of `size_bytes`
    "bad_head",  # a status line that is none
)
# Kinds that strike an answer on its way; of a stream after `after_tokens`, of a plain one midway.
WITHIN = (
    "slow_headers",  # everything `for_s` later
    "slow_first_token",  # headers at once, the rest `for_s` later
    "stall",  # silence for `for_s`, then on
    "cut",  # RST
    "early_eof",  # ends well-formed, without finish_reason and [DONE]; plain: half the JSON
    "no_done",  # finish_reason, but no [DONE]
    "bad_json",  # one event, or the body, is not JSON
    "bad_chunk_size",  # chunked coding breaks
    "bad_sse",  # lines that are no events
    "huge_line",  # one line of `size_bytes`
    "error_in_stream",  # an error object with `code` after the 200, then the end
    "content_filter",  # finish_reason content_filter
    "no_usage",  # usage is left out though asked for
    "zero_usage",  # usage says 0
    "close_after",  # the answer is whole; then the connection closes unannounced
)
KINDS = ("refuse", *INSTEAD, *WITHIN)
Kind = Literal[
    "refuse", "reset_before_headers", "close_before_headers", "reset_after_headers", "hang",
    "error", "redirect", "wrong_content_type", "garbage", "empty", "huge_header", "bad_head",
    "slow_headers", "slow_first_token", "stall", "cut", "early_eof", "no_done", "bad_json",
    "bad_chunk_size", "bad_sse", "huge_line", "error_in_stream", "content_filter", "no_usage",
    "zero_usage", "close_after",
]  # fmt: skip


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong with one call."""

    kind: Kind
    after_tokens: Annotated[int, Meta(ge=0, le=10**9)] = 3
    for_s: Annotated[float, Meta(ge=0, le=86_400)] = 600.0  # simulated
    status: Annotated[int, Meta(ge=300, le=599)] | None = None
    code: Annotated[str, Meta(max_length=128)] = ""
    retry_after_s: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    location: Annotated[str, Meta(pattern=r"^[!-~]{1,2048}\Z")] = "http://127.0.0.1:9/elsewhere"
    size_bytes: Annotated[int, Meta(ge=1, le=1 << 28)] = 8 << 20

    @property
    def is_instead(self) -> bool:
        """Tell whether there is no answer at all behind it."""
        return self.kind in _INSTEAD


_INSTEAD = frozenset(INSTEAD)


class FaultRule(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault, and whom it strikes when. Times count from the moment the rule is set."""

    accounts: tuple[str, ...] = ()  # names; empty: all
    models: tuple[str, ...] = ()  # as asked for, or dated ids; empty: all
    from_s: Annotated[float, Meta(ge=0)] = 0.0
    to_s: Annotated[float, Meta(ge=0)] | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0
    every: Annotated[int, Meta(ge=0)] = 0  # 3: each third call that it would strike; 0: each
    at_most: Annotated[int, Meta(ge=0)] | None = None  # strikes so often, then never again
    stream: bool | None = None  # only streamed, only plain calls


class _Armed:
    """A rule with its counters."""

    __slots__ = ("_drawn", "_looks", "from_s", "rule", "struck", "to_s")

    def __init__(self, rule: FaultRule, seed: str, now_s: float) -> None:
        self.rule = rule
        self.from_s = now_s + rule.from_s
        self.to_s = None if rule.to_s is None else now_s + rule.to_s
        self.struck = 0
        self._looks = 0
        self._drawn = random.Random(seed)  # noqa: S311 - a seed, to be repeatable

    def is_on(self, now_s: float) -> bool:
        return self.from_s <= now_s and (self.to_s is None or now_s < self.to_s)

    def strikes(self, now_s: float, account: str, models: tuple[str, str], is_stream: bool) -> bool:
        if not self.is_on(now_s) or not self._looks_at(account, models, is_stream):
            return False
        rule = self.rule
        self._looks += 1
        if rule.every and self._looks % rule.every:
            return False
        if rule.probability < 1 and self._drawn.random() >= rule.probability:
            return False
        if rule.at_most is not None and self.struck >= rule.at_most:
            return False
        self.struck += 1
        return True

    def _looks_at(self, account: str, models: tuple[str, str], is_stream: bool) -> bool:
        rule = self.rule
        return (
            (not rule.accounts or account in rule.accounts)
            and (not rule.models or models[0] in rule.models or models[1] in rule.models)
            and (rule.stream is None or rule.stream is is_stream)
        )


class Faults:
    """The rules in force."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._armed: list[_Armed] = []

    def set(self, rules: Iterable[FaultRule], now_s: float) -> None:
        """Put these rules in the place of all others."""
        self._armed = [
            _Armed(rule, f"{self._seed}/{n}/{rule.kind}", now_s) for n, rule in enumerate(rules)
        ]

    @property
    def rules(self) -> list[tuple[FaultRule, int]]:
        """Return each rule with how often it has struck."""
        return [(armed.rule, armed.struck) for armed in self._armed]

    def pick(
        self, now_s: float, account: str, models: tuple[str, str], is_stream: bool
    ) -> Fault | None:
        """Return the fault of a call, or None.

        Shapes:  models: as asked for, dated id.
        """
        for armed in self._armed:
            if armed.rule.kind != "refuse" and armed.strikes(now_s, account, models, is_stream):
                return armed.rule
        return None

    def is_refused(self, now_s: float, account: str) -> bool:
        """Tell whether connections to `account` are refused now."""
        return any(
            armed.rule.kind == "refuse"
            and armed.is_on(now_s)
            and (not armed.rule.accounts or account in armed.rule.accounts)
            for armed in self._armed
        )

    def refusals_change_at_s(self, now_s: float) -> float | None:
        """Return when `is_refused` may next change; None: never."""
        times = [
            at_s
            for armed in self._armed
            if armed.rule.kind == "refuse"
            for at_s in (armed.from_s, armed.to_s)
            if at_s is not None and at_s > now_s
        ]
        return min(times, default=None)
