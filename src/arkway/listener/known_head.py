"""Was this head read before? The last head of a connection, recognised by its bytes. Hot path.

A client sends one head again and again; only the length of the body differs. So the head that
llhttp has read and the reader has judged is kept with the digits of that length cut out. A message
that is the same around its digits, and that has come whole in one read, means the same request:
digits put in the place of digits change nothing else of a head. Anything else is read anew.
"""

import msgspec

from arkway.model.call import RawRequest

# Official SDKs send heads of 400 to 900 bytes. Kept once a connection.
MAX_KNOWN_HEAD_BYTES = 2 * 1024
# Nine digits fit every machine integer; the reader's own bound on the body is checked as well.
MAX_DIGITS = 9
_END = b"\r\n\r\n"
# As HTTP/1.1 clients spell it; `_NAME_BYTES` is the length of either. Others are read anew.
_NAMES = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
_NAME_BYTES = len(_NAMES[0])


class KnownHead(msgspec.Struct, frozen=True, eq=False):
    """One head, and the request that it opens."""

    before: bytes  # up to the digits of the length
    after: bytes  # from there to the end of the head
    request: RawRequest  # without a body; copied for each use
    max_body_bytes: int

    def match(self, data: bytes) -> RawRequest | None:
        """Return the whole request in `data`; None unless it is this head with its whole body."""
        if not data.startswith(self.before):
            return None
        at, after = len(self.before), self.after
        end = data.find(after, at, at + MAX_DIGITS + len(after))
        digits = data[at:end]
        if end < 0 or not digits.isdigit():
            return None
        body_at, length = end + len(after), int(digits)
        if len(data) != body_at + length or length > self.max_body_bytes:
            return None
        request: RawRequest = self.request.__copy__()  # type: ignore[attr-defined]  # msgspec's own, in C
        request.content_length = digits
        request.body = data[body_at:]
        request.is_complete = True
        return request


def known_head(data: bytes, request: RawRequest, max_body_bytes: int) -> KnownHead | None:
    """Return what to keep of `data`, one message that was read to be `request` and nothing else.

    None for a head that cannot be recognised later: it is large, or spells its length unusually.
    """
    end = data.find(_END)
    if not 0 < end <= MAX_KNOWN_HEAD_BYTES or not request.content_length:
        return None
    for name in _NAMES:
        at = data.find(name, 0, end) + _NAME_BYTES
        digits = data[at : at + len(request.content_length)]
        if at >= _NAME_BYTES and digits == request.content_length:
            template: RawRequest = request.__copy__()  # type: ignore[attr-defined]
            template.body, template.is_complete, template.head = b"", False, object()
            return KnownHead(
                data[:at], data[at + len(digits) : end + len(_END)], template, max_body_bytes
            )
    return None
