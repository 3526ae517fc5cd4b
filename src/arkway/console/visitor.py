"""Who has a page open, and what may they do? Asked again at every action.

A page outlives the request that made it: its WebSocket stays for hours, and meanwhile its session
may end or its token be revoked. So a page keeps the cookie it came with, and shows it again.
"""

from collections.abc import Mapping
from typing import Any, cast

import anyio
import anyio.to_thread

from arkway.console.look import Look
from arkway.console.texts import Texts
from arkway.control.admin.api import AdminApi
from arkway.control.admin.credentials import Principal, given, judged
from arkway.control.admin.errors import AdminError
from arkway.store.admin_tokens import Role

_THREADS = 6  # SQLite has one writer; people wait for milliseconds
_threads: list[anyio.CapacityLimiter] = []  # made where a loop runs

Headers = list[tuple[bytes, bytes]]


def threads() -> anyio.CapacityLimiter:
    """Return the limit of threads that the console's pages share."""
    if not _threads:
        _threads.append(anyio.CapacityLimiter(_THREADS))
    return _threads[0]


class Visitor:
    """Somebody who has logged in, as one page knows them."""

    def __init__(
        self, api: AdminApi, headers: Headers, principal: Principal, look: Look, *, is_https: bool
    ) -> None:
        self.api = api
        self.look = look
        self.text = Texts(look.language)
        self.principal = principal
        self._headers = [(name, value) for name, value in headers if name == b"cookie"]
        self._is_https = is_https

    @property
    def session(self) -> str:
        """Return the session's id: no secret, and nobody else's."""
        assert self.principal.session is not None, "pages are for sessions alone"
        return self.principal.session.id

    def may(self, role: Role) -> bool:
        """Return whether what a role may do is offered; the API decides when it is asked for."""
        return self.principal.role.covers(role)

    async def do(self, operation: str, **ask: Mapping[str, Any]) -> dict[str, Any]:
        """Do an operation of the admin API as whoever this is now.

        Shapes:  ask: `path`, `query`, `body`.
        Errors:  AdminError, of 401 when the session has ended.
        """
        return await anyio.to_thread.run_sync(self._do, operation, ask, limiter=threads())

    def _do(self, operation: str, ask: Mapping[str, Any]) -> dict[str, Any]:
        self.principal = self.api.authenticate(self._headers, is_https=self._is_https)
        return cast(dict[str, Any], self.api.perform(self.principal, operation, ask))

    def is_still_in(self) -> bool:
        """Return whether the session is good, without keeping it alive. Blocks: for a thread.

        A page that refreshes itself is nobody who does something.
        """
        desk = self.api.desk
        idle_ms = int(desk.config.control.session_idle_s * 1000)
        try:
            credential = given(self._headers, is_https=self._is_https)
            with desk.reading() as connection:
                judged(connection, desk.store.secrets, credential, desk.now_ms(), idle_ms)
        except AdminError:
            return False
        return True


def admitted(api: AdminApi, headers: Headers, *, is_https: bool) -> Principal | None:
    """Return whose session these headers carry; None: they have to log in. Blocks: for a thread.

    Pages are for browsers: a token in a header is for programs, and opens none.
    """
    try:
        found = api.authenticate(headers, is_https=is_https)
    except AdminError:
        return None
    return found if found.session is not None else None
