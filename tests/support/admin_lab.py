"""The admin API in this process: a store, tokens of every role, a clock, requests as bytes."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from arkway.control.admin.api import AdminApi
from arkway.control.admin.guard import Guard, Names
from arkway.control.admin.operation import Desk, Operation
from arkway.control.admin.operations import OPERATIONS
from arkway.control.load import load
from arkway.store import admin_tokens
from arkway.telemetry.log_io import Log
from support.gateway import free_port
from support.stores import do, fresh_store

HOST = "127.0.0.1:8081"
ORIGIN = f"http://{HOST}"
ROLES = ("viewer", "operator", "admin")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    cookies: list[str] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json["error"]["code"]


class AdminLab:
    """Use as a context manager; `ask` makes one request."""

    def __init__(
        self,
        home: Path,
        operations: tuple[Operation, ...] = OPERATIONS,
        overrides: dict[str, object] | None = None,
    ) -> None:
        self.home = home
        self.store = fresh_store(home)
        self.ahead_ms = 0  # of the real clock
        # No worker at the default port, behind which somebody's own gateway may be.
        loaded = load(home, None, {}, {"server.ops_port": free_port(), **(overrides or {})})
        assert loaded.config is not None, loaded.problems
        self.desk = Desk(home, self.store, loaded, loaded.config, self.now_ms)
        self.api = AdminApi(self.desk, operations)
        self.logged = StringIO()
        names = Names(loaded.config.control.host, loaded.config.control.public_url)
        self.app = Guard(self.api, names, Log("debug", "json", self.logged))
        self.tokens = {role: self.make_token(role, role) for role in ROLES}

    def __enter__(self):
        self._runner = asyncio.Runner()
        return self

    def __exit__(self, *_):
        self._runner.close()
        self.store.engine.dispose()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def make_token(self, name: str, role: str, **more: Any) -> str:
        return do(self.store, admin_tokens.create, {"name": name, "role": role, **more}).text

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: str | None = "admin",
        headers: list[tuple[str, str]] | None = None,
        host: str = HOST,
        peer: str = "127.0.0.1",
    ) -> Answer:
        """Make one request. `role`: whose token is sent; None: none. `body`: bytes, or for JSON."""
        given = [("host", host)] if host is not None else []
        if role is not None:
            given.append(("authorization", f"Bearer {self.tokens[role]}"))
        if body is not None:
            given.append(("content-type", "application/json"))
        content = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        raw = [(k.encode(), v.encode("latin-1")) for k, v in [*given, *(headers or [])]]
        return self._runner.run(self._asked(method, path, raw, content, peer))

    async def _asked(self, method, path, headers, content, peer) -> Answer:
        raw_path, _, query = path.partition("?")
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "scheme": "http",
            "path": raw_path, "raw_path": raw_path.encode("latin-1"),
            "query_string": query.encode("latin-1"), "headers": headers, "client": (peer, 1),
            "state": {},
        }  # fmt: skip
        sent: list[dict[str, Any]] = []
        pieces = [content[:7], content[7:]]  # a body comes as it comes

        async def receive():
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message):
            sent.append(message)

        await self.app(scope, receive, send)
        found = [(k.decode(), v.decode("latin-1")) for k, v in sent[0]["headers"]]
        return Answer(
            sent[0]["status"],
            dict(found),
            b"".join(message.get("body", b"") for message in sent[1:]),
            [value for name, value in found if name == "set-cookie"],
        )

    # -- browsers ------------------------------------------------------------------------------

    def login(self, role: str = "admin", **more: Any) -> "Browser":
        answer = self.ask(
            "POST", "/admin/v1/session", {"token": self.tokens[role]}, role=None, **more
        )
        assert answer.status == 201, answer.body
        return Browser(self, answer.cookies[0].partition(";")[0], answer.json["csrf_token"])


@dataclass
class Browser:
    lab: AdminLab
    cookie: str
    csrf: str

    def ask(
        self, method: str, path: str, body: Any = None, *,
        csrf: str | None = "", origin: str | None = ORIGIN, **more: Any,
    ) -> Answer:  # fmt: skip
        """Make a request as a page of ours would; `csrf`/`origin` None: without it."""
        headers = [("cookie", self.cookie)]
        if csrf is not None:
            headers.append(("x-csrf-token", csrf or self.csrf))
        if origin is not None:
            headers.append(("origin", origin))
        return self.lab.ask(method, path, body, role=None, headers=headers, **more)
