"""Who may use the admin API? Tokens with a role, made and revoked; shown once, kept as digests.

They are no API keys: another prefix, another secret, another table, so neither opens the other's
side.
"""

import re
import secrets
import string
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from arkway.model.key_digest import key_digest
from arkway.store import tables
from arkway.store.changes import Change
from arkway.store.fields import Label, about
from arkway.store.paging import Found, Page, read_living, read_page
from arkway.store.problems import NotFound, Problem, Refused
from arkway.store.rows import Row
from arkway.store.schema import read_entry
from arkway.store.units import EXPIRY_RULE, expiry

PREFIX = "adm-"
RANDOM_CHARS = 48  # of 62 letters and digits: 285 bits, as callers' keys have
_ALPHABET = string.ascii_letters + string.digits
_ID_BYTES = 8
is_token = re.compile(rf"{PREFIX}[A-Za-z0-9]{{{RANDOM_CHARS}}}").fullmatch


class Role(StrEnum):
    """What the holder of a token may do. Each may all that those before it may."""

    VIEWER = "viewer"  # see
    OPERATOR = "operator"  # the daily work: callers' keys and tenants, accounts in and out
    ADMIN = "admin"  # everything: credentials, models, prices, tokens

    def covers(self, needed: "Role") -> bool:
        """Return whether this role may what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for with a token."""

    name: Annotated[Label, about("Unique name.", "the audit log shows it as `admin:NAME`")]
    role: Annotated[
        Literal["viewer", "operator", "admin"],
        about("What its holder may do.", "most people only look"),
    ] = "viewer"
    expires: Annotated[
        str | None,
        about("30d, a date such as 2030-01-31, or none.", "a token that ends by itself"),
    ] = None


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A token as the store knows it."""

    id: str
    name: str
    role: Role
    expires_unix_s: int | None
    created_unix_ms: int
    revoked_unix_ms: int | None

    def shown(self) -> dict[str, object]:
        """Return the token as scripts see it."""
        return dict(msgspec.to_builtins(self))

    def is_good(self, now_unix_s: float) -> bool:
        """Return whether it opens anything now."""
        has_ended = self.expires_unix_s is not None and now_unix_s >= self.expires_unix_s
        return self.revoked_unix_ms is None and not has_ended


class MadeToken(msgspec.Struct, frozen=True):
    """A token whose text is shown now and never again."""

    text: str
    record: TokenRecord

    def __repr__(self) -> str:
        return f"MadeToken(***, {self.record.id})"


def create(change: Change, raw: Mapping[str, object]) -> MadeToken:
    """Make a token.

    Shapes:  raw: the parameters of `NewToken`.
    Errors:  Refused, with every problem.
    """
    problems: list[Problem] = []
    wanted = read_entry(NewToken, raw, None, problems)
    ends_unix_s = None
    if wanted is not None:
        try:
            ends_unix_s = expiry(wanted.expires or "none", change.now_unix_s)
        except ValueError as error:
            problems.append(Problem("expires", str(error), EXPIRY_RULE))
        if _living_id(change.connection, wanted.name):
            problems.append(Problem("name", f'"{wanted.name}" exists already'))
    if wanted is None or problems:
        raise Refused(*problems)
    text = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_CHARS))
    record = TokenRecord(
        id=f"at_{secrets.token_hex(_ID_BYTES)}",
        name=wanted.name,
        role=Role(wanted.role),
        expires_unix_s=ends_unix_s,
        created_unix_ms=change.now_ms,
        revoked_unix_ms=None,
    )
    digest = key_digest(change.secrets.admin, text.encode())
    change.connection.execute(insert(tables.admin_tokens).values(**record.shown(), digest=digest))
    change.record("create", ("admin token", record.id), {}, record.shown())
    return MadeToken(text, record)


def revoke(change: Change, name_or_id: str) -> TokenRecord:
    """End a token and its sessions for ever.

    Errors:  Refused.
    """
    before = get(change.connection, name_or_id)
    if before.revoked_unix_ms is not None:
        raise Refused(Problem("token", "has been revoked already"))
    sessions, tokens = tables.admin_sessions, tables.admin_tokens
    change.connection.execute(delete(sessions).where(sessions.c.token_id == before.id))
    change.connection.execute(
        update(tokens).where(tokens.c.id == before.id).values(revoked_unix_ms=change.now_ms)
    )
    after = get(change.connection, before.id)
    change.record("revoke", ("admin token", before.id), before.shown(), after.shown())
    return after


def find(connection: Connection, secret: bytes, text: str) -> TokenRecord | None:
    """Return the token of this text, good or ended; None when nobody ever had it.

    Cost:    a text of another form is not looked up.
    """
    if not is_token(text):
        return None
    tokens = tables.admin_tokens
    query = select(tokens).where(tokens.c.digest == key_digest(secret, text.encode()))
    row = connection.execute(query).mappings().first()
    return None if row is None else record_of(row)


def get(connection: Connection, name_or_id: str) -> TokenRecord:
    """Return the token of this id, else the living one of this name.

    Errors:  NotFound, with the nearest name.
    """
    row, hint = read_living(connection, tables.admin_tokens, name_or_id)
    if row is None:
        raise NotFound(Problem("token", "is not an admin token here", hint))
    return record_of(row)


def page(connection: Connection, part: Page, *, with_revoked: bool = False) -> Found[TokenRecord]:
    """Return a part of the tokens, in the order they were made."""
    tokens = tables.admin_tokens
    query = select(tokens)
    if not with_revoked:
        query = query.where(tokens.c.revoked_unix_ms.is_(None))
    rows, after = read_page(connection, query, (tokens.c.created_unix_ms, tokens.c.id), part)
    return Found([record_of(row) for row in rows], after)


def count(connection: Connection) -> int:
    """Return how many tokens were ever made."""
    return connection.scalar(select(func.count()).select_from(tables.admin_tokens)) or 0


def record_of(row: Row) -> TokenRecord:
    """Return the token that lies in `row`."""
    return TokenRecord(
        id=row["id"],
        name=row["name"],
        role=Role(row["role"]),
        expires_unix_s=row["expires_unix_s"],
        created_unix_ms=row["created_unix_ms"],
        revoked_unix_ms=row["revoked_unix_ms"],
    )


def _living_id(connection: Connection, name: str) -> str | None:
    tokens = tables.admin_tokens
    same = (tokens.c.name == name) & tokens.c.revoked_unix_ms.is_(None)
    return connection.scalar(select(tokens.c.id).where(same))
