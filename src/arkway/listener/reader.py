"""Where does one request end and the next begin? Request framing, sans-io. Hot path.

HTTP itself is llhttp's (through httptools, strict mode); this file adds the bounds and the rules
that llhttp leaves open. Whatever breaks a rule ends the connection: after one doubtful byte the
meaning of the next is anybody's guess. Nothing of a caller's framing is ever sent on.
Source: RFC 9112; bounds as in docs/config.md `[limits]`.
"""

from collections import deque
from operator import itemgetter

import httptools
import msgspec

from arkway.listener.known_head import KnownHead, known_head
from arkway.model.call import RawRequest
from arkway.model.errors import BadRequest, BodyTooLarge, GatewayError, HeadersTooLarge
from arkway.wire.headers import LayoutTable

# The headers that anything of ours reads, in the order of RawRequest's fields.
WANTED = (
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "x-conversation-id",
    "expect",
    "host",
    "x-request-id",
    "x-stainless-read-timeout",
    "transfer-encoding",
    "traceparent",
    "accept",
    "if-none-match",
)
_LAYOUTS = LayoutTable(WANTED)
_name, _value = itemgetter(0), itemgetter(1)
# Headers that mean nothing sane when repeated. Others are judged where they are read.
_ONCE = frozenset({"content-encoding", "content-length", "host", "transfer-encoding"})
# RFC 9112 asks for at least 8 000 bytes of request line; nginx gives 8 KiB.
MAX_TARGET_BYTES = 8 * 1024
# A message no larger than this breaks no bound: it needs no closer look.
FREE_BYTES = 4 * 1024
FREE_LINES = 16  # the least that `max_headers` may be
FREE_LENGTH_DIGITS = 3  # below 1 KiB, the least that `max_body_bytes` may be
# 20 digits are more than any file system holds; llhttp has checked that they are digits.
MAX_LENGTH_DIGITS = 20
REQUEST_LINE_BYTES = len("POST  HTTP/1.1\r\n\r\n")  # beside the target, with the head's end
# Each body piece costs a callback, so many tiny ones are an attack on the CPU. No client of note
# sends chunks this small; a slow link's TCP segments are larger.
FREE_PIECES = 8192
MIN_AVERAGE_PIECE_BYTES = 64
# Trailers are read and dropped. Nothing legitimate sends any.
MAX_TRAILER_BYTES = 4 * 1024
# Chunk sizes, extensions and trailers together: room for FREE_PIECES of 12 bytes of framing, and
# beyond them for a quarter of the body. Nothing of it is kept.
MAX_FRAMING_BYTES = 128 * 1024


class ReaderLimits(msgspec.Struct, frozen=True):
    """Bounds of one request (sizes in bytes)."""

    max_header_bytes: int = 32 * 1024
    max_headers: int = 100
    max_body_bytes: int = 20 * 1024 * 1024


