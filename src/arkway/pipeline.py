"""What is the life of a call? Every step, top to bottom (docs/life_of_a_call.md). Hot path.

    route -> authenticate -> read -> validate -> plan -> attempt ... -> answer

`serve` is a coroutine on a strand, not a Task: it suspends for the body, for the upstream's answer
and for a stream's end; stream bytes pass it by, from the attempt's connection to the caller's
(`_sink`). Before the first byte any failure of an account moves on to the next target; after it
nothing is retried, and a broken stream ends with an error event and without `[DONE]`.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

import msgspec

from arkway.admission.authenticate import authenticate
from arkway.admission.estimate import MIN_TEXT_BYTES, TokenRatio
from arkway.admission.media import caller_deadline_s, check_media_type
from arkway.admission.validate import check_context, validate
from arkway.listener.exchange_io import Exchange
from arkway.listener.routes import Endpoint, Route, match
from arkway.model.call import Call, Caller, Target
from arkway.model.catalogue import Clocks, Dialect, ModelSpec, Snapshot
from arkway.model.errors import (
    Draining,
    GatewayError,
    ModelNotFound,
    NoHealthyAccount,
    Overloaded,
    UpstreamError,
    UpstreamStreamInterrupted,
    UpstreamTimeout,
)
from arkway.model.outcome import HOPS, AttemptFailed, CallerGone, Ending, ErrorClass
from arkway.model.usage import Usage
from arkway.relay.answer import BadAnswer, read_answer
from arkway.relay.merge import reported
from arkway.relay.stream import BranchReader
from arkway.routing.pool import Plan, Pool
from arkway.strand import Strand, gather
from arkway.upstream.accounts_io import Upstream
from arkway.upstream.attempt_io import Attempt
from arkway.upstream.classify import classify
from arkway.upstream.dialects import encode_call
from arkway.wire.openai import DONE, Choice, Envelope, encode, model_object

_is_event_stream = re.compile(rb"text/event-stream *(;|$)", re.IGNORECASE).match
_ABORTED = AttemptFailed(
    Ending.ABORTED, ErrorClass.CALLER, UpstreamError("The call was aborted."), "aborted"
)


class PipelineLimits(msgspec.Struct, frozen=True):
    """Bounds of a call."""

    max_in_flight: int = 4096
    max_choices: int = 16
    max_attempts: int = 3
    max_event_bytes: int = 1024 * 1024


class Plane(Protocol):
    """What the pipeline needs; `runtime.plane` builds it."""

    snapshot: Snapshot
    limits: PipelineLimits
    pool: Pool
    upstream: Upstream
    is_draining: bool
    calls: int  # calls in progress

    def time(self) -> float:
        """Monotonic seconds."""

    def unix_s(self) -> int:
        """Seconds since the epoch."""

    def ratio(self, model: ModelSpec) -> TokenRatio:
        """The learned tokens per byte of a model."""

    def on_attempt_failed(
        self, exchange: Exchange, target: Target, failure: AttemptFailed, ejected_s: float | None
    ) -> None:
        """Tell operators that an attempt failed."""


class _Work(msgspec.Struct, eq=False):
    """One call under way: what its branches share."""

    exchange: Exchange
    plane: Plane
    call: Call
    plan: Plan
    clocks: Clocks
    envelope: Envelope
    wait_s: float | None = None  # how long the caller waits, where it says so
    attempts: int = 0  # the most that any one branch needed
    bodies: dict[tuple[Dialect, str], bytes] = {}
    followed: list[Attempt] = []  # those that the caller's reading speed governs

    def body(self, target: Target) -> bytes:
        """Return the upstream request body, encoded once for all branches and retries."""
        key = (target.account.dialect, target.upstream_model)
        body = self.bodies.get(key)
        if body is None:
            body = self.bodies[key] = encode_call(self.call, *key)
        return body

    def answer_headers(self, target: Target) -> bytes:
        """Return the header lines that say how the call was served."""
        exchange = self.exchange
        lines = (
            b"openai-processing-ms: %d\r\nx-arkway-affinity: %b\r\nx-arkway-attempts: %d\r\n"
            % (
                (self.plane.time() - exchange.received_s) * 1000,
                self.plan.affinity(target.account.id).encode(),
                self.attempts,
            )
        )
        if target.account.dialect is Dialect.LOCAL:
            lines += b"x-arkway-upstream: local\r\n"
        return lines

    def follow(self, attempt: Attempt) -> None:
        """Let the caller's reading speed govern the attempt."""
        self.followed.append(attempt)
        self.exchange.on_pause = self.pause
        self.exchange.on_resume = self.resume
        if self.exchange.is_paused:
            attempt.pause()

    def unfollow(self, attempt: Attempt) -> None:
        """Let go of an attempt that has ended."""
        self.followed.remove(attempt)

    def pause(self) -> None:
        """The caller has stopped reading."""
        for attempt in self.followed:
            attempt.pause()

    def resume(self) -> None:
        """The caller reads again."""
        now_s = self.plane.time()
        for attempt in self.followed:
            attempt.resume(now_s)


