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

import msgspec

from arkway.admission.authenticate import authenticate, check_not_expired
from arkway.admission.days import asked_days
from arkway.admission.estimate import NOTHING
from arkway.admission.limits import has_no_limits
from arkway.admission.media import caller_deadline_s, check_media_type
from arkway.admission.validate import check_context, find_model, validate
from arkway.booking import Result
from arkway.ledger.explain import usage_list
from arkway.listener.exchange_io import Exchange
from arkway.listener.routes import Endpoint, Route, match
from arkway.model.call import Caller, Target
from arkway.model.catalogue import Clocks, Snapshot
from arkway.model.errors import (
    Draining,
    GatewayError,
    NoHealthyAccount,
    Overloaded,
    UpstreamError,
    UpstreamStreamInterrupted,
    UpstreamTimeout,
)
from arkway.model.outcome import HOPS, AttemptFailed, CallerGone, Ending, ErrorClass
from arkway.model.usage import Usage
from arkway.relay.answer import BadAnswer, read_answer, text_size
from arkway.relay.merge import reported
from arkway.relay.stream import BranchReader
from arkway.strand import Strand, gather
from arkway.upstream.attempt_io import Attempt
from arkway.upstream.classify import classify
from arkway.wire.openai import DONE, Choice, Envelope, encode, model_object
from arkway.work import Plane, Work

_is_event_stream = re.compile(rb"text/event-stream *(;|$)", re.IGNORECASE).match
# Members bound once: Python 3.11 finds an enum's member by a slow path.
_CHAT_COMPLETIONS, _INTERRUPTED = Endpoint.CHAT_COMPLETIONS, Ending.INTERRUPTED
_ABORTED = AttemptFailed(
    Ending.ABORTED, ErrorClass.CALLER, UpstreamError("The call was aborted."), "aborted"
)
_OUT_OF_TIME = AttemptFailed(
    Ending.ABORTED,
    ErrorClass.CALLER,
    UpstreamTimeout("The caller's own deadline passed before an answer came."),
    "the caller's deadline",
)


class _Known(msgspec.Struct, frozen=True):
    """What a connection's last head came to, as long as the snapshot is the same: keys may change.

    Only of chat completions whose head nobody found fault with.
    """

    head: object
    snapshot: Snapshot
    caller: Caller
    wait_s: float | None


class _Branch(msgspec.Struct):
    """What one choice came to, and where it was served."""

    target: Target
    usage: Usage | None
    choice: Choice | None = None  # of a plain answer; a stream's bytes are with the caller


