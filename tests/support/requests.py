"""What do callers' bytes look like to the reader? Requests as bytes and as what should be read."""

from dataclasses import dataclass, field

from arkway.listener.reader import ReaderLimits, RequestReader
from arkway.model.errors import GatewayError
from support.strategies import cut

LIMITS = ReaderLimits()
HOST = b"host: h\r\n"
TE = b"transfer-encoding: chunked\r\n"


def feed(pieces, limits=LIMITS):
    """Return the reader after all pieces, or after the refusal, and the refusal."""
    reader = RequestReader(limits, "192.0.2.1")
    for piece in pieces:
        try:
            reader.feed(piece)
        except GatewayError as refusal:
            return reader, refusal
    return reader, None


def outcome(pieces, limits=LIMITS):
    """Return what must not depend on the split."""
    reader, refusal = feed(pieces, limits)
    return [seen(request) for request in reader.requests], refusal and said(refusal)


def seen(request):
    return (
        request.method,
        request.path,
        request.body,
        request.is_complete,
        request.keep_alive,
        request.is_http_1_0,
        request.authorization,
        request.content_type,
        request.conversation,
        request.present,
        request.repeated,
        request.refusal and said(request.refusal),
    )


def said(error):
    return type(error), str(error)


@dataclass
class Ask:
    """A request, as bytes and as what should be read of it."""

    method: bytes = b"POST"
    path: bytes = b"/v1/chat/completions"
    query: bytes = b""
    lines: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    chunks: list[int] | None = None  # sizes; None: by length
    extension: bytes = b""
    trailers: bytes = b""
    origin: bytes = b""
    offer: bytes = b""
    before: bytes = b""  # empty lines, which a server should skip

    def encode(self):
        head = b"%b %b%b%b HTTP/1.1\r\n" % (self.method, self.origin, self.path, self.query)
        lines = [(b"Host", b"h:1"), *self.lines]
        body = self.body
        if self.offer:
            lines += [(b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", self.offer)]
        if self.chunks is not None:
            lines.append((b"Transfer-Encoding", b"chunked"))
            places = [sum(self.chunks[: at + 1]) for at in range(len(self.chunks))]
            body = b"".join(
                b"%x%b\r\n%b\r\n" % (len(piece), self.extension, piece)
                for piece in cut(body, places)
            )
            body += b"0\r\n%b\r\n" % self.trailers
        elif body:
            lines.append((b"Content-Length", b"%d" % len(body)))
        rendered = b"".join(b"%b: %b\r\n" % line for line in lines)
        return self.before + head + rendered + b"\r\n" + body


def expected(ask):
    last = {name.lower(): value for name, value in ask.lines}
    wanted = {b"authorization", b"content-type", b"x-conversation-id", b"expect"}
    names = [name.lower() for name, _ in ask.lines if name.lower() in wanted]
    framing = {"transfer-encoding"} if ask.chunks is not None else set()
    framing |= {"content-length"} if ask.body and ask.chunks is None else set()
    return (
        ask.method,
        ask.path,
        ask.body,
        True,
        True,
        False,
        last.get(b"authorization", b""),
        last.get(b"content-type", b""),
        last.get(b"x-conversation-id", b""),
        {name.decode() for name in names} | {"host"} | framing,
        {name.decode() for name in names if names.count(name) > 1},
        None,
    )


def post(lines=b"", body=b"", line=b"POST /p HTTP/1.1", host=HOST):
    return line + b"\r\n" + host + lines + b"\r\n" + body


def by_length(value):
    return post(b"content-length: %b\r\n" % value, b"a")


def by_coding(value, body=b"0\r\n\r\n"):
    return post(b"transfer-encoding: %b\r\n" % value, body)


def in_chunks(body):
    return post(TE, body)


OFFER = b"connection: upgrade\r\nupgrade: h2c\r\n"