class RequestReader:
    """Turns a connection's bytes into requests, oldest first in `requests`.

    A request is handed out when its head is complete; its body follows (`RawRequest.is_complete`).
    `feed` raises the refusal that ends the connection, after which it must not be called again;
    requests handed out before it are still in `requests`.
    """

    __slots__ = (
        "_body",
        "_fault",
        "_fed_bytes",
        "_free_bytes",
        "_is_uncounted",
        "_known",
        "_limits",
        "_lines",
        "_offer",
        "_parser",
        "_peer",
        "_sized_bytes",
        "_sized_pieces",
        "_target",
        "current",
        "on_body",
        "requests",
    )

    def __init__(self, limits: ReaderLimits, peer: str) -> None:
        self._limits = limits
        self._peer = peer
        self._free_bytes = min(FREE_BYTES, limits.max_header_bytes, limits.max_body_bytes)
        self._fault: GatewayError | None = None
        self._target = b""
        self._lines: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._sized_pieces = self._sized_bytes = 0  # of `_body`, as far as counted
        self.on_body = self._body.append  # httptools calls it with each piece of a body
        self._fed_bytes = 0  # since the current head began; 0 while idle
        self._is_uncounted = False  # the head began in the read that ended the last message
        self._offer: tuple[bytes, bytes, list[tuple[bytes, bytes]]] = (b"", b"", [])
        self.current: RawRequest | None = None  # its head is complete, its body is not
        self.requests: deque[RawRequest] = deque()
        self._known: KnownHead | None = None
        self._parser = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        """Take what arrived; see `requests` for what came of it.

        Errors:  BadRequest or HeadersTooLarge: answer it and close.
        """
        is_first = self.is_idle and not self.requests
        self._read(data)
        if is_first and self._fed_bytes == 0 and len(self.requests) == 1:
            self._learn(data, self.requests[0])

    def close(self) -> None:
        """Let go of the parser; nothing may be fed any more.

        The parser holds our methods. Such a cycle is old when a connection ends, and the collector
        looks at what is old so seldom that many thousands would pile up.
        """
        del self._parser

    def recognise(self, data: bytes) -> RawRequest | None:
        """Return the request in `data` if it is whole and its head is the last one's; else None.

        Nothing is read in either case: `feed` what was not recognised.
        """
        known = self._known
        if known is None or self._fed_bytes or self._is_uncounted or self.requests:
            return None
        return known.match(data)

    def _learn(self, data: bytes, request: RawRequest) -> None:
        """Remember the head of a request that came whole in one read."""
        if not request.transfer_encoding and request.refusal is None:
            self._known = known_head(data, request, self._limits.max_body_bytes)

    def _read(self, data: bytes) -> None:
        """Let llhttp read `data`; its callbacks follow."""
        self._fed_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._replay_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            raise self._fault or BadRequest(f"Malformed HTTP request: {_reason(error)}.") from None
        if self._fault is not None:
            raise self._fault
        if self._fed_bytes > self._free_bytes:
            self._check_size()

    @property
    def is_idle(self) -> bool:
        """Whether no request has begun to arrive."""
        return self._fed_bytes == 0 and not self._is_uncounted

    @property
    def body_bytes(self) -> int:
        """Bytes of the body that is arriving."""
        body = self._body
        if len(body) > self._sized_pieces:  # only what is new: a body may come in many pieces
            self._sized_bytes += sum(map(len, body[self._sized_pieces :]))
            self._sized_pieces = len(body)
        return self._sized_bytes

    # httptools callbacks, in the order of a message.

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._target = self._target + url if self._target else url
        if not self._fed_bytes:  # it came in one read with the end of the last message
            self._is_uncounted = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer once the head is complete."""
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge the head and hand the request out; its body may still be arriving."""
        parser, lines, target = self._parser, self._lines, self._target
        if self._fault is not None:
            return  # what follows a fault in the same read means nothing
        if parser.should_upgrade():
            self._offer = (parser.get_method(), target, lines.copy())
            return  # feed() sees it again, without the offer
        layout = _LAYOUTS.find(tuple(map(_name, lines)))
        values = [*map(_value, lines), b""]
        target, _, query = target.partition(b"?")
        request = RawRequest(  # type: ignore[call-arg]  # the star is one value a WANTED name
            parser.get_method(),
            target,
            *layout.pick(values),
            layout.present,
            layout.repeated,
            self._peer,
            parser.should_keep_alive(),
        )
        request.query = query
        if (
            parser.get_http_version() != "1.1"
            or layout.repeated
            or not request.host
            or request.transfer_encoding
            or self._fed_bytes > self._free_bytes
            or self._is_uncounted
            or len(lines) > FREE_LINES
            or len(request.content_length) > FREE_LENGTH_DIGITS
            or target[:1] != b"/"
        ):
            self._judge(request)
        if self._fault is None:
            lines.clear()
            self.current = request
            self.requests.append(request)

    def on_message_complete(self) -> None:
        """Close the request that was arriving."""
        request, body = self.current, self._body
        if request is not None:
            if len(body) == 1:
                request.body = body[0]
            elif body:
                request.body = b"".join(body)
            if self._fed_bytes > self._free_bytes or self._is_uncounted:
                self._check_size()
            request.is_complete = True
            self.current = None
        self._drop_body()
        self._lines.clear()  # trailers
        self._target = b""
        self._fed_bytes = 0
        self._is_uncounted = False

    def _judge(self, request: RawRequest) -> None:
        """Look closely at a head that is not of the plainest kind."""
        limits, version = self._limits, self._parser.get_http_version()
        encoding = request.transfer_encoding
        request.is_http_1_0 = version == "1.0"
        if len(self._lines) > limits.max_headers:
            self._fault = HeadersTooLarge(f"More than {limits.max_headers} headers.")
        elif _size(self._lines) + len(self._target) + REQUEST_LINE_BYTES > limits.max_header_bytes:
            self._fault = _headers_too_large(limits.max_header_bytes)
        elif len(self._target) > MAX_TARGET_BYTES:
            self._fault = HeadersTooLarge(f"The URL exceeds {MAX_TARGET_BYTES} bytes.")
        elif not request.path.startswith(b"/") and not _take_own_origin(request):
            self._fault = BadRequest("The request target must be a path, or a URL of this host.")
        elif version not in ("1.1", "1.0"):
            self._fault = BadRequest("Only HTTP/1.1 and HTTP/1.0 are served here.")
        elif version == "1.1" and not request.host:
            self._fault = BadRequest("Exactly one Host header is required.")
        elif not _ONCE.isdisjoint(request.repeated):
            self._fault = BadRequest(f"More than one {min(_ONCE & request.repeated)} header.")
        elif encoding and (
            encoding.lower() != b"chunked" or request.content_length or version == "1.0"
        ):
            self._fault = BadRequest("Transfer-Encoding must be 'chunked', alone, in HTTP/1.1.")
        elif len(request.content_length) > MAX_LENGTH_DIGITS or (
            int(request.content_length or b"0") > limits.max_body_bytes
        ):
            request.refusal = _too_large(limits.max_body_bytes)

    def _replay_without_upgrade(self, rest: bytes) -> None:
        """Serve an upgrade offer as plain HTTP/1.1, as RFC 9110 section 7.8 allows.

        Java's HttpClient offers h2c on every cleartext request. httptools gives up the body of
        such a request, so its head goes through a fresh parser, without the offer.
        """
        method, target, lines = self._offer
        if method == b"CONNECT":
            raise BadRequest("CONNECT is not served here.")
        version = self._parser.get_http_version().encode()
        rendered = b"".join(b"%b: %b\r\n" % line for line in map(_without_offer, lines))
        self._parser = httptools.HttpRequestParser(self)
        self._read(b"%b %b HTTP/%b\r\n%b\r\n%b" % (method, target, version, rendered, rest))

    def _check_size(self) -> None:
        """Bound what arrives: endless heads, bodies, tiny pieces, framing and trailers."""
        request, limits = self.current, self._limits
        if request is None:
            if self._fed_bytes > limits.max_header_bytes:
                raise _headers_too_large(limits.max_header_bytes)
            return
        if _size(self._lines) > MAX_TRAILER_BYTES:
            request.refusal = HeadersTooLarge(f"Trailers exceed {MAX_TRAILER_BYTES} bytes.")
        if request.refusal is not None:
            self._drop_body()
            return
        size, pieces = self.body_bytes, len(self._body)
        framing_bytes = self._fed_bytes - size
        if size > limits.max_body_bytes:
            request.refusal = _too_large(limits.max_body_bytes)
        elif pieces > FREE_PIECES and size < pieces * MIN_AVERAGE_PIECE_BYTES:
            request.refusal = BadRequest("The request body arrives in too many small pieces.")
        elif framing_bytes > limits.max_header_bytes + MAX_FRAMING_BYTES + size // 4:
            request.refusal = BadRequest("The request body has too much framing for its size.")
        if request.refusal is not None:
            self._drop_body()

    def _drop_body(self) -> None:
        self._body.clear()
        self._sized_pieces = self._sized_bytes = 0