class _Branch(msgspec.Struct):
    """What one choice came to, and where it was served."""

    target: Target
    usage: Usage | None
    choice: Choice | None = None  # of a plain answer; a stream's bytes are with the caller


async def serve(exchange: Exchange, plane: Plane) -> None:
    """Answer one request, whatever comes of it."""
    try:
        request = exchange.request
        route = match(request.method, request.path)
        caller = authenticate(request, plane.snapshot)
        if route.endpoint is Endpoint.CHAT_COMPLETIONS:
            await _chat(exchange, plane, caller)
        else:
            _models(exchange, plane, caller, route)
    except GatewayError as error:
        exchange.fail(error)
    except CallerGone:
        pass  # nobody is left to answer; attempts were closed on the way up


async def _chat(exchange: Exchange, plane: Plane, caller: Caller) -> None:
    """One chat completion: `POST /v1/chat/completions`."""
    request, limits, snapshot = exchange.request, plane.limits, plane.snapshot
    check_media_type(request)
    if plane.is_draining:
        raise Draining("This node is stopping; try again.", retry_after_s=1.0)
    if plane.calls >= limits.max_in_flight:
        raise Overloaded("Too many calls are in progress.", retry_after_s=1.0)
    plane.calls += 1
    try:
        if not request.is_complete or request.refusal is not None:
            await exchange.wait_for_body()
        call = validate(request, caller, snapshot, limits.max_choices)
        request.body = b""  # up to the body limit; the call holds what it needs
        if call.text_bytes > call.model.always_fits_bytes:
            check_context(call, plane.ratio(call.model).tokens_per_byte)
        plan = plane.pool.plan(
            call, caller.key.tenant, snapshot.accounts, plane.time(), limits.max_attempts
        )
        if not plan.targets:
            raise NoHealthyAccount("No upstream account serves this model.", retry_after_s=5.0)
        work = _Work(
            exchange,
            plane,
            call,
            plan,
            call.model.clocks,
            Envelope(exchange.request_id, plane.unix_s(), call.requested_model, call.include_usage),
        )
        if request.read_timeout:
            _heed_deadline(work)
        if call.n == 1:
            branches = [await _branch(work, 0, exchange)]
        else:
            branches = await _fan_out(work)
        _answer(work, branches)
    finally:
        plane.calls -= 1


def _answer(work: _Work, branches: list[_Branch]) -> None:
    """Send what is left to send: a whole plain answer, or the end of a stream."""
    call, exchange, envelope = work.call, work.exchange, work.envelope
    usage = branches[0].usage if call.n == 1 else reported([branch.usage for branch in branches])
    if usage is not None and call.text_bytes >= MIN_TEXT_BYTES:
        work.plane.ratio(call.model).learn(call.text_bytes, usage.input_tokens)
    if not call.stream:
        choices = [branch.choice for branch in branches if branch.choice is not None]
        headers = work.answer_headers(branches[0].target)
        exchange.respond(200, envelope.plain(choices, usage), headers)
    elif call.include_usage and usage is not None:
        exchange.end(envelope.usage_event(usage) + DONE)
    else:
        exchange.end(DONE)


async def _fan_out(work: _Work) -> list[_Branch]:
    """Run one branch per wanted choice side by side; the first that fails fails the call."""
    branches: dict[int, _Branch] = {}

    async def run(index: int, branch_strand: Strand) -> None:
        branches[index] = await _branch(work, index, branch_strand)

    await gather(work.exchange, [partial(run, index) for index in range(work.call.n)])
    return [branches[index] for index in range(work.call.n)]


async def _branch(work: _Work, index: int, strand: Strand) -> _Branch:
    """Try the plan's targets in order until one serves choice `index`.

    Errors:  the last failure's error; AttemptFailed never leaves.
    """
    plane, exchange, call, targets = work.plane, work.exchange, work.call, work.plan.targets
    for tries, target in enumerate(targets, start=1):
        if work.wait_s is not None:
            _check_deadline(work)
        work.attempts = max(work.attempts, tries)
        attempt: Attempt | None = None
        failure: AttemptFailed | None = _ABORTED
        plane.pool.begin(target)
        try:
            attempt = plane.upstream.open(
                target, work.body(target), exchange.request_id, work.clocks, is_stream=call.stream
            )
            await attempt.response(strand)
            if attempt.status != 200:
                # A redirect is an error too: a credential goes to its own origin only.
                raise classify(attempt.status, attempt.body(), attempt.retry_after_s)
            if call.stream:
                branch = await _relay(work, attempt, index, target, strand)
            else:
                branch = _plain(attempt, index, target)
            failure = None
        except AttemptFailed as failed:
            failure = failed
        finally:
            if attempt is not None:
                attempt.close()
            ejected_s = plane.pool.end(target, failure, plane.time())
        if failure is None:
            return branch
        plane.on_attempt_failed(exchange, target, failure, ejected_s)
        if failure.ending is Ending.INTERRUPTED:
            raise _interrupted(failure)
        if failure.error_class not in HOPS or tries == len(targets):
            raise failure.error
    raise AssertionError("a plan without targets")


