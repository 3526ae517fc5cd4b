"""How does the console stand in the control process? An ASGI application, behind a gate.

    Gate -> /login, /console/*   ours, without NiceGUI
         -> /_nicegui/*          its files: Vue, Quasar, ECharts, our components
         -> pages, WebSocket     only with a session that is good

NiceGUI has one application a process, so what is its is made once, and what is ours comes with
each request. It is imported when the process starts or a page is asked for, in a thread: the
admin API answers meanwhile. It is told to load nothing from elsewhere and to store nothing.
"""

import asyncio
import importlib.util
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from arkway.console.login import notice, page, safe_target
from arkway.console.look import look_of
from arkway.console.texts import Texts
from arkway.console.traces import MAX_BYTES
from arkway.console.visitor import admitted, threads
from arkway.control.admin.api import AdminApi
from arkway.control.admin.credentials import check_csrf, check_origin
from arkway.control.admin.errors import AdminError
from arkway.telemetry.log_io import Log

ASSETS = Path(__file__).with_name("assets")
_KEPT = "public, max-age=86400"  # the version is in their address
_SOCKETS = "/_nicegui_ws/"
_SOCKET = _SOCKETS + "socket.io/"
_FILES = "/_nicegui/"
# What needs no session: these paths, and what is below those that end with a slash.
OPEN = ("/login", "/favicon.ico", "/console/", _FILES)
MISSING = (
    "The console is not installed: pip install 'arkway[console]'. The admin API is at /admin/v1.\n"
)


def is_installed() -> bool:
    """Return whether the extra `console` is there."""
    return importlib.util.find_spec("nicegui") is not None


def make(api: AdminApi, log: Log) -> ASGIApp:
    """Return the console; for `runtime.control_app.MOUNTED`."""
    return Console(api, log) if is_installed() else _missing


class Console:
    """The gate, and what is behind it."""

    def __init__(self, api: AdminApi, log: Log) -> None:
        self._api, self._log = api, log
        self._files = StaticFiles(directory=ASSETS)
        self._inner: ASGIApp | None = None
        self._feed: Any = None
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Get ready beside the first requests; let go of everything at the end."""
        task = asyncio.get_running_loop().create_task(self._ready())
        try:
            yield
        finally:
            task.cancel()
            if self._feed is not None:
                await self._feed.close()
            await self._stack.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        answer = await self._gate(scope)
        if answer is None:
            await self._pass(scope, receive, send)
        else:
            await answer(scope, receive, send)

    async def _gate(self, scope: Scope) -> ASGIApp | None:
        """Return an answer of ours; None: it is for NiceGUI."""
        path = scope["path"]
        if path.startswith(_SOCKETS):
            return Response(status_code=404)  # WebSockets alone: no polling
        if is_open(path):
            return self._open(scope)
        if await self._admit(scope) is None:
            return _to_login(scope)
        await self._ready()
        return _known(scope)

    def _open(self, scope: Scope) -> ASGIApp | None:
        """Return the answer to what needs no session; None: NiceGUI has it."""
        if scope["path"] == "/login":
            return _login(scope)
        if scope["path"].startswith("/console/"):
            return _Kept(self._files, "/console")
        return None if scope["method"] in ("GET", "HEAD") else Response(status_code=405)

    async def _admit(self, scope: Scope) -> Any:
        headers, is_https = scope["headers"], scope["state"]["is_https"]
        found = await anyio.to_thread.run_sync(
            lambda: admitted(self._api, headers, is_https=is_https), limiter=threads()
        )
        scope["state"]["principal"] = found
        return found

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_for_us = scope["path"] == _SOCKET
        if not is_for_us or await self._admit(scope) is None:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._pass(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._ready()
        assert self._inner is not None, "it is ready"
        scope["state"]["api"], scope["state"]["feed"] = self._api, self._feed
        await self._inner(scope, receive, send)

    async def _ready(self) -> None:
        async with self._lock:
            if self._inner is not None:
                return
            os.environ["NICEGUI_STORAGE_PATH"] = os.devnull  # nothing is stored: see ADR 0024
            server = await anyio.to_thread.run_sync(_import)
            self._feed = server.new_feed(self._api, self._log)
            await self._stack.enter_async_context(server.running())
            self._inner = server.APPLICATION


def is_open(path: str) -> bool:
    """Return whether `path` is one of OPEN."""
    return any(path == each or (each[-1] == "/" and path.startswith(each)) for each in OPEN)


class _Kept:
    """Files of ours, which a browser may keep."""

    def __init__(self, files: StaticFiles, prefix: str) -> None:
        self._files = files
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(self._prefix)
        inner = {**scope, "path": path, "root_path": ""}

        async def kept(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                headers = [*message["headers"], (b"cache-control", _KEPT.encode())]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._files(inner, receive, kept)
        except HTTPException as missing:  # nothing above this turns one into its answer
            await Response(status_code=missing.status_code)(scope, receive, send)


def _import() -> Any:
    return importlib.import_module("arkway.console.server")


def _is_small(scope: Scope) -> bool:
    sizes = [value for name, value in scope["headers"] if name == b"content-length"]
    return len(sizes) == 1 and sizes[0].isdigit() and int(sizes[0]) <= MAX_BYTES


def _is_ours(scope: Scope) -> bool:
    """Return whether a page of this session sent it, by the rules of the admin API's changes."""
    headers, state = scope["headers"], scope["state"]
    try:
        check_origin(headers, state["origin"], is_required=True)
        check_csrf(headers, state["principal"].csrf)
    except AdminError:
        return False
    return True


def _login(scope: Scope) -> Response:
    asked = parse_qs(scope["query_string"].decode("latin-1")[:4096])
    target = safe_target(asked.get("next", ["/"])[0])
    return HTMLResponse(page(look_of(scope["headers"]), target, asked.get("why", [""])[0]))


def _to_login(scope: Scope) -> Response:
    if scope["method"] != "GET":
        return Response(status_code=401)
    query = scope["query_string"].decode("latin-1")
    here = scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"/login?next={quote(here)}", 303)


def _known(scope: Scope) -> Response | None:
    """Return a refusal to somebody who has logged in; None: it is for NiceGUI."""
    from arkway.console.pages import is_page, is_upload  # noqa: PLC0415 - an extra

    if is_upload(scope["path"]) and scope["method"] == "POST":
        return None if _is_small(scope) and _is_ours(scope) else Response(status_code=403)
    if not is_page(scope["path"]):
        look = look_of(scope["headers"])
        t = Texts(look.language)
        return HTMLResponse(notice(look, t("say.nothing"), t("say.nothing_lead")), 404)
    return None if scope["method"] == "GET" else Response(status_code=405)


async def _missing(scope: Scope, receive: Receive, send: Send) -> None:
    """Say that the extra is not installed."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await Response(MISSING, 404, media_type="text/plain")(scope, receive, send)
