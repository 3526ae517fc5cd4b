"""Who is asking? The one place where a request's credential is read, and judged.

A request with an `Authorization` header is judged by that alone; else by the session's cookie.
Nothing else carries a credential: no query, no other header, no Basic.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import Connection

from arkway.control.admin.errors import AdminError
from arkway.store import admin_sessions, admin_tokens
from arkway.store.admin_sessions import SessionRecord
from arkway.store.admin_tokens import Role, TokenRecord
from arkway.store.keys import PREFIX as API_KEY_PREFIX
from arkway.store.secret_io import Secrets

COOKIE = "arkway_session"
SECURE_COOKIE = f"__Host-{COOKIE}"  # RFC 6265bis: Secure, of this host alone, for every path
CSRF_HEADER = "x-csrf-token"
_MAX_COOKIE_CHARS = 128
_CHALLENGE = (("www-authenticate", 'Bearer realm="arkway admin"'),)

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated holder of an admin token, by it or by a session of it."""

    token: TokenRecord
    session: SessionRecord | None = None
    csrf: str = ""  # of the session

    @property
    def role(self) -> Role:
        """Return what they may do."""
        return self.token.role

    @property
    def actor(self) -> str:
        """Return whom the audit log names."""
        return f"admin:{self.token.name}"


@dataclass(frozen=True, slots=True)
class Given:
    """The credential of a request as it came: one of them, or neither."""

    token: str | None = None
    cookie: str | None = None


def given(headers: Headers, *, is_https: bool) -> Given:
    """Return the credential that `headers` carry.

    Errors:  AdminError for a second one, another scheme, or an API key of a caller.
    """
    found = list(headers)
    authorization = [value for name, value in found if name == b"authorization"]
    if not authorization:
        return Given(cookie=session_cookie(found, is_https=is_https))
    if len(authorization) > 1:
        raise _refused("one Authorization header is read, and there are several")
    scheme, _, text = authorization[0].decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        raise _refused("the scheme must be Bearer")
    if text.startswith(API_KEY_PREFIX):
        raise _refused("this is an API key; the admin API takes admin tokens (adm-...)")
    return Given(token=text)


def session_cookie(headers: Headers, *, is_https: bool) -> str | None:
    """Return the text of the session's cookie; None without one, or with two."""
    name = SECURE_COOKIE if is_https else COOKIE
    pairs = [
        pair.strip().partition("=")
        for key, value in headers
        if key == b"cookie"
        for pair in value.decode("latin-1").split(";")
    ]
    texts = [text for key, _, text in pairs if key == name]
    return texts[0] if len(texts) == 1 and 0 < len(texts[0]) <= _MAX_COOKIE_CHARS else None


def judged(
    connection: Connection, secrets: Secrets, credential: Given, now_ms: int, idle_ms: int
) -> Principal:
    """Return who holds `credential`.

    Errors:  AdminError, the same words for what is unknown, revoked and expired.
    """
    if credential.token is not None:
        token = admin_tokens.find(connection, secrets.admin, credential.token)
        if token is None or not token.is_good(now_ms / 1000):
            raise _refused("the admin token is malformed, unknown, revoked or expired")
        return Principal(token)
    if credential.cookie is None:
        raise AdminError("missing_credential", headers=_CHALLENGE)
    found = admin_sessions.find(connection, secrets.admin, credential.cookie)
    if (
        found is None
        or not found[1].is_good(now_ms / 1000)
        or not found[0].is_good(now_ms, idle_ms)
    ):
        raise _refused("the session has ended; log in again")
    csrf = admin_sessions.csrf_text(secrets.admin, credential.cookie)
    return Principal(found[1], found[0], csrf)


def check_origin(headers: Headers, allowed: str, *, is_required: bool) -> None:
    """Return when a page of ours sent the request, or no page at all.

    Shapes:  allowed: `http://127.0.0.1:8081`, as the request's own scheme and Host make it.
    Errors:  AdminError.
    """
    origins = [value.decode("latin-1") for name, value in headers if name == b"origin"]
    if not origins:
        if is_required:
            raise AdminError("csrf_failed", "a change with a cookie needs its Origin header")
        return
    if len(origins) > 1 or not _is_same(origins[0], allowed):
        raise AdminError("foreign_origin")


def check_csrf(headers: Headers, expected: str) -> None:
    """Return when the page knows what only ours can know.

    Errors:  AdminError.
    """
    texts = [value for name, value in headers if name == CSRF_HEADER.encode()]
    if len(texts) != 1 or not hmac.compare_digest(texts[0], expected.encode()):
        raise AdminError("csrf_failed", "the x-csrf-token header is missing or not this session's")


def _is_same(origin: str, allowed: str) -> bool:
    try:
        one, two = urlsplit(origin.lower()), urlsplit(allowed.lower())
        ports = {"http": 80, "https": 443}
        return (one.scheme, one.hostname, one.port or ports.get(one.scheme)) == (
            two.scheme,
            two.hostname,
            two.port or ports.get(two.scheme),
        )
    except ValueError:
        return False


def _refused(message: str) -> AdminError:
    return AdminError("invalid_credential", message, headers=_CHALLENGE)
