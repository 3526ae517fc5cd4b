"""Is this node alive, should it get traffic, how is it doing? The operators' port.

Loopback by default and without keys: it tells names, counts and health, and no secret, prompt or
answer. Actions are for the gateway's own processes alone, which prove that they are. Requests are
too few to matter: a plain asyncio protocol, one answer a connection, framed by httptools like all
HTTP here.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

import httptools
import msgspec

from arkway.control.proof import HEADER
from arkway.wire import http

# Health checks come from load balancers and probes: a few connections, a few hundred bytes each.
MAX_REQUEST_BYTES = 8 * 1024
READ_TIMEOUT_S = 5.0

Readiness = Callable[[], tuple[bool, dict[str, object]]]
Reply = Callable[[str, bytes], None]  # content type and body of a 200; may come later
Page = Callable[[Reply], None]


class OpsRequest(msgspec.Struct, frozen=True):
    """What is asked of an action."""

    target: str  # path and query, as they came
    proof: str  # of `arkway.control.proof`; empty: none
    answer: Callable[[int, dict[str, object]], None]  # status, document; once, maybe late


Action = Callable[[OpsRequest], None]

_PROOF = HEADER.encode()
_JSON = "application/json"


class OpsConnection(asyncio.Protocol):
    """One request on the operators' port. `pages`, `actions`: what else there is, by path."""

    def __init__(
        self,
        readiness: Readiness,
        pages: Mapping[bytes, Page] | None = None,
        actions: Mapping[bytes, Action] | None = None,
    ) -> None:
        self._readiness = readiness
        self._pages, self._actions = pages or {}, actions or {}
        self._proof = b""
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._bytes = 0
        self._asked = self._answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, and do not wait for ever."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self._timer = asyncio.get_running_loop().call_later(READ_TIMEOUT_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        """Take what arrived; answer once the head is complete."""
        self._bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._answer(400, {"status": "bad request"})
        if self._bytes > MAX_REQUEST_BYTES:
            self._answer(431, {"status": "request too large"})

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the timer."""
        self._timer.cancel()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header: one is of interest."""
        if name.lower() == _PROOF:
            self._proof = value

    def on_message_complete(self) -> None:
        """Route: a few paths, GET only but for actions."""
        path, pages = self._url.partition(b"?")[0], self._pages
        if path in self._actions and self._parser.get_method() == b"POST":
            self._act(self._actions[path])
        elif path not in (b"/healthz", b"/readyz", *pages):
            self._answer(404, {"status": "unknown path", **self._known()})
        elif self._parser.get_method() != b"GET":
            self._answer(405, {"status": "use GET"})
        elif path in pages:
            if not self._asked:
                self._asked = True
                pages[path](self._reply)
        elif path == b"/healthz":
            self._answer(200, {"status": "alive"})
        else:
            is_ready, details = self._readiness()
            self._answer(200 if is_ready else 503, details)

    def _known(self) -> dict[str, object]:
        """Return what there is to ask for."""
        paths = ["/healthz", "/readyz", *(page.decode() for page in self._pages)]
        actions = [action.decode() for action in self._actions]
        return {"paths": paths, "actions": actions} if actions else {"paths": paths}

    def _act(self, action: Action) -> None:
        if self._asked:
            return
        self._asked = True
        self._timer.cancel()  # the request is whole; what it asks for has a clock of its own
        target, proof = self._url.decode("latin-1"), self._proof.decode("latin-1")
        action(OpsRequest(target, proof, self._answer))

    def _reply(self, content_type: str, body: bytes) -> None:
        self._send(http.head_of(200, content_type, len(body)) + body)

    def _answer(self, status: int, document: dict[str, object]) -> None:
        body = msgspec.json.encode(document)
        self._send(http.head_of(status, _JSON, len(body)) + body)

    def _send(self, answer: bytes) -> None:
        if self._answered or self._transport.is_closing():
            return
        self._answered = True
        self._transport.write(answer)
        self._transport.close()
