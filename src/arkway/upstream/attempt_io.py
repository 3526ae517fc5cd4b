"""What becomes of one try at one account? Its clocks, its answer, its end. Hot path.

An attempt is written by its connection (`on_*`) and read by one strand. A plain answer wakes the
strand once, when it is whole. A stream wakes it at the head; the strand then sets `sink`, and body
bytes go there in the connection's own call, without the strand, until the sink calls `finish` or
something fails.

    open -> connecting -> sent -> head -> body ... -> complete        (any point -> failure)
"""

import types
from collections.abc import Callable, Generator
from typing import Protocol

import msgspec

from arkway.model.catalogue import Clocks
from arkway.model.errors import GatewayError, UpstreamError, UpstreamTimeout
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.strand import Strand

_FOREVER = float("inf")


class Carrier(Protocol):
    """The connection that carries an attempt."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Read on."""

    def detach(self) -> None:
        """Forget the attempt; keep the connection if its response soon ends."""

    def drop(self) -> None:
        """Forget the attempt and close the connection at once."""


class Keeper(Protocol):
    """The account's connections, as an attempt sees them."""

    def closed(self, attempt: "Attempt") -> None:
        """The attempt no longer uses its account."""

    def now_s(self) -> float:
        """Monotonic seconds."""


class Attempt(msgspec.Struct, eq=False):
    """One request to one account, from open to end.

    After `await response(...)`: `status`, `content_type` and `retry_after_s` are set. The first
    `failure` stands. Whoever opens an attempt closes it. (A msgspec struct for its constructor.)
    """

    request: bytes
    clocks: Clocks
    is_stream: bool
    max_answer_bytes: int
    total_deadline_s: float
    deadline_s: float
    keeper: Keeper
    carrier: Carrier | None = None
    sent_s: float = 0.0  # 0: not yet
    status: int = 0
    content_type: bytes = b""
    retry_after_s: float | None = None
    failure: AttemptFailed | None = None
    sink: Callable[[bytes], None] | None = None
    has_token: bool = False
    is_complete: bool = False
    is_finished: bool = False
    is_given_up: bool = False
    is_paused: bool = False
    is_closed: bool = False
    waiter: Strand | None = None
    pieces: list[bytes] = []
    answer_bytes: int = 0

    # For the strand and its sink.

    def sent_by(self, carrier: Carrier, now_s: float) -> None:
        """The request is on its way."""
        self.carrier = carrier
        self.sent_s = now_s
        clocks = self.clocks
        within_s = clocks.first_token_s if self.is_stream else clocks.plain_answer_s
        self.deadline_s = min(now_s + within_s, self.total_deadline_s)

    @types.coroutine
    def response(self, strand: Strand) -> Generator[None, None, None]:
        """Wait for a stream to begin, or for the whole of anything else.

        Errors:  AttemptFailed.
        """
        while self.failure is None and not (
            self.is_complete or (self.status == 200 and self.is_stream)
        ):
            self.waiter = strand
            yield
        if self.failure is not None:
            raise self.failure

    @types.coroutine
    def ended(self, strand: Strand) -> Generator[None, None, None]:
        """Wait until the sink needs no more, the response has ended or the attempt has failed."""
        while self.failure is None and not (
            self.is_finished or self.is_given_up or self.is_complete
        ):
            self.waiter = strand
            yield

    def body(self) -> bytes:
        """Return the whole body of a complete answer."""
        assert self.is_complete, "a body before its end"
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)

    def finish(self) -> None:
        """Say that the sink has all it needs; the end of the HTTP message may still come."""
        self.is_finished = True
        self._wake()

    def give_up(self) -> None:
        """Say that the sink can make nothing of the answer; nothing more of it is wanted."""
        self.is_given_up = True
        self._wake()

    def expect_end_by(self, deadline_s: float) -> None:
        """Read on, paused or not, until `deadline_s` at the latest."""
        self.total_deadline_s = min(self.total_deadline_s, deadline_s)
        self.deadline_s = self.total_deadline_s
        if self.is_paused and self.carrier is not None:
            self.is_paused = False
            self.carrier.resume()

    def pause(self) -> None:
        """Stop reading from the upstream; only the total clock runs on."""
        if self.carrier is not None:
            self.is_paused = True
            self.carrier.pause()
            self.deadline_s = self.total_deadline_s

    def resume(self, now_s: float) -> None:
        """Read on."""
        if self.carrier is not None:
            self.is_paused = False
            self.carrier.resume()
            self._expect_more(now_s)

    def close(self) -> None:
        """Let go: after a finish the connection may be kept, before it is dropped. Idempotent."""
        if self.is_closed:
            return
        self.is_closed = True
        if self.sink is not None:
            self.sink = None
        if self.waiter is not None:
            self.waiter = None
        carrier = self.carrier
        if carrier is not None:
            self.carrier = None
            if self.is_finished and self.failure is None and not self.is_given_up:
                carrier.detach()
            else:
                carrier.drop()
        self.keeper.closed(self)

    # For the connection and the account's pool.

    def on_stale(self) -> None:
        """The idle connection turned out closed before any answer: most likely nobody read us."""
        self.carrier = None
        error = UpstreamError("The upstream closed the connection.")
        self.failure = AttemptFailed(
            Ending.AMBIGUOUS, ErrorClass.TRANSIENT, error, "a reused connection", is_stale=True
        )
        self.deadline_s = _FOREVER
        self._wake()

    def on_head(self, status: int, content_type: bytes, retry_after: bytes) -> None:
        """The head of the final response is complete; the strand learns of it with the body."""
        self.status = status
        self.content_type = content_type
        if retry_after:
            self.retry_after_s = _seconds(retry_after)

    def on_body(self, data: bytes) -> None:
        """Take the body bytes of one read."""
        if self.sink is None and self.is_stream and self.status == 200:
            self._wake()  # to set the sink
        sink = self.sink
        if sink is not None:
            sink(data)
            if self.has_token and not self.is_paused:
                self._expect_more(self.keeper.now_s())
        elif not self.is_closed:
            self.pieces.append(data)
            self.answer_bytes += len(data)
            if self.answer_bytes > self.max_answer_bytes:
                error = UpstreamError("The upstream's answer is too large.")
                self.on_broken(error, f"answer over {self.max_answer_bytes} bytes")

    def on_answer(self, content_type: bytes, body: bytes) -> None:
        """Take a whole plain answer with status 200, within its bound, at once."""
        self.status = 200
        self.content_type = content_type
        self.pieces.append(body)
        self.is_complete = True
        self.carrier = None
        self._wake()

    def on_complete(self) -> None:
        """The response is whole; its connection is no longer ours."""
        self.is_complete = True
        self.carrier = None
        self._wake()

    def on_broken(self, error: GatewayError, reason: str) -> None:
        """The response cannot be used."""
        self.fail(self._cut_ending(), error, reason)

    def on_lost(self, reason: str) -> None:
        """The connection ended before the response did."""
        self.carrier = None
        error = UpstreamError("The upstream closed the connection.")
        self.fail(self._cut_ending(), error, reason)

    def on_deadline(self) -> None:
        """One of the clocks ran out."""
        if self.carrier is None:
            error = UpstreamTimeout("The upstream could not be reached in time.")
            self.fail(Ending.NOT_SENT, error, "connect timeout")
        else:
            error = UpstreamTimeout("The upstream did not answer in time.")
            self.fail(self._cut_ending(), error, "stalled" if self.has_token else "no first token")

    def fail(self, ending: Ending, error: GatewayError, reason: str) -> None:
        """End the attempt; the first failure stands."""
        if self.failure is None:
            self.failure = AttemptFailed(ending, ErrorClass.TRANSIENT, error, reason)
        self.deadline_s = _FOREVER
        self._wake()

    def _expect_more(self, now_s: float) -> None:
        self.deadline_s = min(now_s + self.clocks.between_chunks_s, self.total_deadline_s)

    def _cut_ending(self) -> Ending:
        return Ending.INTERRUPTED if self.has_token else Ending.AMBIGUOUS

    def _wake(self) -> None:
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            waiter.resume()


def _seconds(retry_after: bytes) -> float | None:
    """Return a `Retry-After` in whole seconds; None for a date, which no upstream of ours sends."""
    return float(retry_after) if retry_after.isdigit() and len(retry_after) < 6 else None
