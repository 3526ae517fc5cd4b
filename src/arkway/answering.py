"""How does one account's answer come to the caller? Whole, or chunk by chunk. Hot path.

The pipeline's side of the relay: a plain answer is read and handed back, a stream's bytes go from
the attempt's connection to the caller's without passing the pipeline's strand (`_sink`). What is no
answer is raised as `AttemptFailed`, and says whether the caller has seen a part of it.
"""

import re
from collections.abc import Callable

import msgspec

from arkway.booking import Result
from arkway.model.errors import UpstreamError
from arkway.model.outcome import AttemptFailed, CallerGone, Ending, ErrorClass
from arkway.model.usage import Usage
from arkway.relay.answer import BadAnswer, read_answer, text_size
from arkway.relay.stream import BranchReader
from arkway.routing.lease import Lease
from arkway.strand import Strand
from arkway.upstream.attempt_io import Attempt
from arkway.upstream.classify import classify
from arkway.wire.openai import Choice
from arkway.work import Work

_is_event_stream = re.compile(rb"text/event-stream *(;|$)", re.IGNORECASE).match


class Branch(msgspec.Struct):
    """What one choice came to, and where it was served."""

    lease: Lease
    usage: Usage | None
    choice: Choice | None = None  # of a plain answer; a stream's bytes are with the caller


def take_plain(attempt: Attempt, result: Result, index: int, lease: Lease) -> Branch:
    """One plain answer, read."""
    try:
        choice, usage = read_answer(attempt.body(), index)
    except BadAnswer as bad:
        raise unusable(str(bad), bad.error_body) from None
    result.usage = usage
    if usage is None:
        result.delivered_bytes = text_size(choice)
    if lease.ask.chain.keys and choice.message is not None:
        result.answer = choice.message.content
    return Branch(lease, usage, choice)


async def relay(
    work: Work, attempt: Attempt, result: Result, index: int, lease: Lease, strand: Strand
) -> Branch:
    """One stream, relayed to its end. Its bytes go from connection to connection (`_sink`)."""
    if not _is_event_stream(attempt.content_type):
        raise unusable("the answer to a streamed call is not an event stream")
    reader = BranchReader(work.envelope, index, work.plane.limits.max_event_bytes)
    attempt.sink = _sink(work, attempt, reader, result, lease)
    work.follow(attempt)
    try:
        await attempt.ended(strand)
    except CallerGone:
        if work.race is not None:  # nobody waits for the other attempt either
            work.race.claim(lease)
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
    return Branch(lease, reader.usage)  # the answer is whole, however its connection ended


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
    work: Work, attempt: Attempt, reader: BranchReader, result: Result, lease: Lease
) -> Callable[[bytes], None]:
    """Return where the attempt's body bytes go: through `reader` to the caller. Hot path."""
    exchange, race = work.exchange, work.race
    feed = reader.feed

    def sink(data: bytes) -> None:
        events = feed(data)
        if events and not exchange.is_over:
            if not attempt.has_token:
                if race is not None and not race.claim(lease):
                    return  # the other attempt of the call has the caller
                if not exchange.has_started:
                    exchange.start_stream(work.answer_headers(lease))
                attempt.has_token = True
                result.first_token_s = now_s = work.plane.time()
                if lease.ask.root is not None:
                    work.plane.pool.answered(lease, now_s)
            exchange.write(events)
        if reader.failure is not None:
            attempt.give_up()
        elif reader.is_done:
            attempt.finish()

    return sink


def unusable(reason: str, error_body: bytes = b"") -> AttemptFailed:
    """Return what a 200 without an answer means; an error inside it speaks for itself."""
    if error_body:
        return classify(500, error_body, None)
    error = UpstreamError("The upstream's answer is broken.")
    return AttemptFailed(Ending.AMBIGUOUS, ErrorClass.TRANSIENT, error, reason)


def _broken_stream(reader: BranchReader) -> AttemptFailed:
    """Return what a stream without an end means: retry before the first byte, else interrupted."""
    failure = unusable(reader.failure or "the stream broke off", reader.error_body)
    if reader.has_started:
        failure.ending = Ending.INTERRUPTED
    return failure
