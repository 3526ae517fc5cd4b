"""What exactly came back on the wire? A strict, blocking HTTP/1.1 client of a few lines.

It sends whatever bytes it is told to and reads answers by the letter of RFC 9112: a body that is
cut short, a bad chunk or a duplicate framing header is reported, never repaired. Every read is
bounded by `timeout_s`.
"""

import json
import re
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

CRLF = b"\r\n"
_HEADER_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*\Z")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9]) ([^\r\n\0]*)\Z")


class MalformedError(AssertionError):
    """The peer broke HTTP/1.1 or the event-stream form; the text says where."""


@dataclass
class Response:
    """One answer, with framing already undone."""

    status: int
    headers: list[tuple[str, str]]  # lower-case names, wire order
    body: bytes = b""
    complete: bool = True  # False: the connection ended before the body did
    interim: list[int] = field(default_factory=list)  # 1xx statuses seen before it

    def header(self, name: str) -> str | None:
        """Return the one value of `name`; several would be ambiguous, so they fail."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} was sent {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """Return the OpenAI error object; anything else in its place fails."""
        assert self.header("content-type") == "application/json", self
        envelope = self.json()
        assert set(envelope) == {"error"}, envelope
        assert set(envelope["error"]) == {"message", "type", "param", "code"}, envelope
        return envelope["error"]

    @property
    def closes(self) -> bool:
        return "close" in (self.header("connection") or "").lower()


def request(
    method: str = "POST",
    target: str = "/v1/chat/completions",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    version: str = "HTTP/1.1",
) -> bytes:
    """Return the bytes of a well-formed request; `Host` and `Content-Length` are filled in."""
    given = list(headers)
    names = {name.lower() for name, _ in given}
    if "host" not in names:
        given.insert(0, ("Host", "gateway.test"))
    if body and not names & {"content-length", "transfer-encoding"}:
        given.append(("Content-Length", str(len(body))))
    lines = [f"{method} {target} {version}", *(f"{name}: {value}" for name, value in given)]
    return "\r\n".join(lines).encode("latin-1") + CRLF + CRLF + body


def chunked(body: bytes, sizes: Sequence[int] = ()) -> bytes:
    """Return `body` in chunked coding, cut at the cumulated `sizes` (default: one chunk)."""
    out, rest = [], body
    for size in [*sizes, len(body)]:
        piece, rest = rest[:size], rest[size:]
        if piece:
            out.append(b"%x\r\n%b\r\n" % (len(piece), piece))
    return b"".join([*out, b"0\r\n\r\n"])


class Connection:
    """One TCP connection to the gateway; use it as a context manager."""

    def __init__(
        self, port: int, *, timeout_s: float = 10.0, receive_buffer: int | None = None
    ) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:  # must precede connect to bound the TCP window
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout_s)
        try:
            self.sock.connect(("127.0.0.1", port))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self.sock.close()
            raise
        self._buffer = bytearray()
        self._eof = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    def send(self, data: bytes) -> Self:
        self.sock.sendall(data)
        return self

    def try_send(self, data: bytes) -> bool:
        """Send; False when the peer has already closed, as it may on a refusal."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Leave with a RST instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # -- reading -------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Read once; False at the end of the stream (a reset counts as an end)."""
        if self._eof:
            return False
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self._eof = not data
        self._buffer += data
        return bool(data)

    def _line(self) -> bytes:
        """Return one CRLF-terminated line without its end."""
        while (end := self._buffer.find(b"\n")) < 0:
            if not self._fill():
                raise EOFError(bytes(self._buffer))
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r"):
            raise MalformedError(f"bare LF after {line!r}")
        return line[:-1]

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count and self._fill():
            pass
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def read_head(self) -> Response:
        """Read a status line and headers (interim answers are noted and skipped)."""
        interim: list[int] = []
        while True:
            line = self._line()
            match = _STATUS_LINE.match(line)
            if match is None:
                raise MalformedError(f"status line {line!r}")
            headers: list[tuple[str, str]] = []
            while line := self._line():
                header = _HEADER_LINE.match(line)
                if header is None:
                    raise MalformedError(f"header line {line!r}")
                headers.append((header[1].decode().lower(), header[2].decode("latin-1")))
            status = int(match[2])
            if status >= 200:
                return Response(status, headers, interim=interim)
            interim.append(status)

    def read_body(self, head: Response, *, method: str = "POST") -> Iterator[bytes]:
        """Yield the body piece by piece as it arrives; sets `head.complete` at the end."""
        length, coding = head.header("content-length"), head.header("transfer-encoding")
        assert length is None or coding is None, "both framings at once"
        head.complete = False
        if method == "HEAD" or head.status in (204, 304):
            pass
        elif coding is not None:
            assert coding == "chunked", coding
            try:
                while size := int(self._line(), 16):
                    piece = self._exactly(size)
                    yield piece
                    if len(piece) < size or self._exactly(2) != CRLF:
                        return
                while self._line():  # trailers
                    pass
            except EOFError:
                return
        elif length is not None:
            left = int(length)
            while left:
                if not self._buffer and not self._fill():
                    return
                piece = self._exactly(min(left, len(self._buffer)))
                left -= len(piece)
                yield piece
        else:
            while self._buffer or self._fill():
                yield self._exactly(len(self._buffer))
        head.complete = True

    def read_response(self, *, method: str = "POST") -> Response:
        head = self.read_head()
        head.body = b"".join(self.read_body(head, method=method))
        return head

    def read_all(self) -> bytes:
        """Return everything up to the peer's close."""
        while self._fill():
            pass
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def is_closed(self, *, within_s: float = 5.0) -> bool:
        """Tell whether the peer closes (with nothing more to say) within the time."""
        if self._buffer:
            return False
        before = self.sock.gettimeout()
        self.sock.settimeout(within_s)
        try:
            return not self._fill()
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(before)

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Bound each read inside the block by `seconds`."""
        before = self.sock.gettimeout()
        self.sock.settimeout(seconds)
        try:
            yield
        finally:
            self.sock.settimeout(before)


@dataclass(frozen=True)
class Frame:
    """One unit of an event stream: an event's data, or a comment line."""

    data: str | None  # None for a comment
    comment: str | None = None
    at_s: float = 0.0  # monotonic, when its last byte was read

    def json(self) -> Any:
        assert self.data is not None, f"a comment, not an event: {self}"
        return json.loads(self.data)

    @property
    def is_done(self) -> bool:
        return self.data == "[DONE]"


