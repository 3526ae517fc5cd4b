"""NiceGUI, set up: its one application of this process, with our pages on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from nicegui import app as nicegui_app
from nicegui import ui

from arkway.console.feed_io import Feed
from arkway.console.pages import register
from arkway.control.admin.api import AdminApi
from arkway.telemetry.log_io import Log, where_of

_BRAND = {"primary": "#0b6e69", "negative": "#b3261e", "positive": "#17713a", "warning": "#8a5200"}


APPLICATION = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
nicegui_app.config.socket_io_js_transports = ["websocket"]
nicegui_app.config.quasar_config = {
    "brand": _BRAND,
    "loadingBar": {"color": "primary", "skipHijack": True},
}
register()
ui.run_with(
    APPLICATION,
    title="Arkway",
    dark=None,
    tailwind=False,
    show_welcome_message=False,
    reconnect_timeout=10.0,
    binding_refresh_interval=None,
)


def new_feed(api: AdminApi, log: Log) -> Feed:
    """Return what live pages are fed by; faults of pages go to `log`. Called once."""

    def tell(error: Exception) -> None:
        """Log a fault of a page as the guard logs one of a request: what and where, no values."""
        kind, where = type(error).__name__, where_of(error)
        log.event("error", "console_error", kind=kind, where=where)

    nicegui_app.on_exception(tell)
    return Feed(api)


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    """Run NiceGUI's own tasks."""
    async with APPLICATION.router.lifespan_context(APPLICATION):
        yield