def _without_offer(line: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return a header line with what it says of an upgrade taken out."""
    name, value = line
    lowered = name.lower()
    if lowered == b"upgrade":
        return b"x-upgrade", b""
    if lowered == b"connection":
        tokens = [token.strip() for token in value.split(b",")]
        return name, b", ".join(t for t in tokens if t.lower() in (b"close", b"keep-alive"))
    return line


def _take_own_origin(request: RawRequest) -> bool:
    """Turn a target in absolute form into a path; False unless it names the host of `Host`.

    RFC 9112 section 3.2.2: a server must accept the form. One that names another host is refused.
    """
    scheme, _, rest = request.path.partition(b"://")
    authority, slash, path = rest.partition(b"/")
    if scheme.lower() not in (b"http", b"https") or authority.lower() != request.host.lower():
        return False
    request.path = slash + path
    return bool(slash)


def _size(lines: list[tuple[bytes, bytes]]) -> int:
    """Return about how many bytes header lines took on the wire."""
    return sum(len(name) + len(value) + 4 for name, value in lines)


def _headers_too_large(limit: int) -> HeadersTooLarge:
    return HeadersTooLarge(f"The headers exceed {limit} bytes.")


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request body exceeds the limit of {limit} bytes.")


def _reason(error: Exception) -> str:
    """Return llhttp's reason: fixed texts of its own, never bytes of the request."""
    return str(error).rstrip(".") or "parse error"
