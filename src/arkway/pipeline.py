"""What is the life of a call? Every step, top to bottom (docs/life_of_a_call.md). Hot path.

    route -> authenticate -> read -> validate -> limits -> place -> attempt ... -> answer

`serve` is a coroutine on a strand, not a Task: it suspends for the body, for the upstream's answer
and for a stream's end; stream bytes pass it by, from the attempt's connection to the caller's
(`answering`). Before the first byte any failure of an account moves on to the next one; after it
nothing is retried, and a broken stream ends with an error event and without `[DONE]`.
"""

from dataclasses import replace
from functools import partial

import msgspec

from arkway.admission.authenticate import authenticate, check_not_expired
from arkway.admission.days import asked_days
from arkway.admission.estimate import NOTHING
from arkway.admission.limits import has_no_limits
from arkway.admission.media import caller_deadline_s, check_media_type
from arkway.admission.validate import check_context, find_model, validate
from arkway.answering import Branch, relay, take_plain
from arkway.hedging import hedged
from arkway.ledger.explain import usage_list
from arkway.listener.documents import send_document
from arkway.listener.exchange_io import Exchange
from arkway.listener.routes import OPEN, Endpoint, Route, match
from arkway.model.call import Caller
from arkway.model.catalogue import Clocks, Snapshot
from arkway.model.errors import (
    AccountsExhausted,
    Draining,
    GatewayError,
    NoHealthyAccount,
    Overloaded,
    UpstreamError,
    UpstreamStreamInterrupted,
    UpstreamTimeout,
    forget_frames,
)
from arkway.model.ids import AccountId
from arkway.model.outcome import (
    AttemptFailed,
    CallerGone,
    Ending,
    ErrorClass,
    HedgeLost,
)
from arkway.model.usage import Usage
from arkway.relay.merge import reported
from arkway.routing.ask import Size
from arkway.routing.lease import Lease, Refusal, Wait, Why
from arkway.routing.retries import may_help
from arkway.strand import Strand, gather
from arkway.upstream.attempt_io import Attempt
from arkway.upstream.classify import classify
from arkway.wire.openai import DONE, Envelope, encode, model_object
from arkway.work import Plane, Work

_UNSIZED = Size(0, 0)

# Members bound once: Python 3.11 finds an enum's member by a slow path.
_CHAT_COMPLETIONS, _INTERRUPTED = Endpoint.CHAT_COMPLETIONS, Ending.INTERRUPTED
_POOL_LIMITED = ErrorClass.POOL_LIMITED
_FOREVER = float("inf")
_ABORTED = AttemptFailed(
    Ending.ABORTED, ErrorClass.CALLER, UpstreamError("The call was aborted."), "aborted"
)
_OVERTAKEN = AttemptFailed(
    Ending.HEDGE_LOST, ErrorClass.CALLER, UpstreamError("The other was first."), "hedge lost"
)


class _Known(msgspec.Struct, frozen=True):
    """What a connection's last head came to, as long as the snapshot is the same: keys may change.

    Only of chat completions whose head nobody found fault with.
    """

    head: object
    snapshot: Snapshot
    caller: Caller
    wait_s: float | None


