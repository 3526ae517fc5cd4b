"""What happens on one caller's connection? Requests in, one answer at a time out. Hot path.

    bytes -> RequestReader -> Exchange -> front.begin(exchange) ... exchange.respond / write / end

Flow control: when the caller does not read, the transport pauses us, `Exchange.on_pause` stops
the upstream, and the sweep cuts the connection after `write_stall_s`. A second request that
arrives while the first is answered waits, and reading stops until its turn.
"""

import asyncio
from typing import TYPE_CHECKING, cast

from arkway.listener.exchange_io import Exchange
from arkway.listener.reader import RequestReader
from arkway.model.call import RawRequest
from arkway.model.errors import GatewayError, Overloaded, RequestTimeout, forget_frames

if TYPE_CHECKING:
    from arkway.listener.server_io import Listener

WRITE_HIGH_WATER_BYTES = 64 * 1024
# After an early refusal we read and drop the rest of the body, so that the answer is not lost to
# a reset: this long at most. nginx's lingering_timeout is 5 s.
LINGER_S = 3.0


class Connection(asyncio.Protocol):
    """One caller's connection."""

    __slots__ = (
        "_active",
        "_is_closing",
        "_is_reading_paused",
        "_paused_since_s",
        "_pending_refusal",
        "_put",
        "_reader",
        "_transport",
        "_unsent_bytes",
        "_waits_since_s",
        "_write",
        "is_paused",
        "listener",
        "memo",
    )

    def __init__(self, listener: "Listener") -> None:
        self.listener = listener
        self._put = listener.outbox.put
        self._active: Exchange | None = None
        self._is_closing = False  # an answer was sent that ends the connection; the rest is dropped
        self._is_reading_paused = False
        self._pending_refusal: GatewayError | None = None  # its turn comes after the requests'
        self._paused_since_s = 0.0  # while `is_paused`: since then the caller has read nothing
        self._unsent_bytes = 0
        self._waits_since_s = listener.now_s  # since when the current head or idle time runs
        self.is_paused = False
        self.memo: object = None  # what the pipeline remembers from one request to the next

    # asyncio callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; refuse at once when the gateway is full."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not a subclass
        self._write = self._transport.write
        self._transport.set_write_buffer_limits(WRITE_HIGH_WATER_BYTES)
        peer = transport.get_extra_info("peername")
        self._reader = RequestReader(self.listener.limits, peer[0] if peer else "")
        if not self.listener.opened(self):
            self._refuse(Overloaded("Too many connections are open.", retry_after_s=1.0))

    def data_received(self, data: bytes) -> None:
        """Take what arrived."""
        if self._is_closing or self._pending_refusal is not None:
            return
        if self._active is None:
            request = self._reader.recognise(data)
            if request is not None:
                self._begin(request)
                return
        self._read(data)

    def _read(self, data: bytes) -> None:
        """Take what is not a known request, whole."""
        reader = self._reader
        if reader.is_idle:
            self._waits_since_s = self.listener.now_s
        refusal = None
        try:
            reader.feed(data)
        except GatewayError as error:
            forget_frames(error)
            refusal = error
        active = self._active
        if active is not None and active.is_waiting_for_body and active.request.has_ended():
            active.resume()
        if reader.requests:
            if self._active is None:
                self._begin_next()
            if reader.requests and not self._is_reading_paused and not self._is_closing:
                self._is_reading_paused = True
                self._transport.pause_reading()
        if refusal is not None:
            self._refuse(refusal)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell the running call, and be forgotten."""
        self._is_closing = True
        self.listener.closed(self)
        self._reader.close()
        active, self._active = self._active, None
        if active is not None:
            active.gone()

    def pause_writing(self) -> None:
        """The caller reads slower than the upstream sends."""
        self.is_paused = True
        self._paused_since_s = self.listener.now_s
        self._unsent_bytes = self._transport.get_write_buffer_size()
        if self._active is not None and self._active.on_pause is not None:
            self._active.on_pause()

    def resume_writing(self) -> None:
        """The caller has caught up."""
        self.is_paused = False
        if self._active is not None and self._active.on_resume is not None:
            self._active.on_resume()

    # For the exchange.

    def send(self, data: bytes) -> None:
        """Write, soon."""
        self._put(self._write, data)

    def exchange_ended(self, exchange: Exchange, close: bool) -> None:
        """Go on to the next request, or close."""
        if exchange is not self._active:
            return
        self._active = None
        self._waits_since_s = self.listener.now_s
        if close:
            self._close(lingering=not exchange.request.is_complete)
        elif self._reader.requests:
            self.listener.call_soon(self._begin_next)
        elif self._pending_refusal is not None:
            self._refuse(self._pending_refusal)

    # For the listener.

    def sweep(self, now_s: float) -> None:
        """Apply the clocks; called a few times a second."""
        limits = self.listener.timeouts
        active = self._active
        if self._is_closing:
            if now_s - self._waits_since_s >= LINGER_S:
                self._transport.abort()
        elif self.is_paused and self._has_stalled(now_s):
            self.listener.count("write_stalled")
            self._transport.abort()
        elif active is not None:
            if active.is_waiting_for_body:
                self._sweep_body(active, now_s)
            else:
                active.heartbeat(now_s, limits.heartbeat_s)
        elif self._reader.is_idle:
            if now_s - self._waits_since_s >= limits.keep_alive_s or self.listener.is_draining:
                self._close(lingering=False)
        elif now_s - self._waits_since_s >= limits.header_timeout_s:
            self._refuse(
                RequestTimeout(f"The headers did not arrive within {limits.header_timeout_s:g} s.")
            )

    def cut(self, error: GatewayError) -> None:
        """End the answer that is under way with `error`."""
        if self._active is not None:
            self._active.throw(error)

    @property
    def key_digest(self) -> bytes:
        """The digest of the key whose call is under way; empty when there is none."""
        return b"" if self._active is None else self._active.key_digest

    @property
    def is_streaming(self) -> bool:
        """Whether a part of an answer has been sent."""
        return self._active is not None and self._active.is_streaming

    def abort(self) -> None:
        """Close at once, whatever is going on."""
        self._transport.abort()

    @property
    def upload_bytes(self) -> int:
        """Bytes of a request body that is still arriving."""
        return self._reader.body_bytes

    def refuse_upload(self, error: GatewayError) -> None:
        """Refuse the body that is arriving."""
        if self._active is not None and self._active.is_waiting_for_body:
            self._active.request.refusal = error
            self._active.resume()

    def _begin_next(self) -> None:
        requests = self._reader.requests
        if self._active is not None or not requests or self._is_closing:
            return
        request = requests.popleft()
        if self._is_reading_paused and not requests:
            self._is_reading_paused = False
            self._transport.resume_reading()
        self._begin(request)

    def _begin(self, request: RawRequest) -> None:
        self._active = exchange = self.listener.new_exchange(self, request)
        exchange.resume()

    def _refuse(self, error: GatewayError) -> None:
        """Answer a broken request and close. A running answer is cut: it cannot be delimited."""
        active = self._active
        if active is None and self._reader.requests:
            self._pending_refusal = error
            return
        self.listener.count(error.code)
        if active is None or not active.is_waiting_for_body:  # others are told by their call
            self.listener.on_refused(error)
        if active is None:
            self.send(self.listener.refusal(error))
            self._close(lingering=True)
        elif active.is_waiting_for_body:
            self.refuse_upload(error)
        else:
            self._is_closing = True
            self._transport.abort()

    def _has_stalled(self, now_s: float) -> bool:
        """Whether the caller has read nothing for too long; one that reads slowly has not."""
        unsent_bytes = self._transport.get_write_buffer_size()
        if unsent_bytes < self._unsent_bytes:
            self._paused_since_s = now_s
        self._unsent_bytes = unsent_bytes
        return now_s - self._paused_since_s >= self.listener.timeouts.write_stall_s

    def _sweep_body(self, exchange: Exchange, now_s: float) -> None:
        limits = self.listener.timeouts
        age_s = now_s - exchange.received_s
        owed_bytes = (age_s - limits.body_grace_s) * limits.body_min_bytes_per_s
        if age_s >= limits.body_grace_s and self._reader.body_bytes < owed_bytes:
            self.refuse_upload(
                RequestTimeout(
                    "The request body arrived too slowly: at least "
                    f"{limits.body_min_bytes_per_s} bytes/s are needed after "
                    f"{limits.body_grace_s:g} s."
                )
            )

    def _close(self, *, lingering: bool) -> None:
        self._is_closing = True
        self._waits_since_s = self.listener.now_s
        self.listener.outbox.flush()
        if lingering and self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()