async def serve(exchange: Exchange, plane: Plane) -> None:
    """Answer one request, whatever comes of it."""
    try:
        known = exchange.door.memo
        if (
            type(known) is _Known
            and known.head is exchange.request.head
            and known.snapshot is plane.snapshot
        ):
            check_not_expired(known.caller.key, plane.unix_ms() // 1000)
            await _chat(exchange, plane, known.caller, known.wait_s)
            return
        request = exchange.request
        route = match(request.method, request.path)
        caller = authenticate(request, plane.snapshot, plane.unix_ms() // 1000)
        if route.endpoint is _CHAT_COMPLETIONS:
            check_media_type(request)
            wait_s = caller_deadline_s(request)
            if request.head is not None:
                exchange.door.memo = _Known(request.head, plane.snapshot, caller, wait_s)
            await _chat(exchange, plane, caller, wait_s)
        elif route.endpoint is Endpoint.GET_USAGE:
            days = asked_days(request.query, plane.unix_ms())
            lines = plane.usage(caller.key.id, days)
            exchange.respond(200, encode(usage_list(lines, days)))
        else:
            _models(exchange, plane, caller, route)
    except GatewayError as error:
        exchange.fail(error)
    except CallerGone:
        pass  # nobody is left to answer; attempts were closed on the way up


async def _chat(exchange: Exchange, plane: Plane, caller: Caller, wait_s: float | None) -> None:
    """One chat completion: `POST /v1/chat/completions`."""
    request, limits, snapshot = exchange.request, plane.limits, plane.snapshot
    exchange.key_digest = caller.key.sha256
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
            check_context(call, plane.estimator.ratio(call.model).tokens_per_byte)
        key, now_s = caller.key, plane.time()
        now_unix_s = plane.unix_ms() // 1000
        estimate = NOTHING if has_no_limits(key.limits) else plane.estimator.estimate(key.id, call)
        held = plane.key_limits.reserve(key, estimate, now_s, now_unix_s)
        envelope = Envelope(
            exchange.request_id, now_unix_s, call.requested_model, call.include_usage
        )
        work = Work(exchange, plane, caller, call, held, envelope, wait_s)
        try:
            await _serve_call(work)
        except GatewayError as error:
            error.header_lines = plane.key_limits.headers(key, plane.time())
            raise
        finally:
            plane.settle(held, work.billed_tokens, work.billed_nano)
    finally:
        plane.calls -= 1


async def _serve_call(work: Work) -> None:
    """Plan, attempt and answer a call that may be made."""
    plane, call = work.plane, work.call
    work.plan = plane.pool.plan(
        call,
        work.caller.key.tenant,
        plane.snapshot.accounts,
        plane.time(),
        plane.limits.max_attempts,
    )
    if not work.plan.targets:
        raise NoHealthyAccount("No upstream account serves this model.", retry_after_s=5.0)
    if call.n == 1:
        branch = await _branch(work, 0, work.exchange)
        _answer(work, [branch], branch.usage)
    else:
        branches = await _fan_out(work)
        _answer(work, branches, reported([branch.usage for branch in branches]))


def _answer(work: Work, branches: list[_Branch], usage: Usage | None) -> None:
    """Send what is left to send: a whole plain answer, or the end of a stream."""
    call, exchange, envelope = work.call, work.exchange, work.envelope
    if not call.stream:
        choices = [branch.choice for branch in branches]
        headers = work.answer_headers(branches[0].target)
        exchange.respond(200, envelope.plain(choices, usage), headers)
    elif call.include_usage and usage is not None:
        exchange.end(envelope.usage_event(usage) + DONE)
    else:
        exchange.end(DONE)


async def _fan_out(work: Work) -> list[_Branch]:
    """Run one branch per wanted choice side by side; the first that fails fails the call."""
    branches: dict[int, _Branch] = {}

    async def run(index: int, branch_strand: Strand) -> None:
        branches[index] = await _branch(work, index, branch_strand)

    await gather(work.exchange, [partial(run, index) for index in range(work.call.n)])
    return [branches[index] for index in range(work.call.n)]


async def _branch(work: Work, index: int, strand: Strand) -> _Branch:
    """Try the plan's targets in order until one serves choice `index`.

    Errors:  the last failure's error; AttemptFailed never leaves.
    """
    plane, exchange, call, targets = work.plane, work.exchange, work.call, work.plan.targets
    failures: list[AttemptFailed] = []
    for tries, target in enumerate(targets, start=1):
        clocks = call.model.clocks if work.wait_s is None else _clocks_left(work)
        work.attempts = max(work.attempts, tries)
        attempt: Attempt | None = None
        failure: AttemptFailed | None = _ABORTED
        booking = work.booking(target, index)
        booking.hold()
        plane.pool.begin(target)
        try:
            await booking.durable(strand)
            attempt = plane.upstream.open(
                target, work.body(target), exchange.request_id, clocks, call.stream
            )
            await attempt.response(strand)
            if attempt.status != 200:
                # A redirect is an error too: a credential goes to its own origin only.
                raise classify(attempt.status, attempt.body(), attempt.retry_after_s)
            if call.stream:
                branch = await _relay(work, attempt, booking.result, index, target, strand)
            else:
                branch = _plain(attempt, booking.result, index, target)
            failure = None
            work.learn(branch.usage)
        except AttemptFailed as failed:
            failure = failed if work.left_s() > 0 else _OUT_OF_TIME
        finally:
            if attempt is not None:
                attempt.close()
            ejected_s = plane.pool.end(target, failure, plane.time())
            work.end_booking(booking, target, attempt, failure)
        if failure is None:
            await booking.durable(strand)  # before the last byte leaves
            return branch
        plane.on_attempt_failed(exchange, target, failure, ejected_s)
        if failure.ending is _INTERRUPTED:
            raise _interrupted(failure)
        failures.append(failure)
        if failure.error_class not in HOPS or tries == len(targets):
            if exchange.has_started:  # by another choice of the same call
                raise _interrupted(failure)
            raise _final_error(failures)
    raise AssertionError("a plan without targets")


def _plain(attempt: Attempt, result: Result, index: int, target: Target) -> _Branch:
    """One plain answer, read."""
    try:
        choice, usage = read_answer(attempt.body(), index)
    except BadAnswer as bad:
        raise _unusable(str(bad), bad.error_body) from None
    result.usage = usage
    if usage is None:
        result.delivered_bytes = text_size(choice)
    return _Branch(target, usage, choice)


async def _relay(
    work: Work, attempt: Attempt, result: Result, index: int, target: Target, strand: Strand
) -> _Branch:
    """One stream, relayed to its end. Its bytes go from connection to connection (`_sink`)."""
    if not _is_event_stream(attempt.content_type):
        raise _unusable("the answer to a streamed call is not an event stream")
    reader = BranchReader(work.envelope, index, work.plane.limits.max_event_bytes)
    attempt.sink = _sink(work, attempt, reader, result, target)
    work.follow(attempt)
    try:
        await attempt.ended(strand)
    except CallerGone:
        if not work.may_drain():
            raise
        await _drain(work, attempt, reader, strand)
        raise
    finally:
        work.unfollow(attempt)
        result.usage, result.delivered_bytes = reader.usage, reader.delivered_bytes
    if attempt.failure is None:
        reader.close()
    if reader.finish_reason is None:
        raise attempt.failure or _broken_stream(reader)
    return _Branch(target, reader.usage)  # the answer is whole, however its connection ended


async def _drain(work: Work, attempt: Attempt, reader: BranchReader, strand: Strand) -> None:
    """Read on, for nobody, to the usage of a stream whose caller has left."""
    plane, limits = work.plane, work.plane.limits
    most_bytes = reader.delivered_bytes + limits.drain_bytes
    sink = attempt.sink

    def bounded(data: bytes) -> None:
        if sink is not None:
            sink(data)
        if reader.delivered_bytes > most_bytes:
            attempt.give_up()

    plane.drains += 1
    try:
        attempt.sink = bounded
        attempt.expect_end_by(plane.time() + limits.drain_s)
        await attempt.ended(strand)
    finally:
        plane.drains -= 1


def _sink(
    work: Work, attempt: Attempt, reader: BranchReader, result: Result, target: Target
) -> Callable[[bytes], None]:
    """Return where the attempt's body bytes go: through `reader` to the caller. Hot path."""
    exchange = work.exchange
    feed = reader.feed

    def sink(data: bytes) -> None:
        events = feed(data)
        if events and not exchange.is_over:
            if not exchange.has_started:
                exchange.start_stream(work.answer_headers(target))
            if not attempt.has_token:
                attempt.has_token = True
                result.first_token_s = work.plane.time()
            exchange.write(events)
        if reader.failure is not None:
            attempt.give_up()
        elif reader.is_done:
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


def _final_error(failures: list[AttemptFailed]) -> GatewayError:
    """Return what the caller learns when nobody served: the last error, or the soonest reset."""
    if all(failure.error_class is ErrorClass.ACCOUNT_LIMITED for failure in failures):
        return min((f.error for f in failures), key=lambda error: error.retry_after_s or 0.0)
    return failures[-1].error


def _clocks_left(work: Work) -> Clocks:
    """Return the clocks of an attempt, cut to how long the caller still waits for a byte.

    Errors:  UpstreamTimeout: nothing is sent for a caller who has stopped waiting.
    """
    left_s, clocks = work.left_s(), work.call.model.clocks
    if left_s <= 0:
        raise _OUT_OF_TIME.error
    if work.call.stream:  # its deadline is the first byte's
        return replace(clocks, first_token_s=min(clocks.first_token_s, left_s))
    return replace(
        clocks,
        plain_answer_s=min(clocks.plain_answer_s, left_s),
        total_s=min(clocks.total_s, left_s),
    )


def _models(exchange: Exchange, plane: Plane, caller: Caller, route: Route) -> None:
    """`GET /v1/models` and `GET /v1/models/{id}`."""
    snapshot, allowed = plane.snapshot, caller.key.models
    if route.endpoint is Endpoint.GET_MODEL:
        model = find_model(route.argument, caller, snapshot)
        exchange.respond(200, encode(model_object(model, snapshot)))
        return
    visible = [
        model_object(model, snapshot)
        for name, model in snapshot.models.items()
        if name == model.name and (allowed is None or name in allowed)
    ]
    exchange.respond(200, encode({"object": "list", "data": visible}))