async def serve(exchange: Exchange, plane: Plane) -> None:
    """Answer one request, whatever comes of it."""
    try:
        known = exchange.door.memo
        if (
            type(known) is _Known
            and known.head is exchange.request.head
            and known.snapshot is plane.snapshot
        ):
            if known.caller.key.expires_unix_s is not None:
                check_not_expired(known.caller.key, plane.unix_ms() // 1000)
            await _chat(exchange, plane, known.caller, known.wait_s)
            return
        request = exchange.request
        documents = plane.documents
        route = match(request.method, request.path, has_documentation=documents is not None)
        if documents is not None and route.endpoint in OPEN:
            await send_document(exchange, documents, route.argument)
            return
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
        plane.on_error(exchange, error)
        exchange.fail(error)
        forget_frames(error)
    except CallerGone as gone:  # nobody is left to answer; attempts were closed on the way up
        forget_frames(gone)


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
        envelope = Envelope(
            exchange.request_id, now_unix_s, call.requested_model, call.include_usage
        )
        patient_until_s = _FOREVER if wait_s is None else exchange.received_s + wait_s
        accounts = snapshot.accounts
        size = _UNSIZED
        if plane.pool.needs_size(accounts):
            size = Size(*plane.estimator.size(None if estimate is NOTHING else key.id, call))
        ask = plane.pool.ask(call, key.tenant, size, accounts, patient_until_s)
        held = plane.key_limits.reserve(key, estimate, now_s, now_unix_s)
        work = Work(exchange, plane, caller, call, held, ask, accounts, envelope, wait_s)
        try:
            await _serve_call(work)
            work.is_answered = True
        except GatewayError as error:
            error.header_lines = plane.key_limits.headers(key, plane.time())
            work.error = error
            raise
        finally:
            plane.settle(held, work.billed_tokens, work.billed_nano)
            plane.on_call(work)
    finally:
        plane.calls -= 1


async def _serve_call(work: Work) -> None:
    """Serve the choices of a call that may be made, and answer it."""
    if work.call.n == 1:
        branch = await _branch(work, 0, work.exchange)
        _answer(work, [branch], branch.usage)
    else:
        branches = await _fan_out(work)
        _answer(work, branches, reported([branch.usage for branch in branches]))


def _answer(work: Work, branches: list[Branch], usage: Usage | None) -> None:
    """Send what is left to send: a whole plain answer, or the end of a stream."""
    call, exchange, envelope = work.call, work.exchange, work.envelope
    if not call.stream:
        choices = [branch.choice for branch in branches]
        headers = work.answer_headers(branches[0].lease)
        exchange.respond(200, envelope.plain(choices, usage), headers)
    elif call.include_usage and usage is not None:
        exchange.end(envelope.usage_event(usage) + DONE)
    else:
        exchange.end(DONE)


async def _fan_out(work: Work) -> list[Branch]:
    """Run one branch per wanted choice side by side; the first that fails fails the call."""
    branches: dict[int, Branch] = {}

    async def run(index: int, branch_strand: Strand) -> None:
        branches[index] = await _branch(work, index, branch_strand)

    await gather(work.exchange, [partial(run, index) for index in range(work.call.n)])
    return [branches[index] for index in range(work.call.n)]


async def _branch(work: Work, index: int, strand: Strand) -> Branch:
    """Try one account after the other until one serves choice `index`.

    Errors:  the last failure's error; AttemptFailed never leaves.
    """
    failures: list[AttemptFailed] = []
    tried: list[AccountId] = []
    beside = work.first_lease  # another choice of the same call is there
    replaced = 0  # attempts whose reused connection had closed; one is made anew
    call = work.call
    hedges = work.plane.pool.policy.hedges and call.stream and call.n == 1
    while True:
        lease = _place(work, tried, beside)
        if isinstance(lease, Wait):
            lease = await work.plane.parking.wait(lease, strand)
        if isinstance(lease, Refusal):
            raise _nobody(work, lease, failures)
        if work.first_lease is None:
            work.first_lease = lease
        tries = len(failures) + replaced + 1
        if tries > work.attempts:
            work.attempts = tries
        failure = await (
            hedged(work, lease, strand, failures, tried, _attempt)
            if hedges and tries == 1
            else _attempt(work, lease, index, strand, wants_new=replaced > 0)
        )
        if isinstance(failure, Branch):
            return failure
        if failure.is_stale and not replaced:
            replaced, beside = 1, lease
            continue
        beside = None
        failures.append(failure)
        if not _may_retry(work, failures):
            raise _final_error(work, failures)
        if failure.error_class is not _POOL_LIMITED:  # every account would say the same
            tried.append(lease.slot.target.account.id)


def _place(work: Work, tried: list[AccountId], beside: Lease | None) -> Lease | Wait | Refusal:
    """Ask for a place: at the account of `beside` if it has room, else where the pool says."""
    pool, now_s = work.plane.pool, work.plane.time()
    if beside is not None:
        lease = pool.beside(beside, now_s)
        if lease is not None:
            return lease
    return pool.choose(work.ask, work.accounts, now_s, tried)


def _may_retry(work: Work, failures: list[AttemptFailed]) -> bool:
    """Whether a call may be sent again after its failures: it may help, and the budget has it."""
    plane = work.plane
    return (
        failures[-1].ending is not _INTERRUPTED
        and may_help([it.error_class for it in failures], plane.limits.max_attempts)
        and plane.pool.retries.take(plane.time())
    )


async def _attempt(
    work: Work, lease: Lease, index: int, strand: Strand, *, wants_new: bool
) -> Branch | AttemptFailed:
    """Make one attempt at one account; return the answer, or how it failed."""
    plane, exchange, call, target = work.plane, work.exchange, work.call, lease.slot.target
    attempt: Attempt | None = None
    failure: AttemptFailed | None = _ABORTED
    booking = work.booking(lease, index)
    try:
        clocks = call.model.clocks if work.wait_s is None else _clocks_left(work)
        booking.hold()
        await booking.durable(strand)
        lines = b"x-client-request-id: %b\r\n" % exchange.request_id.encode()
        if plane.propagates:
            lines += plane.trace_lines(exchange, work.booked)
        attempt = plane.upstream.open(
            target, work.body(target), lines, clocks, call.stream, wants_new
        )
        await attempt.response(strand)
        if attempt.status != 200:
            # A redirect is an error too: a credential goes to its own origin only.
            raise classify(
                attempt.status, attempt.body(), attempt.retry_after_s, plane.unix_ms() / 1000
            )
        if call.stream:
            branch = await relay(work, attempt, booking.result, index, lease, strand)
        else:
            branch = take_plain(attempt, booking.result, index, lease)
        failure = None
        work.learn(branch.usage)
    except HedgeLost:
        failure = _OVERTAKEN
        raise
    except AttemptFailed as failed:
        forget_frames(failed)
        failure = failed if work.left_s() > 0 else _out_of_time()
    finally:
        if attempt is not None:
            attempt.close()
        ejected = work.end_lease(lease, attempt, failure, booking.result)
        work.end_booking(booking, lease, attempt, failure)
    if failure is None:
        await booking.durable(strand)  # before the last byte leaves
        return branch
    plane.on_attempt_failed(exchange, target, failure, ejected)
    return failure


def _out_of_time() -> AttemptFailed:
    """Return a failure of its own for each call: what is raised is written to."""
    error = UpstreamTimeout(
        "The caller's own deadline passed before an answer came.", reason="caller_deadline"
    )
    return AttemptFailed(Ending.ABORTED, ErrorClass.CALLER, error, "the caller's deadline")


def _interrupted(failure: AttemptFailed) -> GatewayError:
    if failure.error_class is ErrorClass.MODERATION:
        return failure.error
    return UpstreamStreamInterrupted("The upstream broke off in the middle of the answer.")


def _final_error(work: Work, failures: list[AttemptFailed]) -> GatewayError:
    """Return what the caller learns when nobody served: the last error, or the soonest reset.

    A stream that has begun, by another choice of the same call at least, was broken off.
    """
    if failures[-1].ending is _INTERRUPTED or work.exchange.has_started:
        return _interrupted(failures[-1])
    if all(failure.error_class is ErrorClass.ACCOUNT_LIMITED for failure in failures):
        return min((f.error for f in failures), key=lambda error: error.retry_after_s or 0.0)
    return failures[-1].error


def _nobody(work: Work, refusal: Refusal, failures: list[AttemptFailed]) -> GatewayError:
    """Return what the caller learns when no account can take the call, or take it again."""
    if work.left_s() <= 0:
        return _out_of_time().error
    if failures:
        return _final_error(work, failures)
    after_s = refusal.retry_after_s
    match refusal.why:
        case Why.LIMITED:
            text = "All upstream capacity for this model is in use."
            return AccountsExhausted(text, retry_after_s=after_s)
        case Why.OVERLOADED:
            return Overloaded("The model is overloaded at the upstream.", retry_after_s=after_s)
        case Why.UNSERVED:
            text = "No upstream account serves this model."
            return NoHealthyAccount(text, retry_after_s=after_s)
        case _:
            text = "No upstream account can serve this model now."
            return NoHealthyAccount(text, retry_after_s=after_s)


def _clocks_left(work: Work) -> Clocks:
    """Return the clocks of an attempt, cut to how long the caller still waits for a byte.

    Errors:  UpstreamTimeout: nothing is sent for a caller who has stopped waiting.
    """
    left_s, clocks = work.left_s(), work.call.model.clocks
    if left_s <= 0:
        raise _out_of_time().error
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