def _plain(attempt: Attempt, index: int, target: Target) -> _Branch:
    """One plain answer, read."""
    try:
        answer = read_answer(attempt.body(), index)
    except BadAnswer as bad:
        raise _unusable(str(bad), bad.error_body) from None
    return _Branch(target, answer.usage, answer.choice)


async def _relay(
    work: _Work, attempt: Attempt, index: int, target: Target, strand: Strand
) -> _Branch:
    """One stream, relayed to its end. Its bytes go from connection to connection (`_sink`)."""
    if not _is_event_stream(attempt.content_type):
        raise _unusable("the answer to a streamed call is not an event stream")
    reader = BranchReader(work.envelope, index, work.plane.limits.max_event_bytes)
    attempt.sink = _sink(work, attempt, reader, target)
    work.follow(attempt)
    try:
        await attempt.ended(strand)
    finally:
        work.unfollow(attempt)
    if attempt.failure is None:
        reader.close()
    if reader.finish_reason is None:
        raise attempt.failure or _broken_stream(reader)
    return _Branch(target, reader.usage)  # the answer is whole, however its connection ended


def _sink(
    work: _Work, attempt: Attempt, reader: BranchReader, target: Target
) -> Callable[[bytes], None]:
    """Return where the attempt's body bytes go: through `reader` to the caller. Hot path."""
    exchange = work.exchange
    feed = reader.feed

    def sink(data: bytes) -> None:
        events = feed(data)
        if events:
            if not exchange.has_started:
                exchange.start_stream(work.answer_headers(target))
            attempt.has_token = True
            exchange.write(events)
        if reader.is_done or reader.failure is not None:
            attempt.finish()

    return sink


def _unusable(reason: str, error_body: bytes = b"") -> AttemptFailed:
    """Return what a 200 without an answer means; an error inside it speaks for itself."""
    if error_body:
        return classify(500, error_body, None)
    error = UpstreamError("The upstream's answer is broken.")
    return AttemptFailed(Ending.AMBIGUOUS, ErrorClass.TRANSIENT, error, reason)


def _broken_stream(reader: BranchReader) -> AttemptFailed:
    """Return what a stream without an end means: retry before the first byte, else interrupted."""
    failure = _unusable(reader.failure or "the stream broke off", reader.error_body)
    if reader.has_started:
        failure.ending = Ending.INTERRUPTED
    return failure


def _interrupted(failure: AttemptFailed) -> GatewayError:
    if failure.error_class is ErrorClass.MODERATION:
        return failure.error
    return UpstreamStreamInterrupted("The upstream broke off in the middle of the answer.")


def _heed_deadline(work: _Work) -> None:
    """Cut the clocks to what the caller says it waits for a byte."""
    work.wait_s = wait_s = caller_deadline_s(work.exchange.request)
    if wait_s is not None:
        left_s = wait_s - (work.plane.time() - work.exchange.received_s)
        work.clocks = _within(work.clocks, left_s, work.call)


def _within(clocks: Clocks, left_s: float, call: Call) -> Clocks:
    """Return `clocks` cut to how long the caller waits for a byte: of a stream, the first."""
    if call.stream:
        if left_s >= clocks.first_token_s:
            return clocks
        return replace(clocks, first_token_s=left_s)
    if left_s >= clocks.plain_answer_s:
        return clocks
    return replace(clocks, plain_answer_s=left_s, total_s=min(clocks.total_s, left_s))


def _check_deadline(work: _Work) -> None:
    """Refuse to dispatch for a caller who has stopped waiting."""
    assert work.wait_s is not None, "checked by the caller"
    if work.plane.time() - work.exchange.received_s >= work.wait_s:
        raise UpstreamTimeout("The caller's own deadline passed before the call could be sent.")


def _models(exchange: Exchange, plane: Plane, caller: Caller, route: Route) -> None:
    """`GET /v1/models` and `GET /v1/models/{id}`."""
    visible = [
        model_object(model, plane.snapshot)
        for name, model in plane.snapshot.models.items()
        if name == model.name and (caller.key.models is None or name in caller.key.models)
    ]
    if route.endpoint is Endpoint.LIST_MODELS:
        exchange.respond(200, encode({"object": "list", "data": visible}))
        return
    for item in visible:
        if item["id"] == route.argument:
            exchange.respond(200, encode(item))
            return
    raise ModelNotFound(
        "The model you asked for does not exist, or you do not have access to it.", param="model"
    )
