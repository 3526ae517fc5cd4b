"""What do tests of the listener room hold in their hands? A door on a fake loop, and its answers.

One place that constructs: a `Listener` in front of a coroutine that the test writes.
"""

from collections import Counter

import httptools

from arkway.listener.connection_io import Connection
from arkway.listener.reader import ReaderLimits
from arkway.listener.server_io import Listener, ListenerTimeouts
from arkway.wire.outbox import Outbox
from support.fakes import FakeLoop

TIMEOUTS = ListenerTimeouts(
    header_timeout_s=10.0,
    body_grace_s=5.0,
    body_min_bytes_per_s=100,
    keep_alive_s=60.0,
    write_stall_s=30.0,
    heartbeat_s=15.0,
)


class Response:
    """One answer as an HTTP client reads it."""

    def __init__(self):
        self.status = 0
        self.headers = {}
        self.body = b""
        self.is_whole = False


class Answers:
    """Answers of one connection, oldest first. `heads`: those without a body (to HEAD)."""

    def __init__(self, data):
        self.all = []
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(data)

    def on_message_begin(self):
        self.all.append(Response())

    def on_header(self, name, value):
        self.all[-1].headers[name.decode().lower()] = value.decode()

    def on_headers_complete(self):
        self.all[-1].status = self._parser.get_status_code()

    def on_body(self, body):
        self.all[-1].body += body

    def on_message_complete(self):
        self.all[-1].is_whole = True


class Front:
    """What is behind the door: `serve` is the test's coroutine function of an exchange."""

    def __init__(self, serve):
        self.serve = serve
        self.crashes = []
        self.counts = Counter()
        self.refused = []
        self.ids = 0

    def on_crash(self, exchange, error):
        self.crashes.append(error)

    def new_id(self):
        self.ids += 1
        return f"id-{self.ids}"

    def count(self, kind):
        self.counts[kind] += 1

    def on_refused(self, error):
        self.refused.append(error.code)


class ListenerLab:
    def __init__(self, loop: FakeLoop, serve, *, timeouts=TIMEOUTS, **bounds):
        self.loop = loop
        self.front = Front(serve)
        self.outbox = Outbox(loop.call_soon)
        limits = {"max_header_bytes": 8192, "max_headers": 50, "max_body_bytes": 100_000}
        limits = {name: bounds.pop(name, limit) for name, limit in limits.items()}
        bounds = {"max_connections": 100, "max_buffered_body_bytes": 1_000_000} | bounds
        self.listener = Listener(
            self.front, ReaderLimits(**limits), timeouts, self.outbox, **bounds
        )

    def connect(self, **options):
        """Let a caller connect; return the caller's end."""
        return self.loop.connect(Connection(self.listener), **options)

    def ask(self, *pieces, connection=None):
        """Let `pieces` arrive on a connection; return it."""
        connection = connection or self.connect()
        connection.deliver(*pieces)
        self.loop.turn()
        return connection

    def wait(self, seconds):
        """Let time pass as the runtime does."""
        until_s = self.loop.now_s + seconds
        while self.loop.now_s < until_s:
            self.loop.now_s = min(until_s, self.loop.now_s + 0.25)
            self.listener.now_s = self.loop.now_s
            self.listener.sweep(self.loop.now_s)
            self.loop.turn()


def answers(connection):
    """Return what was answered on `connection` since the last time."""
    return Answers(connection.take()).all


def answer(connection):
    (only,) = answers(connection)
    return only


def post(body=b"{}", *lines, line=b"POST /x HTTP/1.1", host=b"host: h\r\n", length=True):
    head = line + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines)
    return head + (b"content-length: %d\r\n" % len(body) if length else b"") + b"\r\n" + body
