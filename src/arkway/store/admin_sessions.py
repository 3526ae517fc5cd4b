"""Which browsers have logged in? Sessions: opened with an admin token, ended by time or by hand.

A session has the rights of its token, and ends with it. The cookie's text is kept as a digest.
"""

import hmac
import secrets

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from arkway.model.key_digest import key_digest
from arkway.store import tables
from arkway.store.admin_tokens import TokenRecord, record_of
from arkway.store.changes import Change
from arkway.store.engine import Store
from arkway.store.paging import Found, Page, read_page
from arkway.store.problems import NotFound, Problem
from arkway.store.rows import Row

MAX_OF_A_TOKEN = 32  # a person has a few browsers; what is beyond was forgotten
SEEN_EVERY_MS = 60_000  # a write a minute says well enough when a session was last used
_ID_BYTES = 8
_TEXT_BYTES = 32


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A session as the store knows it."""

    id: str
    token_id: str
    address: str
    created_unix_ms: int
    seen_unix_ms: int
    ends_unix_ms: int

    def shown(self) -> dict[str, object]:
        """Return the session as scripts see it."""
        return dict(msgspec.to_builtins(self))

    def is_good(self, now_ms: int, idle_ms: int) -> bool:
        """Return whether it has been used lately, and is not too old."""
        return now_ms < self.ends_unix_ms and now_ms < self.seen_unix_ms + idle_ms


def new_text() -> str:
    """Return what the cookie of a new session holds."""
    return secrets.token_urlsafe(_TEXT_BYTES)


def csrf_text(secret: bytes, text: str) -> str:
    """Return what a page has to show beside the cookie before it may change anything."""
    return hmac.new(secret, b"csrf:" + text.encode(), "sha256").hexdigest()


def begin(
    change: Change, token: TokenRecord, text: str, address: str, ends_ms: int
) -> SessionRecord:
    """Open a session of `token` for the cookie `text`; the oldest beyond MAX_OF_A_TOKEN end."""
    table = tables.admin_sessions
    ask = change.connection
    ask.execute(delete(table).where(table.c.ends_unix_ms <= change.now_ms))
    mine = select(table.c.id).where(table.c.token_id == token.id)
    kept = mine.order_by(table.c.created_unix_ms.desc(), table.c.id).offset(MAX_OF_A_TOKEN - 1)
    forgotten = list(ask.scalars(kept.limit(MAX_OF_A_TOKEN)))
    if forgotten:
        ask.execute(delete(table).where(table.c.id.in_(forgotten)))
    record = SessionRecord(
        id=f"as_{secrets.token_hex(_ID_BYTES)}",
        token_id=token.id,
        address=address[:64],
        created_unix_ms=change.now_ms,
        seen_unix_ms=change.now_ms,
        ends_unix_ms=ends_ms,
    )
    digest = key_digest(change.secrets.admin, text.encode())
    ask.execute(insert(table).values(**record.shown(), digest=digest))
    after = {"token_id": token.id, "address": record.address}
    change.record("begin", ("admin session", record.id), {}, after)
    return record


def find(
    connection: Connection, secret: bytes, text: str
) -> tuple[SessionRecord, TokenRecord] | None:
    """Return the session of this cookie with its token, good or ended; None: there is none."""
    table, tokens = tables.admin_sessions, tables.admin_tokens
    row = (
        connection.execute(select(table).where(table.c.digest == key_digest(secret, text.encode())))
        .mappings()
        .first()
    )
    if row is None:
        return None
    token = connection.execute(select(tokens).where(tokens.c.id == row["token_id"])).mappings()
    return _record(row), record_of(token.one())


def touch(store: Store, session: SessionRecord, now_ms: int) -> None:
    """Note that the session is in use; no change of what is served, so no revision."""
    table = tables.admin_sessions
    with store.engine.begin() as connection:
        connection.execute(
            update(table).where(table.c.id == session.id).values(seen_unix_ms=now_ms)
        )


def end(change: Change, session_id: str) -> SessionRecord:
    """End one session.

    Errors:  NotFound.
    """
    table = tables.admin_sessions
    row = change.connection.execute(select(table).where(table.c.id == session_id)).mappings()
    found = row.first()
    if found is None:
        raise NotFound(Problem("session", "is not a session here"))
    change.connection.execute(delete(table).where(table.c.id == session_id))
    record = _record(found)
    change.record("end", ("admin session", session_id), {"token_id": record.token_id}, {})
    return record


def end_all(change: Change, token_id: str | None = None) -> int:
    """End every session, or those of one token; return how many there were."""
    table = tables.admin_sessions
    query = delete(table) if token_id is None else delete(table).where(table.c.token_id == token_id)
    ended = change.connection.execute(query).rowcount
    change.record("end all", ("admin session", token_id or "all"), {"sessions": ended}, {})
    return int(ended)


def page(connection: Connection, part: Page) -> Found[SessionRecord]:
    """Return a part of the sessions, in the order they began."""
    table = tables.admin_sessions
    order = (table.c.created_unix_ms, table.c.id)
    rows, after = read_page(connection, select(table), order, part)
    return Found([_record(row) for row in rows], after)


def _record(row: Row) -> SessionRecord:
    return SessionRecord(
        id=row["id"],
        token_id=row["token_id"],
        address=row["address"],
        created_unix_ms=row["created_unix_ms"],
        seen_unix_ms=row["seen_unix_ms"],
        ends_unix_ms=row["ends_unix_ms"],
    )
