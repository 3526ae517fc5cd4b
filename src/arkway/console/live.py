"""How is the gateway doing now? Read from its `/status`, or from the last calls. Pure.

An older or a newer gateway may leave fields out or add some: what is missing is shown as missing.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

WINDOW_MS = 60_000
HISTORY = 300  # points of a second: five minutes
_SAMPLE = re.compile(
    r'arkway_errors_total\{(?=[^}]*code="([^"]*)")(?=[^}]*status="([^"]*)")[^}]*\} ([0-9.e+]+)'
)


class Use(msgspec.Struct, frozen=True):
    """How much of one limit is used. None: no such limit is known."""

    kind: str  # requests, tokens, in_flight
    used: float
    limit: float | None = None
    is_learned: bool = False  # the upstream said 429 below what is configured


class AccountNow(msgspec.Struct, frozen=True):
    """One account, for one model where the gateway tells them apart."""

    account: str
    model: str = ""
    state: str = ""
    reason: str = ""
    returns_in_s: float | None = None
    uses: tuple[Use, ...] = ()
    waiting: int = 0
    limited: int = 0
    cached_share: float | None = None
    first_token_s: float | None = None
    attempts: Mapping[str, int] = {}


class ErrorNow(msgspec.Struct, frozen=True):
    """How often attempts at an account failed so, lately."""

    account: str
    error_class: str
    code: str
    hour: int
    day: int


class Live(msgspec.Struct, frozen=True):
    """The gateway, now."""

    source: str = "none"  # status, calls, none
    state: str = "unreachable"
    version: str = ""
    uptime_s: float = 0.0
    calls_per_s: float = 0.0
    errors_per_s: float = 0.0  # given to callers, those of refused requests included
    refused_per_s: float = 0.0  # requests that never became a call
    input_per_s: float = 0.0
    output_per_s: float = 0.0
    first_token_s: tuple[float | None, float | None, float | None] = (None, None, None)
    hit_rate: float | None = None
    in_flight: int | None = None
    streams: int | None = None
    accounts: tuple[AccountNow, ...] = ()
    errors: tuple[ErrorNow, ...] = ()
    attention: tuple[tuple[str, str], ...] = ()


class Point(msgspec.Struct, frozen=True):
    """One moment of the graphs."""

    unix_ms: int
    calls_per_s: float
    input_per_s: float
    output_per_s: float
    first_token_s: tuple[float | None, float | None, float | None]


class Picture(msgspec.Struct):
    """All that live pages show."""

    now: Live = Live()
    points: deque[Point] = msgspec.field(default_factory=lambda: deque(maxlen=HISTORY))
    calls: list[dict[str, Any]] = []
    today: list[dict[str, Any]] = []  # usage by model and account
    errors: Mapping[tuple[str, str], float] = {}  # of the last minute


def of_status(status: Mapping[str, Any]) -> Live:
    """Return what `/status` tells."""
    rates, first = _table(status, "rates"), _table(status, "time_to_first_token_s")
    errors_per_s = _number(rates, "errors_per_s") or 0.0
    return Live(
        source="status",
        state=str(status.get("state", "")),
        version=str(status.get("version", "")),
        uptime_s=_number(status, "uptime_s") or 0.0,
        calls_per_s=_number(rates, "calls_per_s") or 0.0,
        errors_per_s=errors_per_s,
        refused_per_s=max(errors_per_s - (_number(rates, "failed_per_s") or 0.0), 0.0),
        input_per_s=_number(rates, "input_tokens_per_s") or 0.0,
        output_per_s=_number(rates, "output_tokens_per_s") or 0.0,
        first_token_s=(_number(first, "p50"), _number(first, "p95"), _number(first, "p99")),
        hit_rate=_number(status, "cache_hit_ratio"),
        in_flight=_whole(status, "calls_in_flight"),
        streams=_whole(status, "streams"),
        accounts=tuple(_accounts(status)),
        errors=tuple(_errors(status)),
        attention=tuple(
            (str(each.get("what", "")), str(each.get("detail", "")))
            for each in _tables(status, "attention")
        ),
    )


def of_calls(calls: Sequence[Mapping[str, Any]], now_ms: int, state: str) -> Live:
    """Return what the ledger's newest calls tell, where the gateway has no `/status`.

    Shapes:  calls: newest first, as `list_calls` has them.
    """
    recent = [call for call in calls if now_ms - call["at_ms"] <= WINDOW_MS]
    reaches_back = bool(recent) and len(recent) == len(calls)
    window_ms = now_ms - recent[-1]["at_ms"] if reaches_back else WINDOW_MS
    seconds = max(window_ms, 1000) / 1000
    fresh = sum(call["uncached"] + call["created"] for call in recent)
    cached = sum(call["cached"] for call in recent)
    waits = sorted(call["first_token_ms"] / 1000 for call in recent if call["first_token_ms"])
    return Live(
        source="calls",
        state=state,
        calls_per_s=len(recent) / seconds,
        errors_per_s=sum(1 for call in recent if call["code"]) / seconds,
        input_per_s=(fresh + cached) / seconds,
        output_per_s=sum(call["output"] + call["reasoning"] for call in recent) / seconds,
        first_token_s=(_at(waits, 50), _at(waits, 95), _at(waits, 99)),
        hit_rate=cached / (fresh + cached) if fresh + cached else None,
        in_flight=sum(1 for call in recent if call["outcome"] == "running"),
    )


def errors_of_metrics(text: str) -> dict[tuple[str, str], float]:
    """Return how often callers were given which error: (status, code) -> count since the start."""
    found: dict[tuple[str, str], float] = {}
    for code, status, value in _SAMPLE.findall(text):
        found[status, code] = found.get((status, code), 0.0) + float(value)
    return found


def added(
    now: Mapping[tuple[str, str], float], then: Mapping[tuple[str, str], float]
) -> dict[tuple[str, str], float]:
    """Return what was added between two counts; a count that fell began again."""
    return {
        name: value - then.get(name, 0.0) if value >= then.get(name, 0.0) else value
        for name, value in now.items()
        if value != then.get(name, 0.0)
    }


def _accounts(status: Mapping[str, Any]) -> Iterator[AccountNow]:
    """Yield each account for each model it was asked for; once, where that is not told."""
    for found in _tables(status, "accounts"):
        models = _tables(found, "models")
        for model in models:
            yield _account({"account": found.get("account"), "attempts": {}, **model})
        if not models:
            yield _account(found)


def _errors(status: Mapping[str, Any]) -> Iterator[ErrorNow]:
    for found in _tables(status, "accounts"):
        for each in _tables(found, "errors"):
            yield ErrorNow(
                str(found.get("account", "")),
                str(each.get("error_class", "")),
                str(each.get("code", "")),
                _whole(each, "hour") or 0,
                _whole(each, "day") or 0,
            )


def _account(found: Mapping[str, Any]) -> AccountNow:
    uses = [_use(found, kind) for kind in ("requests", "tokens", "in_flight")]
    attempts = _table(found, "attempts")
    return AccountNow(
        account=str(found.get("account", "")),
        model=str(found.get("model", "")),
        state=str(found.get("state", "")),
        reason=str(found.get("reason", "")),
        returns_in_s=_number(found, "returns_in_s"),
        uses=tuple(use for use in uses if use is not None),
        waiting=_whole(found, "waiting") or 0,
        limited=_whole(found, "limited") or 0,
        cached_share=_number(found, "cached_share"),
        first_token_s=_number(found, "ttft_s") or None,
        attempts={str(name): int(value) for name, value in attempts.items() if _is_number(value)},
    )


def _use(found: Mapping[str, Any], kind: str) -> Use | None:
    """Return one limit's use: `{used, limit}`, or a bare number with its `max_` beside it."""
    value = found.get(kind)
    if isinstance(value, Mapping):
        used = _number(value, "used") or 0.0
        return Use(kind, used, _number(value, "limit"), value.get("is_learned") is True)
    used_ = _number(found, kind)
    return None if used_ is None else Use(kind, used_, _number(found, f"max_{kind}"))


def _at(ordered: Sequence[float], percent: int) -> float | None:
    """Return a percentile by nearest rank."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(found: Mapping[str, Any], name: str) -> float | None:
    value = found.get(name)
    return float(value) if _is_number(value) else None  # type: ignore[arg-type]  # just checked


def _whole(found: Mapping[str, Any], name: str) -> int | None:
    value = _number(found, name)
    return None if value is None else int(value)


def _table(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = found.get(name)
    return value if isinstance(value, Mapping) else {}


def _tables(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = found.get(name)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
