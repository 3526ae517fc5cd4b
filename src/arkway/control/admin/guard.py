"""What holds for every request of the control process, whoever serves it?

Its Host is a name of ours, it gets an id, and its answer the headers that browsers act on; a crash
is one log line and a 500 that says nothing. A name that a stranger's page made point to this
machine (DNS rebinding) is refused here, before anything is looked at.
"""

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arkway.control.admin.api import error_response
from arkway.control.admin.errors import AdminError
from arkway.model.ids import BLOCK_BYTES, uuid7_head, uuid7_tails
from arkway.telemetry.log_io import Log, where_of

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]{1,253}?)\.?(?::([0-9]{1,5}))?")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

# Nothing may frame us, nothing is kept by caches, nothing is guessed; per prefix, the longest
# first: what a page may load. Programs load nothing. The console builds its pages with inline
# scripts and styles of its own, and talks back over a WebSocket.
POLICIES: dict[str, str] = {
    "/admin": "default-src 'none'; frame-ancestors 'none'",
    "/docs": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' ws: wss:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'",
}
_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Names:
    """By which names this process may be called."""

    bind_host: str
    public_url: str

    def judge(self, host: str) -> str | None:
        """Return the origin of a request with this Host; None: it is not for us."""
        found = _HOST.fullmatch(host.lower())
        if found is None or int(found[2] or 0) > 65_535:
            return None
        public = urlsplit(self.public_url)
        if public.hostname and found[1] == public.hostname and _port(found[2]) == public.port:
            return self.public_url
        bound = f"[{self.bind_host}]" if ":" in self.bind_host else self.bind_host
        is_ours = found[1] in (*_LOOPBACK, bound) or found[1].endswith(".localhost")
        return f"http://{host.lower()}" if is_ours else None


def _port(text: str | None) -> int | None:
    return int(text) if text else None


class Guard:
    """Stands before everything that the control process serves."""

    def __init__(self, app: ASGIApp, names: Names, log: Log) -> None:
        self._app = app
        self._names = names
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, pass on, and add what every answer has."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = _new_id()
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        origin = self._names.judge(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
        scope["state"] = {
            **scope.get("state", {}),
            "request_id": request_id,
            "origin": origin,
            "is_https": bool(origin) and str(origin).startswith("https:"),
        }
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        started = _Started(send, _headers_of(scope["path"], request_id))
        try:
            if origin is None:
                refusal = error_response(AdminError("unknown_host"), request_id)
                await refusal(scope, receive, started)
            else:
                await self._app(scope, receive, started)
        except Exception as error:  # noqa: BLE001  whatever it was, the process goes on
            self._tell(error, request_id)
            if not started.has_started:
                refusal = error_response(AdminError("internal_error"), request_id)
                await refusal(scope, receive, started)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a WebSocket of our own pages through; browsers send its Origin always."""
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if scope["state"]["origin"] is None or origins != [scope["state"]["origin"]]:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    def _tell(self, error: Exception, request_id: str) -> None:
        kind, where = type(error).__name__, where_of(error)
        self._log.event("error", "control_error", request_id=request_id, kind=kind, where=where)


class _Started:
    """An answer on its way: whether it has begun, and the headers it is given."""

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self._send = send
        self._headers = headers
        self.has_started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            there = {name.lower() for name, _ in message["headers"]}
            more = [
                (name.encode(), value.encode())
                for name, value in self._headers.items()
                if name.encode() not in there
            ]
            message = {**message, "headers": [*message["headers"], *more]}
        await self._send(message)


def _headers_of(path: str, request_id: str) -> dict[str, str]:
    found = (each for each in POLICIES if path == each or path.startswith(f"{each}/"))
    prefix = next(found, "")  # a path that does not begin with a slash is nobody's
    return {**_HEADERS, "content-security-policy": POLICIES[prefix], "x-request-id": request_id}


def _new_id() -> str:
    tail = uuid7_tails(os.urandom(BLOCK_BYTES)).pop()
    return uuid7_head(time.time_ns() // 1_000_000) + tail
