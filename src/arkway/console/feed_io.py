"""Who asks the gateway how it is, for all open pages? One loop, while somebody looks.

Ten browsers cost the gateway what one does: one `/status` a second. A page that is hidden or gone
is sent nothing, and when nobody looks nothing is asked.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import anyio.to_thread
import httpx
import msgspec

from arkway.console import formats, live
from arkway.console.live import Picture, Point
from arkway.console.notices import Notices
from arkway.console.visitor import Visitor, threads
from arkway.control.admin.api import AdminApi
from arkway.control.admin.errors import AdminError
from arkway.control.reach import url_of

EVERY_S = 1.0
MAX_SUBSCRIBERS = 64  # open pages that are live; one more shows what it was built with
OPS_TIMEOUT_S = 0.8
MAX_OPS_BYTES = 2 * 1024 * 1024
_CALLS_EVERY, _USAGE_EVERY, _METRICS_EVERY, _SESSION_EVERY = 2, 5, 5, 10  # of EVERY_S
_CALLS = 200  # a page of the API; enough for a minute without `/status`
_LINES = 2000
_ERROR_NOTES = 13  # of _METRICS_EVERY: the errors of the last minute

Document = Mapping[str, Any]


class Subscriber:
    """One open page."""

    def __init__(
        self,
        visitor: Visitor,
        show: Callable[[Picture], None],
        leave: Callable[[], Awaitable[None] | None],
    ) -> None:
        self.visitor = visitor
        self.show = show
        self.leave = leave
        self.is_seen = True


class Feed:
    """The one loop. Made where the event loop of the control process runs."""

    def __init__(self, api: AdminApi) -> None:
        self.picture = Picture()
        self.notices = Notices()
        self._api = api
        self._subscribers: set[Subscriber] = set()
        self._task: asyncio.Task[None] | None = None
        self._notes: deque[Mapping[tuple[str, str], float]] = deque(maxlen=_ERROR_NOTES)
        server = api.desk.config.server
        self._ops = url_of(server.ops_host, server.ops_port)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Show the picture to a page from now on."""
        if len(self._subscribers) < MAX_SUBSCRIBERS:
            self._subscribers.add(subscriber)
            self.wake()

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Forget a page."""
        self._subscribers.discard(subscriber)

    def wake(self) -> None:
        """Go on: somebody looks."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        tick = 0
        async with httpx.AsyncClient(timeout=OPS_TIMEOUT_S, trust_env=False) as client:
            while any(each.is_seen for each in self._subscribers):
                await self._look(client, tick)
                if tick % _SESSION_EVERY == 0:
                    await self._put_out()
                self._show()
                tick += 1
                await asyncio.sleep(EVERY_S)

    async def _look(self, client: httpx.AsyncClient, tick: int) -> None:
        """Renew the picture; what cannot be had stays as it was."""
        picture, now_ms = self.picture, self._api.desk.now_ms()
        status = await self._document(client, "/status")
        if tick % _CALLS_EVERY == 0:
            picture.calls = await self._items("list_calls", {"limit": _CALLS}, picture.calls)
        if tick % _USAGE_EVERY == 0:
            asked = {"by": "model,account", "since": formats.day(now_ms), "limit": _LINES}
            picture.today = await self._items("list_usage", asked, picture.today)
        if status is not None and "rates" in status:
            picture.now = live.of_status(status)
        else:
            ready = await self._document(client, "/readyz")
            state = "unreachable" if ready is None else str(ready.get("status", ""))
            picture.now = live.of_calls(picture.calls, now_ms, state)
        if tick % _METRICS_EVERY == 0:
            await self._errors(client)
        now = picture.now
        picture.points.append(
            Point(now_ms, now.calls_per_s, now.input_per_s, now.output_per_s, now.first_token_s)
        )

    async def _errors(self, client: httpx.AsyncClient) -> None:
        text = await self._text(client, "/metrics")
        if text is not None and "arkway_errors_total" in text:
            self._notes.append(live.errors_of_metrics(text))
            self.picture.errors = live.added(self._notes[-1], self._notes[0])
            return
        self._notes.clear()
        since = self._api.desk.now_ms() - live.WINDOW_MS
        found: dict[tuple[str, str], float] = {}
        for call in self.picture.calls:
            if call["code"] and call["at_ms"] >= since:
                found["", call["code"]] = found.get(("", call["code"]), 0.0) + 1
        self.picture.errors = found

    async def _document(self, client: httpx.AsyncClient, path: str) -> dict[str, Any] | None:
        text = await self._text(client, path)
        try:
            return None if text is None else msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError:
            return None

    async def _text(self, client: httpx.AsyncClient, path: str) -> str | None:
        """Return what the ops port answers; None: it is away, slow, or knows no such path."""
        body = b""
        try:
            async with asyncio.timeout(OPS_TIMEOUT_S):
                async with client.stream("GET", self._ops + path) as answer:
                    if answer.status_code not in (200, 503):
                        return None
                    async for piece in answer.aiter_bytes():
                        body += piece
                        if len(body) > MAX_OPS_BYTES:
                            return None
        except (httpx.HTTPError, OSError, TimeoutError):
            return None
        return body.decode("utf-8", "replace")

    async def _items(
        self, operation: str, query: Mapping[str, Any], otherwise: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Return a page of a list, asked for as one of those who look: all of them may see it."""
        by = next((each.visitor.principal for each in self._subscribers), None)
        if by is None:
            return otherwise
        try:
            found = await anyio.to_thread.run_sync(
                self._api.perform, by, operation, {"query": query}, limiter=threads()
            )
        except AdminError:
            return otherwise
        assert isinstance(found, dict), "a list is a document"
        return list(found["items"])

    async def _put_out(self) -> None:
        """Show out those whose session has ended."""
        for each in tuple(self._subscribers):
            if not await anyio.to_thread.run_sync(each.visitor.is_still_in, limiter=threads()):
                self.unsubscribe(each)
                left = each.leave()
                if left is not None:
                    await left

    def _show(self) -> None:
        for each in tuple(self._subscribers):
            if each.is_seen:
                try:
                    each.show(self.picture)
                except RuntimeError:  # NiceGUI's, for a page that has just gone
                    self.unsubscribe(each)