class FrameReader:
    """Turn body bytes into frames; anything but `data: …\\n\\n` and `: …\\n` fails.

    This is deliberately narrower than the standard: it is the form CONTRACT section 1 promises.
    """

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, piece: bytes) -> Iterator[Frame]:
        self._buffer += piece
        while self._buffer:
            if self._buffer.startswith(b":"):
                line, newline, rest = self._buffer.partition(b"\n")
                if not newline:
                    return
                self._buffer = rest
                yield Frame(None, comment=line[1:].decode(), at_s=time.monotonic())
            else:
                event, blank, rest = self._buffer.partition(b"\n\n")
                if not blank:
                    return
                if not event.startswith(b"data: ") or b"\n" in event or b"\r" in event:
                    raise MalformedError(f"not one line of data: {event!r}")
                self._buffer = rest
                yield Frame(event[6:].decode(), at_s=time.monotonic())

    def finish(self) -> None:
        if self._buffer:
            raise MalformedError(f"the stream ended inside {self._buffer!r}")


def frames_of(body: bytes) -> list[Frame]:
    """Return the frames of a whole event stream."""
    reader = FrameReader()
    frames = list(reader.feed(body))
    reader.finish()
    return frames


def live_frames(connection: Connection, head: Response) -> Iterator[Frame]:
    """Yield frames as they arrive on an open connection."""
    reader = FrameReader()
    for piece in connection.read_body(head):
        yield from reader.feed(piece)
    reader.finish()
