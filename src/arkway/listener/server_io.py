"""What does one listening socket own? Its connections, their bounds and their clocks."""

import asyncio
import socket
from collections.abc import Container, Coroutine
from typing import Any, Protocol

import msgspec

from arkway.listener.connection_io import Connection
from arkway.listener.exchange_io import Exchange, error_headers
from arkway.listener.reader import ReaderLimits
from arkway.model.call import RawRequest
from arkway.model.errors import GatewayError, KeyDisabled, Overloaded
from arkway.model.ids import RequestId
from arkway.wire import http
from arkway.wire.openai import error_body
from arkway.wire.outbox import Outbox

# What the kernel may hold of a stream beyond what is on its way to the caller.
UNSENT_BYTES = 64 * 1024


class ListenerTimeouts(msgspec.Struct, frozen=True):
    """Clocks of a caller's connection (unit: s unless named)."""

    header_timeout_s: float = 10.0
    body_grace_s: float = 10.0
    body_min_bytes_per_s: int = 1024
    keep_alive_s: float = 75.0
    write_stall_s: float = 30.0
    heartbeat_s: float = 15.0


class Front(Protocol):
    """What the listener needs of the rest of the gateway."""

    def serve(self, exchange: Exchange) -> Coroutine[Any, None, None]:
        """Return the work on one exchange, to be run on it as its strand."""

    def on_crash(self, exchange: Exchange, error: BaseException) -> None:
        """The work itself failed: a bug."""

    def new_id(self) -> RequestId:
        """Return a fresh request id."""

    def count(self, kind: str) -> None:
        """Count what never becomes a call."""

    def on_refused(self, error: GatewayError) -> None:
        """Learn of a request that was refused before it became one."""


class Listener:
    """The public door: accepts connections and hands complete heads to `front`.

    `now_s` is a coarse clock, set by the runtime several times a second: good enough for every
    timeout here, and free to read on the hot path.
    """

    def __init__(
        self,
        front: Front,
        limits: ReaderLimits,
        timeouts: ListenerTimeouts,
        outbox: Outbox,
        *,
        max_connections: int,
        max_buffered_body_bytes: int,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.limits = limits
        self.timeouts = timeouts
        self.outbox = outbox
        self.count = front.count
        self.on_refused = front.on_refused
        self.call_soon = loop.call_soon
        self.now_s = loop.time()
        self.is_draining = False
        self.front = front
        self._time = loop.time
        self._new_id = front.new_id
        self._serve = front.serve
        self._max_connections = max_connections
        self._max_buffered_body_bytes = max_buffered_body_bytes
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int, backlog: int) -> int:
        """Listen; return the port. Errors: OSError when the address is taken."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        door = socket.create_server((host, port), family=family, backlog=backlog)
        # Accepted sockets inherit it: what a caller has not read stays with us, where it pauses
        # the upstream, and not in a kernel buffer of megabytes.
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), sock=door, backlog=backlog
        )
        return int(self._server.sockets[0].getsockname()[1])

    def stop_accepting(self) -> None:
        """Take no new connections; those that are open go on."""
        if self._server is not None:
            self._server.close()

    def drain(self) -> None:
        """Answer what is under way, close what is idle."""
        self.is_draining = True

    def cut_all(self, error: GatewayError) -> None:
        """End every answer that is under way with `error`."""
        for connection in [*self._connections]:
            connection.cut(error)
        self.outbox.flush()

    def cut_revoked(self, keys: Container[bytes]) -> int:
        """End the calls whose key is not among `keys` any more; return how many they were."""
        revoked = [c for c in self._connections if c.key_digest and c.key_digest not in keys]
        for connection in revoked:
            connection.cut(KeyDisabled("This API key has been revoked."))
        self.outbox.flush()
        return len(revoked)

    def abort_all(self) -> None:
        """Close every connection at once."""
        for connection in [*self._connections]:
            connection.abort()

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._connections)

    @property
    def streams(self) -> int:
        """Answers of which a part has been sent. Cost: a look at each connection."""
        return sum(connection.is_streaming for connection in self._connections)

    def sweep(self, now_s: float) -> None:
        """Apply the clocks of all connections; called a few times a second."""
        buffered_bytes = 0
        for connection in [*self._connections]:
            connection.sweep(now_s)
            buffered_bytes += connection.upload_bytes
        if buffered_bytes > self._max_buffered_body_bytes:
            self._shed(buffered_bytes)

    def refusal(self, error: GatewayError) -> bytes:
        """Return a whole answer that refuses a request which never became one."""
        body = error_body(error)
        headers = http.header_lines({"x-request-id": self._new_id()}) + error_headers(error)
        return http.json_answer(error.status, headers, body, keep_alive=False)

    # For connections.

    def new_exchange(self, door: Connection, request: RawRequest) -> Exchange:
        """Return the exchange of `request`, ready to be resumed."""
        exchange = Exchange(door, request, self._new_id(), self._time(), self.now_s)
        exchange.steps = self._serve(exchange).__await__()
        return exchange

    def opened(self, connection: Connection) -> bool:
        """Take in a new connection; False when there are too many."""
        self._connections.add(connection)
        return len(self._connections) <= self._max_connections

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def _shed(self, buffered_bytes: int) -> None:
        """Refuse the largest uploads until the bodies in memory are within their bound."""
        uploads = sorted(self._connections, key=lambda connection: connection.upload_bytes)
        while uploads and buffered_bytes > self._max_buffered_body_bytes:
            connection = uploads.pop()
            buffered_bytes -= connection.upload_bytes
            connection.refuse_upload(
                Overloaded("Too many request bodies are in memory.", retry_after_s=2.0)
            )
