"""What stands on the control process, and in which order? Its composition.

    Guard -> /admin        the admin API (`arkway.control.admin`)
          -> MOUNTED       what else is served, by prefix: longest first, "/" last

Whatever is mounted shares the guard (Host, headers, crashes), and authorises through
`AdminApi.authenticate` and `AdminApi.perform`: there is no second policy.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from arkway.console import app as console
from arkway.control.admin.api import PREFIX, AdminApi, error_response
from arkway.control.admin.errors import AdminError
from arkway.control.admin.guard import Guard, Names
from arkway.control.admin.operation import Desk
from arkway.runtime.docs_writer_io import docs_writer
from arkway.site.app import docs_app
from arkway.telemetry.log_io import Log


def _documentation(api: AdminApi, log: Log) -> ASGIApp:
    return docs_app(write_answer=docs_writer(api.desk, log))


# Each takes the admin API and returns an application; heavy imports belong inside it.
MOUNTED: tuple[tuple[str, Callable[[AdminApi, Log], ASGIApp]], ...] = (
    ("/docs", _documentation),
    ("/", console.make),
)


def application(desk: Desk, log: Log) -> ASGIApp:
    """Return the control process as one ASGI application."""
    api = AdminApi(desk)
    mounted = [(prefix.rstrip("/"), make(api, log)) for prefix, make in MOUNTED]
    routes: list[BaseRoute] = [_AdminRoute(api)]
    routes += [Route(prefix, _slash) for prefix, _ in mounted if prefix]
    routes += [Mount(prefix, app=app) for prefix, app in mounted]

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        """Start and stop what has a `lifespan`: a router passes no events on."""
        async with AsyncExitStack() as stack:
            for _, app in mounted:
                if lives := getattr(app, "lifespan", None):
                    await stack.enter_async_context(lives())
            yield

    router = Router(routes, redirect_slashes=False, default=_nothing, lifespan=lifespan)
    control = desk.config.control
    return Guard(router, Names(control.host, control.public_url), log)


class _AdminRoute(BaseRoute):
    """Everything that begins with /admin, as the bytes of the path say; never a WebSocket."""

    def __init__(self, api: AdminApi) -> None:
        self.app = api

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = scope.get("raw_path", b"")
        is_ours = path == PREFIX or path.startswith(PREFIX + b"/")
        found = Match.FULL if is_ours and scope["type"] == "http" else Match.NONE
        return found, {}

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """Make no URL: nobody asks."""
        raise NotImplementedError(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        await self.app(scope, receive, send)


async def _slash(request: Request) -> Response:
    """Go one level below: what is mounted there links from it."""
    return RedirectResponse(f"{request.url.path}/")


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what nothing is mounted for."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    error = AdminError("not_found", "there is nothing here; the admin API is at /admin/v1")
    await error_response(error, scope["state"]["request_id"])(scope, receive, send)
