"""Which pages are there? Each with its path and its builder, and what all of them share."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from nicegui import ui

from arkway.console.look import look_of
from arkway.console.pages import (
    access,
    accounts,
    audit,
    call,
    calls,
    key,
    keys,
    lab,
    models,
    overview,
    playground,
    settings,
    usage,
)
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.visitor import Visitor
from arkway.console.widgets import box, empty, link
from arkway.control.admin.errors import AdminError

Builder = Callable[[Scene], Awaitable[None]]

PAGES: tuple[tuple[str, Builder], ...] = (
    ("/", overview.build),
    ("/accounts", accounts.build),
    ("/keys", keys.build),
    ("/keys/{key}", key.build),
    ("/models", models.build),
    ("/usage", usage.build),
    ("/calls", calls.build),
    ("/calls/{call}", call.build),
    ("/audit", audit.build),
    ("/playground", playground.build),
    ("/lab", lab.build),
    ("/settings", settings.build),
    ("/access", access.build),
)
EXPORTS = (("/export/usage.csv", usage.export),)
_BUILD_S = 10.0  # a page reads the ledger for 2 s at most, and a few times
_PATHS = re.compile(
    "|".join(re.sub(r"\{\w+\}", "[^/]{1,300}", path) for path, _ in (*PAGES, *EXPORTS))
)


def is_page(path: str) -> bool:
    """Return whether there is a page at `path`."""
    return _PATHS.fullmatch(path) is not None


def is_upload(path: str) -> bool:
    """Return whether files are sent to `path`."""
    return path == lab.UPLOAD


def register() -> None:
    """Put the pages on NiceGUI's application; once a process."""
    from nicegui import app  # noqa: PLC0415 - its global, used here alone

    for path, builder in PAGES:
        ui.page(path, response_timeout=_BUILD_S)(_shown(builder))
    for path, export in EXPORTS:
        app.add_api_route(path, _given(export), methods=["GET"])
    app.add_api_route(lab.UPLOAD, lab.upload, methods=["POST"], response_model=None)


def visitor_of(request: Request) -> Visitor:
    """Return who sent a request that the gate let through."""
    state = request.state
    headers = list(request.headers.raw)
    look = look_of(headers)
    return Visitor(state.api, headers, state.principal, look, is_https=state.is_https)


def _shown(builder: Builder) -> Callable[[Request], Awaitable[None]]:
    async def show(request: Request) -> None:
        visitor = visitor_of(request)
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        client = ui.context.client
        scene = Scene(visitor, request.state.feed, client, (dict(request.query_params), here))
        try:
            await builder(scene)
        except AdminError as refused:
            if refused.status == 401:
                scene.leave()
                return
            client.content.clear()
            title = scene.t("say.missing" if refused.status == 404 else "say.failed")
            with (
                client.content,
                frame(scene, Place("", title)),
                box("panel"),
                empty(title, refused.message),
            ):
                link(scene.t("nav.overview"), "/")

    return show


def _given(export: Callable[[Visitor, dict[str, str]], Awaitable[Any]]) -> Any:
    async def give(request: Request) -> Any:
        return await export(visitor_of(request), dict(request.query_params))

    return give
