"""What happens to one request of the admin API? From its route to its answer.

The work runs in a thread of a few: it waits for SQLite, and the event loop must not.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import anyio
import anyio.to_thread
import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from arkway.control.admin.credentials import (
    Principal,
    check_csrf,
    check_origin,
    given,
    judged,
    session_cookie,
)
from arkway.control.admin.errors import AdminError, of_refused
from arkway.control.admin.matching import Table
from arkway.control.admin.operation import Ask, Credential, Desk, Operation, Reply
from arkway.control.admin.operations import OPERATIONS
from arkway.control.admin.parameters import MAX_BODY_BYTES, read_body, read_query
from arkway.store.admin_sessions import SEEN_EVERY_MS, touch
from arkway.store.problems import NotFound, Refused

PREFIX = b"/admin"
THREADS = 8  # people and scripts; SQLite has one writer anyway


class AdminApi:
    """The admin API as an ASGI application; `guard.Guard` stands before it."""

    def __init__(self, desk: Desk, operations: tuple[Operation, ...] = OPERATIONS) -> None:
        self.desk = desk
        self.operations = operations
        self._table = Table(self.operations)
        self._by_name = {each.name: each for each in self.operations}
        self._threads = anyio.CapacityLimiter(THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        assert scope["type"] == "http", "the guard lets nothing else come here"
        try:
            response = await self._answer(scope, receive)
        except AdminError as error:
            response = error_response(error, scope["state"]["request_id"])
        await response(scope, receive, send)

    def authenticate(self, headers: list[tuple[bytes, bytes]], *, is_https: bool) -> Principal:
        """Return who sent these headers; a session in use stays alive. Blocks: for a thread.

        Errors:  AdminError.
        """
        desk, now_ms = self.desk, self.desk.now_ms()
        idle_ms = int(desk.config.control.session_idle_s * 1000)
        credential = given(headers, is_https=is_https)
        with desk.reading() as connection:
            by = judged(connection, desk.store.secrets, credential, now_ms, idle_ms)
        if by.session is not None and now_ms - by.session.seen_unix_ms >= SEEN_EVERY_MS:
            touch(desk.store, by.session, now_ms)
        return by

    def perform(self, by: Principal, name: str, ask: Mapping[str, Any] | None = None) -> object:
        """Do the operation `name` for `by`, as a request would. Blocks: for a thread.

        For code in this process that has authenticated somebody. The policy is asked all the same.
        Shapes:  ask: `path`, `query`, `body`: name -> value; returns what JSON would hold.
        Errors:  AdminError.
        """
        operation, given_ = self._by_name[name], ask or {}
        authorise(operation, by)
        query = read_query(operation.query, _query_text(given_.get("query", {})))
        body: Mapping[str, object] = {}
        if operation.body is not None:
            text = msgspec.json.encode(given_.get("body", {}))
            is_change = operation.method == "PATCH"
            body = read_body(operation.body, "application/json", text, is_change=is_change)
        wanted = Ask(by, given_.get("path", {}), query, body, "")
        return msgspec.to_builtins(_checked(operation, self._worked(operation, wanted))[0])

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        matched = self._table.match(scope["method"], scope["raw_path"])
        operation = matched.operation
        if operation is None:
            if not matched.methods:
                raise AdminError("not_found", "there is no such route; see /admin/openapi.json")
            raise AdminError("method_not_allowed", headers=[("allow", ", ".join(matched.methods))])
        headers, is_https = scope["headers"], scope["state"]["is_https"]
        by = await self._authorised(scope, operation)
        query = read_query(operation.query, scope["query_string"])
        body = await _body(operation, scope, receive)
        peer = scope["client"][0] if scope["client"] else ""
        cookie = session_cookie(headers, is_https=is_https) or ""
        ask = Ask(by, matched.path, query, body, peer, is_https, cookie)
        result = await anyio.to_thread.run_sync(self._worked, operation, ask, limiter=self._threads)
        document, more = _checked(operation, result)
        response = Response(
            msgspec.json.encode(document), operation.status, media_type="application/json"
        )
        for name, value in more:
            response.headers.append(name, value)
        return response

    async def _authorised(self, scope: Scope, operation: Operation) -> Principal | None:
        """Return who may do this (None: anybody): the one place where requests are let through."""
        headers, state = scope["headers"], scope["state"]
        by: Principal | None = None
        if operation.policy.role is not None:
            by = await anyio.to_thread.run_sync(
                lambda: self.authenticate(headers, is_https=state["is_https"]),
                limiter=self._threads,
            )
            authorise(operation, by)
        if operation.writes:
            has_session = by is not None and by.session is not None
            check_origin(headers, state["origin"], is_required=has_session)
            if by is not None and has_session:
                check_csrf(headers, by.csrf)
        return by

    def _worked(self, operation: Operation, ask: Ask) -> object:
        """Return what the work returns; the store's refusals become ours."""
        try:
            return operation.work(self.desk, ask)
        except NotFound as refused:
            raise of_refused(refused, "not_found") from None
        except Refused as refused:
            raise of_refused(refused, "invalid_request") from None
        except (OSError, sqlite3.OperationalError):
            raise AdminError("store_unavailable") from None


def authorise(operation: Operation, by: Principal) -> None:
    """Return when the policy of `operation` lets `by` through.

    Errors:  AdminError.
    """
    policy = operation.policy
    if policy.role is None:
        return
    kind = Credential.TOKEN if by.session is None else Credential.SESSION
    if kind not in policy.kinds:
        raise AdminError("forbidden", f"this route does not take a {kind.value}")
    if not by.role.covers(policy.role):
        raise AdminError("forbidden", f"needs the role {policy.role}; this one is {by.role}")


def error_response(error: AdminError, request_id: str) -> Response:
    """Return a refusal as an answer."""
    body = msgspec.json.encode(error.document(request_id))
    response = Response(body, error.status, media_type="application/json")
    for name, value in error.headers:
        response.headers.append(name, value)
    return response


def _checked(operation: Operation, result: object) -> tuple[Any, tuple[tuple[str, str], ...]]:
    """Return the answer in its declared type, and its headers.

    Errors:  msgspec.ValidationError: a bug of ours, 500 to the caller.
    """
    reply = result if isinstance(result, Reply) else Reply(result)
    plain = msgspec.to_builtins(reply.document)
    return msgspec.convert(plain, operation.answer), reply.headers


async def _body(operation: Operation, scope: Scope, receive: Receive) -> Mapping[str, object]:
    if operation.body is None:
        return {}
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise AdminError("invalid_request", "the body did not come whole")
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise AdminError("body_too_large", headers=[("connection", "close")])
        if not message.get("more_body"):
            break
    types = [value for name, value in scope["headers"] if name == b"content-type"]
    content_type = types[0].decode("latin-1") if len(types) == 1 else ""
    is_change = operation.method == "PATCH"
    return read_body(operation.body, content_type, body, is_change=is_change)


def _query_text(values: Mapping[str, object]) -> bytes:
    plain = {
        name: ("true" if value else "false") if isinstance(value, bool) else value
        for name, value in values.items()
        if value is not None
    }
    return urlencode(plain).encode()
