"""What arrives on a connection? Requests, one after the other, framed by httptools. Hot path.

A request that comes while another is answered waits its turn; reading goes on, for only so is it
seen that the caller has left.
"""

import asyncio
import socket
import struct
from collections import deque
from dataclasses import dataclass
from typing import cast

import httptools

MAX_BODY_BYTES = 64 << 20  # more than any context window holds
MAX_HEAD_BYTES = 64 << 10
MAX_WAITING = 64  # pipelined requests; nobody sends so many in earnest
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST
_FLUSH_S = 0.01  # what was written is on the wire by then, before the reset takes it back
_KEPT = frozenset({b"authorization", b"x-client-request-id", b"expect"})


@dataclass(slots=True)
class Request:
    """One request, whole."""

    method: bytes
    path: bytes
    headers: dict[bytes, bytes]  # those of _KEPT
    body: bytes
    keeps_alive: bool


class HttpConnection(asyncio.Protocol):
    """One connection; `serve` is called with one request at a time, until `done`."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._is_busy = False
        self._keeps_alive = True
        self._is_lost = False
        self.is_paused = False
        self._url, self._headers, self._size = b"", dict[bytes, bytes](), 0
        self._pieces: list[bytes] = []

    # What the kinds of connection add.

    def serve(self, request: Request) -> None:
        """Begin to answer."""
        raise NotImplementedError

    def left(self) -> None:
        """The caller has gone while it was answered."""

    def resumed(self) -> None:
        """The caller reads again."""

    # What they use.

    def write(self, data: bytes) -> None:
        """Send."""
        if data and not self._is_lost:
            self._transport.write(data)

    def done(self) -> None:
        """The answer is over; take the next request."""
        self._is_busy = False
        if not self._keeps_alive:
            self.close()
        elif self._waiting and not self._is_lost:
            self._begin(self._waiting.popleft())

    def close(self) -> None:
        """End with a FIN, after all that was written."""
        self._keeps_alive = False
        self._transport.close()

    def reset(self) -> None:
        """End with a RST, what was written ahead of it."""
        self._keeps_alive = False
        asyncio.get_running_loop().call_later(_FLUSH_S, self.abort)

    def abort(self) -> None:
        """End with a RST, now."""
        raw = self._transport.get_extra_info("socket")
        if raw is not None and not self._is_lost:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    # asyncio's callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not a subclass

    def data_received(self, data: bytes) -> None:
        """Take what arrived."""
        if not self._keeps_alive and not self._is_busy:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError):
            self._refuse(b"400 Bad Request")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell who is being answered."""
        self._is_lost = True
        self._waiting.clear()
        if self._is_busy:
            self._is_busy = False
            self.left()

    def pause_writing(self) -> None:
        """The caller does not read."""
        self.is_paused = True

    def resume_writing(self) -> None:
        """The caller reads again."""
        self.is_paused = False
        if self._is_busy:
            self.resumed()

    # httptools' callbacks.

    def on_message_begin(self) -> None:
        """Start a request."""
        self._url, self._headers, self._size = b"", {}, 0
        self._pieces = []

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._grow(len(url), MAX_HEAD_BYTES)
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header that matters here."""
        self._grow(len(name) + len(value), MAX_HEAD_BYTES)
        name = name.lower()
        if name in _KEPT:
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        """Ask for the body when it waits to be asked for."""
        self._size = 0
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._grow(len(body), MAX_BODY_BYTES)
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Serve a request, or let it wait."""
        parser, pieces = self._parser, self._pieces
        request = Request(
            parser.get_method(),
            self._url,
            self._headers,
            pieces[0] if len(pieces) == 1 else b"".join(pieces),
            parser.should_keep_alive(),
        )
        if self._is_busy:
            if len(self._waiting) >= MAX_WAITING:
                self._refuse(b"400 Bad Request")
                return
            self._waiting.append(request)
        else:
            self._begin(request)

    def _begin(self, request: Request) -> None:
        self._is_busy = True
        self._keeps_alive = request.keeps_alive
        self.serve(request)

    def _grow(self, more: int, most: int) -> None:
        self._size += more
        if self._size > most:
            self._refuse(b"413 Content Too Large")

    def _refuse(self, status: bytes) -> None:
        """Answer what is no request, or too much of one, and close."""
        if not self._is_busy:
            self.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        self._pieces, self._size = [], 0
        self.close()
