"""What do HTTP/1.1 heads look like? Rendering of the heads that we send, on both sides.

Parsing is llhttp's (through httptools); this file only renders. Hot path: heads are bytes built
from constants, one join a response.
"""

from http import HTTPStatus

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_OK_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
_CLOSE = b"connection: close\r\n"


def json_head(
    status: int, headers: bytes, length: int, keep_alive: bool, is_http_1_0: bool = False
) -> bytes:
    """Return the head of a JSON answer of `length` bytes.

    Shapes:  headers: rendered lines, each ending in CRLF (`header_lines`), or empty.
    """
    if status == 200 and keep_alive and not is_http_1_0:
        return b"%b%bcontent-length: %d\r\n\r\n" % (_OK_HEAD, headers, length)
    return (
        b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
        b"%b%bcontent-length: %d\r\n\r\n"
    ) % (
        status,
        _REASONS[status],
        headers,
        _connection(keep_alive=keep_alive, is_http_1_0=is_http_1_0),
        length,
    )


def document_head(
    status: int, headers: bytes, length: int | None, keep_alive: bool, is_http_1_0: bool
) -> bytes:
    """Return the head of an answer whose `headers` say its type; length None: there is no body."""
    return b"HTTP/1.1 %d %b\r\n%b%b%b\r\n" % (
        status,
        _REASONS[status],
        headers,
        _connection(keep_alive=keep_alive, is_http_1_0=is_http_1_0),
        b"" if length is None else b"content-length: %d\r\n" % length,
    )


def head_of(status: int, content_type: str, length: int) -> bytes:
    """Return the head of an answer of any type, after which the connection is closed."""
    return (
        b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncache-control: no-store\r\n%b"
        b"content-length: %d\r\n\r\n"
    ) % (status, _REASONS[status], content_type.encode("ascii"), _CLOSE, length)


def json_answer(
    status: int, headers: bytes, body: bytes, keep_alive: bool, is_http_1_0: bool = False
) -> bytes:
    """Return a whole JSON answer: `json_head` and the body."""
    if status == 200 and keep_alive and not is_http_1_0:
        return b"%b%bcontent-length: %d\r\n\r\n%b" % (_OK_HEAD, headers, len(body), body)
    return json_head(status, headers, len(body), keep_alive, is_http_1_0) + body


def _connection(*, keep_alive: bool, is_http_1_0: bool) -> bytes:
    """Return the `connection` line where the version's default is not what holds."""
    if keep_alive:
        return b"connection: keep-alive\r\n" if is_http_1_0 else b""
    return _CLOSE


def stream_head(headers: bytes, *, is_chunked: bool, keep_alive: bool) -> bytes:
    """Return the head of an event stream; unchunked, it ends with its connection (HTTP/1.0)."""
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
        b"cache-control: no-cache\r\nx-accel-buffering: no\r\n%b%b%b\r\n"
    ) % (
        headers,
        b"transfer-encoding: chunked\r\n" if is_chunked else b"",
        b"" if keep_alive else _CLOSE,
    )


def header_lines(headers: dict[str, str]) -> bytes:
    """Render `headers`, one CRLF-ended line each. Values are ours: printable ASCII."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")


def request_head(path: str, host: str, headers: dict[str, str]) -> bytes:
    """Return a POST head up to and including the name of its last header, `content-length`.

    The sender appends the length, a blank line and the body.
    """
    lines = header_lines({"host": host, **headers})
    return b"POST %b HTTP/1.1\r\n%bcontent-length: " % (path.encode("ascii"), lines)
