"""What happens on one connection to an upstream? One response at a time. Hot path.

The framing is llhttp's. The connection writes to its attempt after each read: the head, the body
bytes of that read in one piece, then the end. A plain answer that comes whole in one read, with a
head like the last one's, is taken as it is (`known_answer`). Anything that is not strictly HTTP/1.1
fails the attempt and closes the connection.
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, cast

import httptools

from arkway.model.errors import UpstreamError
from arkway.upstream.known_answer import MAX_LEARNED, KnownAnswer, known_answer
from arkway.wire.headers import LayoutTable

if TYPE_CHECKING:
    from arkway.upstream.accounts_io import AccountConnections
    from arkway.upstream.attempt_io import Attempt

# A response head larger than this is an attack or a fault; nginx's proxy_buffer_size is 4-8 KiB.
MAX_HEAD_BYTES = 64 * 1024
# How long a response may take to end after its stream said [DONE]: the bytes are usually there.
DETACHED_S = 1.0
# A close that crosses our request on the wire arrives within a round trip or two.
STALE_WITHIN_S = 1.0
_FOREVER = float("inf")
# The order is that of `_on_head`.
_LAYOUTS = LayoutTable(
    ("content-type", "content-encoding", "content-length", "transfer-encoding", "retry-after")
)


class UpstreamConnection(asyncio.BufferedProtocol):
    """One connection of an account, idle or carrying one attempt."""

    __slots__ = (
        "_broken",
        "_ends_with_connection",
        "_has_head",
        "_head_bytes",
        "_headers",
        "_is_complete",
        "_is_detached",
        "_keeps_alive",
        "_known",
        "_last_data",
        "_learned",
        "_parser",
        "_pieces",
        "_pool",
        "_transport",
        "_write",
        "attempt",
        "get_buffer",
        "idle_since_s",
        "is_closing",
        "is_fresh",
        "on_body",
        "on_header",
    )

    def __init__(self, pool: "AccountConnections") -> None:
        self._pool = pool
        # The one read buffer: what is in it is parsed before the next read of any connection.
        # `getattr(pool, "read_buffer", sizehint)` in C: called before every read.
        self.get_buffer = partial(getattr, pool, "read_buffer")  # type: ignore[method-assign]
        self.attempt: Attempt | None = None  # the one that is carried
        # httptools calls these two with each header or trailer and each piece of a body. Of equal
        # names the last one counts; what must not be repeated, llhttp refuses itself.
        self._headers: dict[bytes, bytes] = {}
        self.on_header = self._headers.__setitem__
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        self._last_data = b""  # the end of a body, once its response is complete
        self._broken = ""
        self._has_head = self._is_complete = self._is_detached = self._keeps_alive = False
        self._ends_with_connection = False
        self._head_bytes = 0
        self._known: KnownAnswer | None = None  # the last plain answer's head
        self._learned = 0  # how many heads were
        self.is_fresh = True  # has not yet given a whole response
        self.idle_since_s = _FOREVER
        self._parser = httptools.HttpResponseParser(self)

    # For the pool and the attempt.

    def send(self, attempt: "Attempt") -> None:
        """Write the attempt's request; its answer follows by callbacks."""
        self.attempt = attempt
        self.idle_since_s = _FOREVER
        self._pool.put(self._write, attempt.request)

    def pause(self) -> None:
        """Stop reading; TCP makes the upstream wait."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    def detach(self) -> None:
        """Forget the attempt; the connection is kept if the response ends soon."""
        self.attempt = None
        self._is_detached = True
        self.resume()
        self.idle_since_s = self._pool.now_s()

    def drop(self) -> None:
        """Close at once, so that the upstream stops working for nobody."""
        self.attempt = None
        self._transport.abort()

    def is_overdue(self, now_s: float, idle_s: float) -> bool:
        """Whether the connection has been idle, or has failed to end a response, for too long."""
        return now_s - self.idle_since_s >= (DETACHED_S if self._is_detached else idle_s)

    # asyncio callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not a subclass
        self._write = self._transport.write
        self.is_closing = self._transport.is_closing  # while it is not, a request may be written

    def buffer_updated(self, nbytes: int) -> None:
        """Take what arrived."""
        if self.attempt is None and not self._is_detached:
            self._transport.abort()  # nobody asked: it could only be taken for a later answer
            return
        is_first = not self._has_head and not self._head_bytes
        if is_first and self._known is not None and self._is_known(self._known, nbytes):
            return
        try:
            self._parser.feed_data(self._pool.read_buffer[:nbytes])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._broken = f"malformed HTTP response: {type(error).__name__}: {error}"
        if not self._has_head and not self._count_head(nbytes):
            return
        attempt, is_complete = self.attempt, self._is_complete
        data = self._last_data if is_complete else self._take_pieces()
        if data and attempt is not None and self._has_head:
            attempt.on_body(data)
            attempt = self.attempt  # its strand may have closed it
        if is_complete:
            if is_first and attempt is not None:
                self._learn(attempt, nbytes)
            self._end_response(attempt)
        elif self._broken:
            self._fail(attempt)

    def eof_received(self) -> None:
        """The upstream has no more to say; a body without a length ends so."""
        if self._has_head and self._ends_with_connection and not self._is_complete:
            self._keeps_alive = False
            self._end_response(self.attempt)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the attempt, and be forgotten."""
        self._pool.lost(self)
        del self._parser  # it holds our methods: a cycle too old to be collected soon
        attempt, self.attempt = self.attempt, None
        if attempt is None:
            return
        is_silent = not (self._head_bytes or self._has_head)
        sent_ago_s = self._pool.now_s() - attempt.sent_s
        if is_silent and not self.is_fresh and sent_ago_s < STALE_WITHIN_S:
            # The upstream closed an idle connection while our request was under way. One that
            # worked on it for longer has taken it.
            attempt.on_stale()
            return
        attempt.on_lost(f"connection lost: {type(exc).__name__ if exc else 'closed'}")

    # httptools callbacks.

    def on_message_begin(self) -> None:
        """Refuse a response that nobody asked for, in the read that ends another."""
        if self._is_complete:
            self._broken = "a second response"

    def on_headers_complete(self) -> None:
        """Tell the attempt of the final head; informational ones are skipped."""
        headers = self._headers
        status = self._parser.get_status_code()
        if status < 100:
            self._broken = "status below 100"
        elif status >= 200 and not self._is_complete:
            layout = _LAYOUTS.find(tuple(headers))
            media, encoding, length, transfer, retry_after = layout.pick([*headers.values(), b""])
            if encoding and encoding.lower() != b"identity":
                self._broken = "response is compressed though identity was asked for"
            else:
                self._has_head = True
                self._ends_with_connection = not length and not transfer
                if self.attempt is not None:
                    self.attempt.on_head(status, media, retry_after)
        headers.clear()

    def on_message_complete(self) -> None:
        """Note the end of the response, and keep its body apart from what may follow."""
        if self._has_head and not self._is_complete:
            self._is_complete = True
            self._keeps_alive = self._parser.should_keep_alive()
            self._last_data = self._take_pieces()
        else:
            self._pieces.clear()
        self._headers.clear()  # trailers

    # What a read came to.

    def _is_known(self, known: KnownAnswer, nbytes: int) -> bool:
        """Take a whole plain answer like the last one; False: nothing was taken, it is llhttp's."""
        attempt = self.attempt
        if attempt is None or attempt.is_stream:
            return False
        body = known.body(self._pool.read_buffer, nbytes)
        if body is None or len(body) > attempt.max_answer_bytes:
            return False
        self.attempt = None
        self._pool.returned(self)
        attempt.on_answer(known.content_type, body)
        return True

    def _learn(self, attempt: "Attempt", nbytes: int) -> None:
        """Remember the head of an answer that came whole in one read."""
        if attempt.status == 200 and self._is_kept and self._learned < MAX_LEARNED:
            self._learned += 1
            data = bytes(self._pool.read_buffer[:nbytes])
            self._known = known_answer(data, attempt.content_type)

    def _take_pieces(self) -> bytes:
        """Return the body bytes collected since the last look."""
        pieces = self._pieces
        if len(pieces) == 1:
            return pieces.pop()
        data = b"".join(pieces)
        pieces.clear()
        return data

    def _count_head(self, nbytes: int) -> bool:
        """Bound a head that is still arriving; return whether the read broke the response."""
        self._head_bytes += nbytes
        if self._head_bytes > MAX_HEAD_BYTES:
            self._broken = f"response head over {MAX_HEAD_BYTES} bytes"
        return bool(self._broken)

    def _end_response(self, attempt: "Attempt | None") -> None:
        """Give the connection back before the attempt goes on: its strand may want it.

        A response that is whole stays whole whatever came after it; the connection does not.
        """
        keep = self._is_kept
        self.attempt = None
        self._has_head = self._is_complete = self.is_fresh = self._is_detached = False
        self._head_bytes = 0
        if keep:
            self._pool.returned(self)
        else:
            self._transport.abort()
        if attempt is not None:
            attempt.on_complete()

    @property
    def _is_kept(self) -> bool:
        """Whether the connection may carry another attempt after a whole response."""
        return self._keeps_alive and not (self._broken or self._pieces or self._headers)

    def _fail(self, attempt: "Attempt | None") -> None:
        self.attempt = None
        self._transport.abort()
        if attempt is not None:
            attempt.on_broken(UpstreamError("The upstream's answer is broken."), self._broken)
