"""Which spans is a call? One for the call, one for each attempt below it. Pure.

Ids need no state: a call's trace is its caller's (`traceparent`), or has the request id's digits;
spans are hashes of the request id and the attempt's number. So the header that went upstream and
the span that is exported minutes later agree, and whoever has an `x-request-id` has the trace.
Source:  W3C Trace Context, level 1.
"""

import re
from collections.abc import Callable
from hashlib import blake2b

import msgspec

from arkway.telemetry import names as n
from arkway.telemetry.events import COMPLETED, AttemptFinished, CallFinished, End

SERVER, CLIENT = "server", "client"
_NS_PER_MS = 1_000_000
_SAMPLED = 1
# Level 1 has exactly these fields; a later version may have more behind them.
_read = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?").fullmatch

Value = str | int | bool


class ExportSettings(msgspec.Struct, frozen=True):
    """Where spans and metrics go, and as whose."""

    endpoint: str  # without the path
    service_name: str
    version: str
    instance: str


class Parent(msgspec.Struct, frozen=True):
    """What a caller's `traceparent` says."""

    trace_id: int
    span_id: int
    is_sampled: bool


class Span(msgspec.Struct, frozen=True):
    """One span, as any exporter can take it."""

    name: str
    kind: str
    trace_id: int
    span_id: int
    parent_id: int  # 0: none
    start_ns: int  # since the epoch, as is the next
    end_ns: int
    error: str  # a code; empty: none
    attributes: dict[str, Value]


