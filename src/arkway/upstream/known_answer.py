"""Was this answer's head read before? The heads of plain answers, recognised by pattern. Hot path.

An upstream sends one head again and again; what differs are the length, a date and some ids. So a
head that llhttp has read becomes a pattern: its bytes as they are, with the digits of the length
and the values of headers that neither we nor llhttp act on left open. A read that matches, and that
holds the whole body behind it, is an answer like the one before. Anything else is llhttp's to read.
"""

import re
from collections.abc import Callable
from functools import lru_cache

import msgspec

# Ark and the CDNs before it send 300 to 700 bytes.
MAX_KNOWN_HEAD_BYTES = 2 * 1024
# Patterns are compiled once for each kind of head that an upstream sends, not for each connection.
MAX_PATTERNS = 64
# A connection learns so many heads at most: one whose heads are never alike costs no more.
MAX_LEARNED = 4
_END = b"\r\n\r\n"
_OK = b"HTTP/1.1 200 "
_LENGTH = b"content-length"
# Headers whose value means something: to `UpstreamConnection`, then to llhttp.
_READ = frozenset(
    {b"content-type", b"content-encoding", b"transfer-encoding"}
    | {b"connection", b"proxy-connection", b"upgrade"}
)
_RETRY_AFTER = b"retry-after"  # read too, but an answer with status 200 has none
# Visible ASCII, blanks and tabs: of what llhttp takes for a value, the part that no parser doubts.
_ANY_VALUE = rb"[\t -~]*+"
_name_of = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):").match
_DIGITS = re.compile(rb"(:[ \t]*)[0-9]{1,9}").fullmatch  # nine fit every machine integer

Match = Callable[[memoryview, int, int], "re.Match[bytes] | None"]


class KnownAnswer(msgspec.Struct, frozen=True, eq=False):
    """One kind of head: of an answer with status 200, a length, and a connection that is kept."""

    match: Match
    content_type: bytes

    def body(self, buffer: memoryview, nbytes: int) -> bytes | None:
        """Return the body of the one whole answer that a read brought; None if it is no such."""
        found = self.match(buffer, 0, nbytes)
        if found is None:
            return None
        body_at = found.end()
        return bytes(buffer[body_at:nbytes]) if nbytes - body_at == int(found[1]) else None


def known_answer(data: bytes, content_type: bytes) -> KnownAnswer | None:
    """Return what to keep of `data`: one whole answer that was read well, from a kept connection.

    None for a head that cannot be recognised later: it is large, or of an unusual kind.
    """
    end = data.find(_END)
    if not 0 < end <= MAX_KNOWN_HEAD_BYTES or not data.startswith(_OK):
        return None
    pattern = _pattern(data[:end])
    return None if pattern is None else KnownAnswer(_compiled(pattern), content_type)


def _pattern(head: bytes) -> bytes | None:
    """Return the pattern of heads that mean the same as `head`; None where there is no sure one."""
    status, *lines = head.split(b"\r\n")
    parts, lengths = [re.escape(status)], 0
    for line in lines:
        named = _name_of(line)
        if named is None or named[1].lower() == _RETRY_AFTER:
            return None
        name, value = named[1].lower(), line[named.end(1) :]
        if name == _LENGTH:
            digits = _DIGITS(value)
            if digits is None:
                return None
            lengths += 1
            parts.append(re.escape(named[1] + digits[1]) + rb"([0-9]{1,9})")
        elif name in _READ:
            parts.append(re.escape(line))
        else:
            parts.append(re.escape(named[0]) + _ANY_VALUE)
    return rb"\r\n".join(parts) + rb"\r\n\r\n" if lengths == 1 else None


@lru_cache(MAX_PATTERNS)
def _compiled(pattern: bytes) -> Match:
    return re.compile(pattern).match
