"""How is one request answered, once? The responder's side of an exchange. Hot path."""

import re
import types
from collections.abc import Callable, Generator
from http import HTTPStatus
from typing import TYPE_CHECKING

from arkway.model.call import RawRequest
from arkway.model.errors import GatewayError, MethodNotAllowed
from arkway.model.ids import RequestId
from arkway.model.outcome import CallerGone
from arkway.strand import Strand
from arkway.wire.http import CONTINUE, document_head, json_answer, json_head, stream_head
from arkway.wire.openai import PING, error_body, error_event

if TYPE_CHECKING:
    from arkway.listener.connection_io import Connection

_is_echoable = re.compile(rb"[A-Za-z0-9_.-]{1,64}").fullmatch


class Exchange(Strand):
    """One request, the strand that works on it, and the right to answer it once.

    "Started" is explicit: before `has_started` the answer may still become an error of its own
    status; after it only events, an end or an abort may follow.
    """

    door: "Connection"
    request: RawRequest
    request_id: RequestId
    received_s: float  # monotonic
    last_write_s: float
    key_digest: bytes = b""  # of the key whose call this is
    is_waiting_for_body: bool = False
    on_pause: Callable[[], None] | None = None
    on_resume: Callable[[], None] | None = None
    has_started: bool = False
    is_streaming: bool = False
    is_over: bool = False  # nothing may be sent any more

    @types.coroutine
    def wait_for_body(self) -> Generator[None, None, None]:
        """Return once the body is whole.

        Errors:  BodyTooLarge, BadRequest or RequestTimeout when it broke a rule on its way.
        """
        request = self.request
        if not request.has_ended():
            if request.expect.lower() == b"100-continue":
                self.door.send(CONTINUE)
            self.is_waiting_for_body = True
            while not request.has_ended():
                yield
            self.is_waiting_for_body = False
        if request.refusal is not None:
            raise request.refusal

    def respond(self, status: int, body: bytes, headers: bytes = b"") -> None:
        """Send a whole JSON answer and end the exchange."""
        assert not self.has_started, "a second answer"
        self.has_started = self.is_over = True
        if self.on_pause is not None:
            self.on_pause = self.on_resume = None
        request, door = self.request, self.door
        keep_alive = self._keeps_alive()
        lines = self._own_headers(headers)
        if request.method == b"HEAD":
            answer = json_head(status, lines, len(body), keep_alive, request.is_http_1_0)
        else:
            answer = json_answer(status, lines, body, keep_alive, request.is_http_1_0)
        door.send(answer)
        door.exchange_ended(self, not keep_alive)

    def respond_document(self, status: int, headers: bytes, body: bytes) -> None:
        """Send a whole answer of any type, which `headers` name, and end the exchange.

        The body is not copied: readers who are slow hold one document together.
        """
        assert not self.has_started, "a second answer"
        self.has_started = self.is_over = True
        request, door = self.request, self.door
        keep_alive = self._keeps_alive()
        length = None if status == HTTPStatus.NOT_MODIFIED else len(body)
        lines = self._own_headers(headers)
        door.send(document_head(status, lines, length, keep_alive, request.is_http_1_0))
        if request.method != b"HEAD" and body:
            door.listener.outbox.flush()  # which would join the two
            door.send(body)
        door.exchange_ended(self, not keep_alive)

    def fail(self, error: GatewayError) -> None:
        """Send `error`: as an answer before the first byte, as a last event after it."""
        if self.is_over:
            return
        if not self.has_started:
            self.respond(error.status, error_body(error), error_headers(error))
            return
        self.write(error_event(error))
        self._finish(close=True)  # without the end of the body: nobody can take it for whole

    def start_stream(self, headers: bytes) -> None:
        """Send the head of an event stream; `write` follows."""
        assert not self.has_started, "a second answer"
        self.has_started = self.is_streaming = True
        self.door.send(
            stream_head(
                self._own_headers(headers),
                is_chunked=not self.request.is_http_1_0,
                keep_alive=self._keeps_alive(),
            )
        )

    def write(self, events: bytes) -> None:
        """Send events of a started stream. Whole events only: a heartbeat may follow any."""
        self.last_write_s = self.door.listener.now_s
        if self.request.is_http_1_0:
            self.door.send(events)
        else:
            self.door.send(b"%x\r\n%b\r\n" % (len(events), events))

    def end(self, events: bytes) -> None:
        """Send the last events of a stream and end it well."""
        if self.request.is_http_1_0:
            self.door.send(events)
        else:
            self.door.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(events), events))
        self._finish(close=not self._keeps_alive())

    @property
    def is_paused(self) -> bool:
        """Whether the caller has stopped reading."""
        return self.door.is_paused

    def heartbeat(self, now_s: float, after_s: float) -> None:
        """Send a comment when a stream has been silent for `after_s`."""
        if self.is_streaming and not self.is_over and now_s - self.last_write_s >= after_s:
            self.write(PING)

    # Called by the connection.

    def gone(self) -> None:
        """Tell the call that its caller has left."""
        if not self.is_over:
            self.is_over = True
            self.throw(CallerGone())
        self.on_pause = self.on_resume = None  # they lead back here: break the cycle

    def on_end(self, error: BaseException | None) -> None:
        """Report a crash: the pipeline itself lets no exception out."""
        if error is not None:
            self.door.listener.front.on_crash(self, error)

    def _keeps_alive(self) -> bool:
        request = self.request
        return (
            request.keep_alive
            and request.is_complete
            and request.refusal is None
            and not self.door.listener.is_draining
            # Without chunks, only the end of the connection ends the stream.
            and not (self.is_streaming and request.is_http_1_0)
        )

    def _own_headers(self, others: bytes) -> bytes:
        """Return the lines that every answer has, and `others`."""
        theirs = self.request.client_request_id
        if theirs and _is_echoable(theirs):
            others = b"x-client-request-id: %b\r\n%b" % (theirs, others)
        return b"x-request-id: %b\r\n%b" % (self.request_id.encode(), others)

    def _finish(self, *, close: bool) -> None:
        self.is_over = True
        self.on_pause = self.on_resume = None
        self.door.exchange_ended(self, close)


def error_headers(error: GatewayError) -> bytes:
    """Return the header lines that belong to an error."""
    lines = b"allow: %b\r\n" % error.allow.encode() if isinstance(error, MethodNotAllowed) else b""
    if error.retry_after_s is not None:
        # Whole seconds for `retry-after`, rounded up: a caller must not come too early.
        lines += b"retry-after: %d\r\nretry-after-ms: %d\r\n" % (
            -(-error.retry_after_s // 1),
            -(-error.retry_after_s * 1000 // 1),
        )
    if not error.retryable:
        lines += b"x-should-retry: false\r\n"
    return lines + error.header_lines