def parse_traceparent(header: bytes) -> Parent | None:
    """Return what `header` says; None for what is no valid one: a new trace begins then."""
    found = _read(header)
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more):
        return None
    trace_id, span_id = int(trace, 16), int(span, 16)
    if not trace_id or not span_id:
        return None
    return Parent(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def trace_id_of(request_id: str, parent: Parent | None) -> int:
    """Return the trace of a call: its caller's, or that of its own id, a UUID."""
    if parent is not None:
        return parent.trace_id
    digits = request_id.replace("-", "")
    try:
        return int(digits, 16) & ((1 << 128) - 1) or 1
    except ValueError:
        return _hash(request_id, 16)


def span_id_of(request_id: str, attempt: int) -> int:
    """Return the span of an attempt; 0 is the call's own."""
    return _hash(f"{request_id}/{attempt}", 8)


def is_sampled(trace_id: int, parent: Parent | None, ratio: float) -> bool:
    """Whether a call's spans are exported: `ratio` of the traces, by a hash of their id.

    All calls of one trace are in or out together. A caller who says that its trace is not recorded
    is believed; one who says that it is does not raise the share.
    """
    if parent is not None and not parent.is_sampled:
        return False
    share = int.from_bytes(blake2b(trace_id.to_bytes(16, "big"), digest_size=7).digest(), "big")
    return share < ratio * (1 << 56)


def traceparent(trace_id: int, span_id: int, *, sampled: bool) -> bytes:
    """Return the header's value for what happens below `span_id`."""
    return b"00-%032x-%016x-%02x" % (trace_id, span_id, sampled)


def trace_lines(header: bytes, request_id: str, attempt: int, ratio: float) -> bytes:
    """Return the header lines that make an upstream's work a part of the caller's trace.

    With nothing exported (`ratio` 0) a caller's valid header goes on as it came.
    """
    parent = parse_traceparent(header) if header else None
    if not ratio:
        return b"" if parent is None else b"traceparent: %b\r\n" % header
    trace_id = trace_id_of(request_id, parent)
    sampled = is_sampled(trace_id, parent, ratio)
    value = traceparent(trace_id, span_id_of(request_id, attempt), sampled=sampled)
    return b"traceparent: %b\r\n" % value


def spans_of(
    call: CallFinished, ratio: float, offset_ns: int, provider_of: Callable[[str], str]
) -> list[Span]:
    """Return the spans of a call, its own first; none when it is not sampled.

    Units:   offset_ns: what to add to monotonic nanoseconds to have those since the epoch.
    Shapes:  provider_of: an account's name to `gen_ai.provider.name`.
    """
    parent = parse_traceparent(call.traceparent) if call.traceparent else None
    trace_id = trace_id_of(call.request_id, parent)
    if not is_sampled(trace_id, parent, ratio):
        return []
    start_ns = int(call.received_s * 1e9) + offset_ns
    end_ns = max(start_ns, int(call.ended_s * 1e9) + offset_ns)
    own = Span(
        name=f"{n.CHAT} {call.model}",
        kind=SERVER,
        trace_id=trace_id,
        span_id=span_id_of(call.request_id, 0),
        parent_id=0 if parent is None else parent.span_id,
        start_ns=start_ns,
        end_ns=end_ns,
        error="" if call.outcome == COMPLETED else call.code or call.outcome,
        attributes=_attributes(call),
    )
    return [own, *(_attempt(own, each, provider_of) for each in call.attempts)]


def _attributes(call: CallFinished) -> dict[str, Value]:
    found: dict[str, Value] = {
        n.OPERATION: n.CHAT,
        n.PROVIDER: n.GATEWAY,
        n.REQUEST_MODEL: call.model,
        n.REQUEST_ID: call.request_id,
        n.KEY: call.key,
        n.TENANT: call.tenant,
        n.OUTCOME: call.outcome,
    }
    if call.choices != 1:
        found[n.CHOICES] = call.choices
    if call.status:
        found[n.HTTP_STATUS] = call.status
    if call.outcome != COMPLETED:
        found[n.ERROR_TYPE] = call.code or call.outcome
    return found


def _attempt(call: Span, attempt: AttemptFinished, provider_of: Callable[[str], str]) -> Span:
    intent, end = attempt.intent, attempt.end
    # Entries have whole milliseconds: an attempt must not begin before its call.
    start_ns = min(max(intent.at_ms * _NS_PER_MS, call.start_ns), call.end_ns)
    outcome = end.outcome._value_
    error = "" if outcome == COMPLETED else end.code or outcome
    found: dict[str, Value] = {
        n.OPERATION: n.CHAT,
        n.PROVIDER: provider_of(intent.account),
        n.REQUEST_MODEL: intent.upstream_model,
        n.ACCOUNT: intent.account,
        n.ATTEMPT: intent.attempt,
        n.AFFINITY: end.affinity,
        n.OUTCOME: outcome,
    }
    if end.status:
        found[n.HTTP_STATUS] = end.status
    if end.first_token_ms:
        found[n.FIRST_TOKEN_MS] = end.first_token_ms
    if error:
        found[n.ERROR_TYPE] = error
    if attempt.error_class:
        found[n.CLASS] = attempt.error_class
    return Span(
        name=f"{n.CHAT} {intent.upstream_model}",
        kind=CLIENT,
        trace_id=call.trace_id,
        span_id=span_id_of(intent.request_id, intent.attempt),
        parent_id=call.span_id,
        start_ns=start_ns,
        end_ns=min(max(end.at_ms * _NS_PER_MS, start_ns), call.end_ns),
        error=error,
        attributes=found | _usage(end),
    )


def _usage(end: End) -> dict[str, Value]:
    """Return the counts of an attempt if they are the upstream's; guesses are not reported."""
    if end.source._value_ != "upstream":
        return {}
    counts: dict[str, Value] = {
        n.INPUT_TOKENS: end.uncached + end.cached + end.created,
        n.OUTPUT_TOKENS: end.output + end.reasoning,
    }
    parts = {
        n.CACHE_READ_TOKENS: end.cached,
        n.CACHE_WRITE_TOKENS: end.created,
        n.REASONING_TOKENS: end.reasoning,
    }
    return counts | {name: count for name, count in parts.items() if count}


def _hash(text: str, size: int) -> int:
    """Return a number of `size` bytes that is never 0."""
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest(), "big") or 1
