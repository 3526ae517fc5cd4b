"""When do bytes leave? Writes of one turn of the event loop, sent together. Hot path.

A write to an idle peer wakes it, and on a virtual machine a wake-up costs more than the write. A
gateway that writes after each read therefore pays for two a call; one that first handles what has
arrived and then writes pays for a few a turn (bench/README.md has the figures). Sans-io: the
transports and `call_soon` come from outside.
"""

from collections.abc import Callable

Write = Callable[[bytes], None]

# So many writes wait at most: the first should not wait for a whole busy turn.
MAX_WAITING = 16


class Outbox:
    """Collects writes, and makes them in order at the end of the loop's turn.

    Several writes to one connection in a row become one. Close a connection only after `flush`.
    """

    __slots__ = ("_call_soon", "_is_flushing", "_waiting")

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._is_flushing = False
        self._waiting: list[tuple[Write, bytes]] = []

    def put(self, write: Write, data: bytes) -> None:
        """Write `data` with `write`, soon."""
        waiting = self._waiting
        if not waiting:
            self._call_soon(self.flush)
        elif waiting[-1][0] is write:
            waiting[-1] = (write, waiting[-1][1] + data)
            return
        elif len(waiting) >= MAX_WAITING:
            self.flush()
            self._call_soon(self.flush)
            waiting = self._waiting
        waiting.append((write, data))

    def flush(self) -> None:
        """Make the writes that wait. A flush within a flush leaves them, in order, to the outer."""
        if self._is_flushing:
            return
        self._is_flushing = True
        try:
            while self._waiting:
                self._write_all()
        finally:
            self._is_flushing = False

    def _write_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for write, data in waiting:
            try:
                write(data)
            except RuntimeError:
                pass  # the connection was closed meanwhile; whoever waits on it learns by that
