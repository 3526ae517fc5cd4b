"""What events does a stream hold? A sans-io `text/event-stream` decoder. Hot path.

Rules: any split of the bytes gives the same payloads (tests/unit/wire/test_sse.py); fields other
than `data` are skipped; comments, empty events and lone blank lines give nothing. A lone CR as line
end, which the standard allows, is not understood: no upstream we know sends one. A line that is a
bare `{"error"` object counts as data: Ark's own SDK reads it so.
Source: WHATWG HTML "Interpreting an event stream".
"""

_BOM = b"\xef\xbb\xbf"


class SseDecoder:
    """Turn bytes of an event stream into event payloads, with no I/O.

    `is_too_large` is set once an event exceeds the limit; nothing after it is decoded.
    """

    __slots__ = ("_at_start", "_max_event_bytes", "_tail", "is_too_large")

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._tail = b""
        self._at_start = True
        self.is_too_large = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads that `data` completed, oldest first; none of them is empty.

        Cost:    O(len(data)) plus the unfinished tail.
        """
        if b"\r" in data:
            data = data.replace(b"\r", b"")  # JSON has no raw CR: what is left ends lines by LF
        data = self._tail + data
        if self._at_start:
            if _BOM.startswith(data):
                self._tail = data
                return []
            self._at_start = False
            data = data.removeprefix(_BOM)
        *blocks, self._tail = data.split(b"\n\n")
        if len(data) > self._max_event_bytes:
            blocks = self._within_limit(blocks)
        payloads = []
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:
                payload = block[6:]
            else:
                payload = _payload(block)
            if payload:
                payloads.append(payload)
        return payloads

    def _within_limit(self, blocks: list[bytes]) -> list[bytes]:
        """Return the events before the first that is too large, and note that there is one."""
        limit = self._max_event_bytes
        # Of an unfinished event, half of the blank line that ends it may have come.
        for place, block in enumerate([*blocks, self._tail.removesuffix(b"\n")]):
            if len(block) > limit:
                self.is_too_large = True
                return blocks[:place]
        return blocks


def _payload(block: bytes) -> bytes:
    """Return the data of one event that is not a single `data: ` line."""
    lines = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            lines.append(line[5:].removeprefix(b" "))
        elif line.startswith(b'{"error"'):
            lines.append(line)
    return b"\n".join(lines)
