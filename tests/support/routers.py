"""Which routes are there? Read from the routers themselves, so that none can be forgotten.

Each is `METHOD path` in the router's own words. What is not understood is named as it is: it is in
no table, so a test fails.
"""

import importlib.metadata
import json
import os
from collections.abc import Iterable
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from starlette.routing import Mount, Route

from arkway.console import app as console
from arkway.control.admin.api import AdminApi
from arkway.listener import routes as public_routes


def public() -> list[str]:
    """Return the routes of the public listener."""
    return [f"{method} {path}" for method, path in public_routes.listed()]


def nicegui_version() -> str:
    """Return the version that NiceGUI's own paths have in them."""
    try:
        return importlib.metadata.version("nicegui")
    except importlib.metadata.PackageNotFoundError:
        return "none"


def ops(port: int) -> list[str]:
    """Return the routes of a running ops port: it names them to who asks for another one."""
    with pytest.raises(HTTPError) as answer:
        urlopen(f"http://127.0.0.1:{port}/none", timeout=5)
    with answer.value as body:
        known = json.load(body)
    return [f"GET {path}" for path in known["paths"]] + [f"POST {at}" for at in known["actions"]]


def control(guard: Any) -> list[str]:
    """Return the routes of the control process, as `runtime.control_app.application` made it."""
    return _below("", guard._app.routes)


def _below(prefix: str, routes: Iterable[Any]) -> list[str]:
    return [name for route in routes for name in _named(prefix, route)]


def _named(prefix: str, route: Any) -> list[str]:
    inner = getattr(route, "app", None)
    if isinstance(inner, AdminApi):
        return [f"{each.method} {each.path}" for each in inner.operations]
    if isinstance(route, Mount):
        here = prefix + route.path
        if isinstance(inner, console.Console):
            return _of_console()
        if here == "/_nicegui_ws":
            return [f"SOCKET {here}/*"]
        return _below(here, route.routes) or [f"GET {here}/*"]
    if isinstance(route, Route):
        methods = sorted((route.methods or {"ANY"}) - {"HEAD"})  # HEAD comes with GET
        return [f"{method} {prefix}{route.path}" for method in methods]
    return [f"{type(route).__name__} {prefix}{getattr(route, 'path', '?')}"]


def _of_console() -> list[str]:
    """Return what its gate lets everybody have, and what NiceGUI has behind it."""
    os.environ["NICEGUI_STORAGE_PATH"] = os.devnull  # as the console does before it imports it
    server = pytest.importorskip("arkway.console.server", reason="needs the extra `console`")
    version = nicegui_version()
    gate = [f"GET {path}*" if path.endswith("/") else f"GET {path}" for path in console.OPEN]
    behind = _below("", server.APPLICATION.routes)
    return gate + [name.replace(f"/{version}/", "/VERSION/") for name in behind]
