"""What has a page to work with? Its visitor, its address, and how it does things and says so."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from nicegui import Client, ui

from arkway.console.feed_io import Feed, Subscriber
from arkway.console.live import Picture
from arkway.console.visitor import Visitor
from arkway.console.widgets import Form, Stage
from arkway.control.admin.errors import AdminError
from arkway.store.admin_tokens import Role

LOGIN = "/login"
_MAX_SAID = 600  # characters of a notice
_JUST_NOW_S = 1.0  # between saying that something is done and opening the page that shows it


class Scene:
    """One page that somebody has open."""

    def __init__(
        self, visitor: Visitor, feed: Feed, client: Client, where: tuple[Mapping[str, str], str]
    ) -> None:
        self.visitor = visitor
        self.t = visitor.text
        self.feed = feed
        self.client = client
        self.part: Mapping[str, str] = client.request.path_params
        self.query, self.path = where
        self._shows: list[Callable[[Picture], None]] = []
        self._said: tuple[str, str, float] | None = None  # message, tone, when

    def may(self, role: Role) -> bool:
        """Return whether what a role may do is offered."""
        return self.visitor.may(role)

    async def do(self, operation: str, **ask: Mapping[str, Any]) -> dict[str, Any]:
        """Do an operation of the admin API; see `Visitor.do`."""
        return await self.visitor.do(operation, **ask)

    async def items(self, operation: str, **query: object) -> list[dict[str, Any]]:
        """Return the first page of a list."""
        found = await self.do(operation, query=query)
        return list(found["items"])

    def acting(self, work: Callable[..., Awaitable[None]], form: Form | None = None) -> Any:
        """Return `work` as a handler of an event: what the API refuses is said, not raised."""

        async def handle(*arguments: Any) -> None:
            try:
                await work(*arguments)
            except AdminError as refused:
                self.refuse(refused, form)

        return handle

    def refuse(self, refused: AdminError, form: Form | None = None) -> None:
        """Say why something was not done; at the fields of a form, where it is about them."""
        if refused.status == 401:
            self.leave()
            return
        names = {field["name"] for field in form.props["fields"]} if form else set()
        beside = {
            each.path: f"{each.message} {each.hint}".strip()
            for each in refused.problems
            if each.path in names
        }
        if form is not None:
            form.say_wrong(beside)
        if not beside or len(beside) < len(refused.problems):
            self.say(refused.message, "bad")

    def say(self, message: str, tone: str = "good") -> None:
        """Show a notice for a while. `message` is shown as text."""
        kinds: dict[str, Any] = {"good": "positive", "bad": "negative", "warn": "warning"}
        self._said = (message, tone, time.monotonic())
        with self.client:
            ui.notify(
                message[:_MAX_SAID],
                type=kinds[tone],
                position="bottom-right",
                timeout=8000 if tone == "bad" else 3500,
                close_button=self.t("say.close"),
                multi_line=True,
            )

    def go(self, path: str) -> None:
        """Open another page of ours; it repeats what was said just now, which nobody could read."""
        if self._said is not None and time.monotonic() - self._said[2] < _JUST_NOW_S:
            self.feed.notices.keep(self.visitor.session, *self._said)
        with self.client:
            ui.navigate.to(path)

    def repeat(self) -> None:
        """Say what was said on the page before this one."""
        notice = self.feed.notices.take(self.visitor.session, time.monotonic())
        waiting = [notice] if notice is not None else []  # a page may connect again

        def say() -> None:
            if waiting:
                self.say(*waiting.pop())

        self.client.on_connect(say)

    def filtering(self, path: str) -> Callable[[dict[str, Any]], None]:
        """Return a handler that opens `path` with a form's values as its query."""

        def handle(values: dict[str, Any]) -> None:
            given = {name: _query_value(value) for name, value in values.items()}
            self.go(f"{path}?{urlencode({name: value for name, value in given.items() if value})}")

        return handle

    def leave(self) -> None:
        """Go and log in again; then back to here."""
        self.go(f"{LOGIN}?next={quote(self.path)}&why=ended")

    def live(self, show: Callable[[Picture], None]) -> None:
        """Call `show` once a second while the page is looked at."""
        self._shows.append(show)
        if len(self._shows) > 1:
            return

        def shown(picture: Picture) -> None:
            with self.client:
                for each in self._shows:
                    each(picture)

        subscriber = Subscriber(self.visitor, shown, self.leave)

        def seen(is_seen: bool) -> None:
            subscriber.is_seen = is_seen
            if is_seen:
                self.feed.wake()

        Stage(seen)
        self.client.on_connect(lambda: self.feed.subscribe(subscriber))
        self.client.on_disconnect(lambda: self.feed.unsubscribe(subscriber))
        self.client.on_delete(lambda: self.feed.unsubscribe(subscriber))


def _query_value(value: object) -> str:
    return ("1" if value else "") if isinstance(value, bool) else str(value or "").strip()
