"""What events does a stream hold? A sans-io `text/event-stream` decoder. Hot path.

Rules: any split of the bytes gives the same payloads (tests/unit/wire/test_sse.py); fields other
than `data` are skipped; comments and lone blank lines give nothing. A lone CR as line end, which
the standard allows, is not accepted: no upstream we know sends one. A line that is a bare
`{"error"` object counts as data: Ark's own SDK reads it so.
Source: WHATWG HTML "Interpreting an event stream".
"""

_BOM = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """One event grew past the limit; the upstream is at fault."""


class SseDecoder:
    """Turn bytes of an event stream into event payloads, with no I/O."""

    __slots__ = ("_at_start", "_max_event_bytes", "_tail")

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._tail = b""
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads that `data` completed, oldest first.

        Errors:  EventTooLarge when an unfinished event exceeds the limit.
        Cost:    O(len(data)) plus the unfinished tail.
        """
        data = self._tail + data
        if self._at_start:
            if _BOM.startswith(data):
                self._tail = data
                return []
            self._at_start = False
            data = data.removeprefix(_BOM)
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        *blocks, self._tail = data.split(b"\n\n")
        if len(self._tail) > self._max_event_bytes:
            raise EventTooLarge(f"an event exceeds {self._max_event_bytes} bytes")
        payloads = []
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:
                payloads.append(block[6:])
            else:
                payload = _payload(block)
                if payload:
                    payloads.append(payload)
        return payloads


def _payload(block: bytes) -> bytes:
    """Return the data of one event that is not a single `data: ` line."""
    lines = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            lines.append(line[5:].removeprefix(b" "))
        elif line.startswith(b'{"error"'):
            lines.append(line)
    return b"\n".join(lines)
