"""What stands in for the event loop and its transports? Fakes that do nothing by themselves.

A test says when a connection opens, what arrives and when time passes; what the code under test
wrote, paused or closed is then a plain attribute. They keep the parts of asyncio's contract that
the protocols rely on: `connection_lost` comes once and never from within a call of the protocol's,
nothing arrives after a close, a write to a closed transport raises as uvloop's does.
"""

import asyncio
from asyncio import _set_running_loop  # what `asyncio.Runner` itself calls

from msgspec import field

from arkway.strand import Strand


class FakeTransport:
    """One end of a connection; the test is the other."""

    def __init__(self, loop, protocol, peer=("192.0.2.1", 4711)):
        self.loop = loop
        self.protocol = protocol
        self.peer = peer
        self.written = bytearray()
        self.writes = 0
        self.is_reading = True
        self.has_written_eof = False
        self.was_aborted = False
        self.unsent_bytes = 0  # what the test says that the peer has not read
        self._is_closing = False

    # What the protocol calls.

    def get_extra_info(self, name, default=None):
        return self.peer if name == "peername" else default

    def set_write_buffer_limits(self, high=None, low=None):
        self.high_water_bytes = high

    def get_write_buffer_size(self):
        return self.unsent_bytes

    def is_closing(self):
        return self._is_closing

    def write(self, data):
        if self._is_closing:
            raise RuntimeError("the handler is closed")
        assert not self.has_written_eof, "a write after the end"
        self.written += data
        self.writes += 1

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.has_written_eof = True

    def pause_reading(self):
        self.is_reading = False

    def resume_reading(self):
        self.is_reading = True

    def close(self):
        self._lose(None)

    def abort(self):
        self.was_aborted = True
        self._lose(None)

    # What the peer does.

    def deliver(self, *pieces):
        """Let `pieces` arrive, each in a read of its own, until somebody closes."""
        for piece in pieces:
            if self._is_closing:
                return
            if isinstance(self.protocol, asyncio.BufferedProtocol):
                buffer = self.protocol.get_buffer(-1)
                assert len(piece) <= len(buffer)
                buffer[: len(piece)] = piece
                self.protocol.buffer_updated(len(piece))
            else:
                self.protocol.data_received(piece)

    def end(self):
        """Let the peer send its end, which closes the connection."""
        if not self._is_closing and not self.protocol.eof_received():
            self.close()

    def reset(self):
        """Let the connection break, at once."""
        if not self._is_closing:
            self._is_closing = True
            self.protocol.connection_lost(ConnectionResetError())

    def take(self):
        """Return what was written since the last time."""
        written = bytes(self.written)
        self.written.clear()
        return written

    def _lose(self, error):
        if not self._is_closing:
            self._is_closing = True
            self.loop.call_soon(self.protocol.connection_lost, error)


class FakeTask:
    """A coroutine that runs, from the loop's turn on, whenever what it waits for is there."""

    def __init__(self, loop, coroutine):
        self.loop = loop
        self.coroutine = coroutine
        self.is_done = False
        loop.call_soon(self.step, lambda: coroutine.send(None))

    def step(self, advance):
        if self.is_done:
            return
        try:
            advance().on_done = lambda: self.step(lambda: self.coroutine.send(None))
        except (StopIteration, asyncio.CancelledError):
            self.is_done = True

    def cancel(self):
        self.loop.call_soon(self.step, lambda: self.coroutine.throw(asyncio.CancelledError()))
        return True


class Dial:
    """A connection that the code has begun to open; the test decides what becomes of it."""

    def __init__(self, loop, factory, host, port, options):
        self.loop = loop
        self.factory = factory
        self.host, self.port, self.options = host, port, options
        self.error = None
        self.was_cancelled = False
        self.transport = None
        self.on_done = None

    def accept(self):
        protocol = self.factory()
        self.transport = FakeTransport(self.loop, protocol)
        protocol.connection_made(self.transport)
        self.on_done()
        return self.transport

    def refuse(self, error):
        self.error = error
        self.on_done()

    def __await__(self):
        try:
            yield self
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if self.error is not None:
            raise self.error


class FakeLoop:
    """Time that the test moves, callbacks that the test runs. Use it as a context."""

    def __init__(self):
        self.now_s = 1000.0
        self.soon = []
        self.timers = []
        self.dials = []

    def __enter__(self):
        _set_running_loop(self)
        return self

    def __exit__(self, *error):
        _set_running_loop(None)

    def time(self):
        return self.now_s

    def call_soon(self, callback, *args):
        self.soon.append((callback, args))

    def call_later(self, delay_s, callback, *args):
        timer = FakeTimer(self.now_s + delay_s, callback, args)
        self.timers.append(timer)
        return timer

    def pass_time(self, seconds):
        """Move time on, and make the calls that were due meanwhile, each at its time."""
        end_s = self.now_s + seconds
        while due := [t for t in self.timers if t.at_s <= end_s and not t.is_cancelled]:
            timer = min(due, key=lambda each: each.at_s)
            self.timers.remove(timer)
            self.now_s = max(self.now_s, timer.at_s)
            timer.callback(*timer.args)
            self.turn()
        self.now_s = end_s

    def turn(self):
        """Run what waits, and what that leaves to run."""
        for _ in range(100):
            if not self.soon:
                return
            soon, self.soon = self.soon, []
            for callback, args in soon:
                callback(*args)
        raise AssertionError("callbacks without end")

    def create_task(self, coroutine):
        return FakeTask(self, coroutine)

    async def create_connection(self, factory, host, port, **options):
        dial = Dial(self, factory, host, port, options)
        self.dials.append(dial)
        await dial
        return dial.transport, dial.transport.protocol

    def connect(self, protocol, **options):
        """Give `protocol` a connection; return its transport."""
        transport = FakeTransport(self, protocol, **options)
        protocol.connection_made(transport)
        return transport


class FakeTimer:
    def __init__(self, at_s, callback, args):
        self.at_s, self.callback, self.args = at_s, callback, args
        self.is_cancelled = False

    def cancel(self):
        self.is_cancelled = True


class FakeStrand(Strand, kw_only=True):
    """A strand that remembers how it ended."""

    endings: list[BaseException | None] = field(default_factory=list)

    def on_end(self, error):
        self.endings.append(error)

    @property
    def error(self):
        (error,) = self.endings
        return error

    @classmethod
    def run(cls, body):
        """Start `body`, a function of the strand; return the strand."""
        strand = cls()
        work = body(strand)  # of an async function, or of a wait alone: a generator
        strand.steps = work.__await__() if hasattr(work, "__await__") else work
        strand.resume()
        return strand
