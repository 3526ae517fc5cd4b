"""Who may come in: admin tokens, and the sessions of browsers, over the admin API."""

from typing import Annotated

import msgspec

from arkway.control.admin import shapes
from arkway.control.admin.credentials import COOKIE, SECURE_COOKIE, Principal
from arkway.control.admin.cursors import ListQuery, page_of, write
from arkway.control.admin.errors import AdminError
from arkway.control.admin.operation import (
    ADMINISTER,
    OPEN_TO_ALL,
    VIEW,
    Ask,
    Credential,
    Desk,
    Operation,
    Policy,
    Reply,
)
from arkway.store import admin_sessions, admin_tokens
from arkway.store.admin_tokens import Role
from arkway.store.fields import about

_TOKENS = "/admin/v1/tokens"
_SESSION = "/admin/v1/session"
_SESSIONS = "/admin/v1/sessions"


class TokensQuery(ListQuery, frozen=True, kw_only=True):
    """Which tokens are listed."""

    revoked: Annotated[bool, about("Revoked tokens, too.", "the audit log names them")] = False


class EndQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions end."""

    all: Annotated[bool, about("All sessions of this token.", "a lost laptop")] = False


def _list_tokens(desk: Desk, ask: Ask) -> object:
    part = page_of(ask.query, tuple[int, str])
    with desk.reading() as connection:
        found = admin_tokens.page(connection, part, with_revoked=ask.query.revoked)
    return {"items": [each.shown() for each in found.items], "next_cursor": write(found.after)}


def _create_token(desk: Desk, ask: Ask) -> object:
    with desk.changing(ask.by) as now:
        new = admin_tokens.create(now, ask.body)
    return {"token": new.text, **new.record.shown()}


def _get_token(desk: Desk, ask: Ask) -> object:
    with desk.reading() as connection:
        return admin_tokens.get(connection, ask.path["token"]).shown()


def _revoke_token(desk: Desk, ask: Ask) -> object:
    with desk.changing(ask.by) as now:
        return admin_tokens.revoke(now, ask.path["token"]).shown()


def begin_session(desk: Desk, ask: Ask) -> Reply:
    """Open a session for the token in the body; the one the browser had ends.

    Errors:  AdminError; failures of one address are slowed down.
    """
    now_ms = desk.now_ms()
    if wait_s := desk.throttle.wait_s(ask.peer, now_ms / 1000):
        raise AdminError("too_many_logins", headers=[("retry-after", str(wait_s))])
    secret = desk.store.secrets.admin
    with desk.reading() as connection:
        token = admin_tokens.find(connection, secret, str(ask.body["token"]).strip())
        old = admin_sessions.find(connection, secret, ask.cookie) if ask.cookie else None
    if token is None or not token.is_good(now_ms / 1000):
        desk.throttle.on_failure(ask.peer, now_ms / 1000)
        raise AdminError("invalid_credential", "the token is unknown, revoked or expired")
    desk.throttle.on_success(ask.peer)
    text = admin_sessions.new_text()
    lasts_s = int(desk.config.control.session_s)
    with desk.changing(Principal(token)) as now:
        if old is not None:
            admin_sessions.end(now, old[0].id)
        ends_ms = now.now_ms + lasts_s * 1000
        session = admin_sessions.begin(now, token, text, ask.peer, ends_ms)
    by = Principal(token, session, admin_sessions.csrf_text(secret, text))
    return Reply(_state(by), (_cookie(text, lasts_s, is_https=ask.is_https),))


def _get_session(_desk: Desk, ask: Ask) -> object:
    return _state(ask.by)


def _end_session(desk: Desk, ask: Ask) -> Reply:
    assert ask.by.session is not None, "the policy takes sessions alone"
    with desk.changing(ask.by) as now:
        if ask.query.all:
            ended = admin_sessions.end_all(now, ask.by.token.id)
        else:
            admin_sessions.end(now, ask.by.session.id)
            ended = 1
    return Reply({"sessions": ended}, (_cookie("", 0, is_https=ask.is_https),))


def _list_sessions(desk: Desk, ask: Ask) -> object:
    with desk.reading() as connection:
        found = admin_sessions.page(connection, page_of(ask.query, tuple[int, str]))
    return {"items": [each.shown() for each in found.items], "next_cursor": write(found.after)}


def _end_sessions(desk: Desk, ask: Ask) -> object:
    with desk.changing(ask.by) as now:
        return {"sessions": admin_sessions.end_all(now)}


def _end_one(desk: Desk, ask: Ask) -> object:
    with desk.changing(ask.by) as now:
        return admin_sessions.end(now, ask.path["session"]).shown()


def _state(by: Principal) -> dict[str, object]:
    return {
        "name": by.token.name,
        "role": by.role.value,
        "token_id": by.token.id,
        "session_id": by.session.id if by.session else None,
        "csrf_token": by.csrf or None,
        "ends_unix_ms": by.session.ends_unix_ms if by.session else None,
    }


def _cookie(text: str, lasts_s: int, *, is_https: bool) -> tuple[str, str]:
    name = SECURE_COOKIE if is_https else COOKIE
    secure = "; Secure" if is_https else ""
    value = f"{name}={text}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Strict{secure}"
    return "set-cookie", value


_TOKEN_OPERATIONS = (
    Operation(
        name="list_tokens",
        method="GET",
        path=_TOKENS,
        policy=ADMINISTER,
        work=_list_tokens,
        summary="List the admin tokens, in the order they were made.",
        answer=shapes.listed("TokenList", shapes.TokenView),
        query=TokensQuery,
    ),
    Operation(
        name="create_token",
        method="POST",
        path=_TOKENS,
        policy=ADMINISTER,
        work=_create_token,
        summary="Make an admin token; its text is in this answer and never again.",
        answer=shapes.TokenMade,
        body=shapes.NewToken,
        status=201,
    ),
    Operation(
        name="get_token",
        method="GET",
        path=f"{_TOKENS}/{{token}}",
        policy=ADMINISTER,
        work=_get_token,
        summary="Show an admin token, by its id or name.",
        answer=shapes.TokenView,
    ),
    Operation(
        name="revoke_token",
        method="DELETE",
        path=f"{_TOKENS}/{{token}}",
        policy=ADMINISTER,
        work=_revoke_token,
        summary="End an admin token and its sessions for ever.",
        answer=shapes.TokenView,
    ),
)
_SESSION_OPERATIONS = (
    Operation(
        name="begin_session",
        method="POST",
        path=_SESSION,
        policy=OPEN_TO_ALL,
        work=begin_session,
        summary="Log a browser in: a token for a cookie. A session it had ends.",
        answer=shapes.SessionState,
        body=shapes.Login,
        status=201,
    ),
    Operation(
        name="get_session",
        method="GET",
        path=_SESSION,
        policy=VIEW,
        work=_get_session,
        summary="Show who is asking, and the CSRF token of a session.",
        answer=shapes.SessionState,
    ),
    Operation(
        name="end_session",
        method="DELETE",
        path=_SESSION,
        policy=Policy(Role.VIEWER, frozenset({Credential.SESSION})),
        work=_end_session,
        summary="Log out; with `all=true`, everywhere.",
        answer=shapes.Ended,
        query=EndQuery,
    ),
    Operation(
        name="list_sessions",
        method="GET",
        path=_SESSIONS,
        policy=ADMINISTER,
        work=_list_sessions,
        summary="List the sessions of all browsers.",
        answer=shapes.listed("SessionList", shapes.SessionView),
        query=ListQuery,
    ),
    Operation(
        name="end_sessions",
        method="DELETE",
        path=_SESSIONS,
        policy=ADMINISTER,
        work=_end_sessions,
        summary="End every session of everybody.",
        answer=shapes.Ended,
    ),
    Operation(
        name="end_one_session",
        method="DELETE",
        path=f"{_SESSIONS}/{{session}}",
        policy=ADMINISTER,
        work=_end_one,
        summary="End one session.",
        answer=shapes.SessionView,
    ),
)
OPERATIONS = (*_TOKEN_OPERATIONS, *_SESSION_OPERATIONS)
