"""Which keys do callers hold, and what may each do? Made, edited, rotated, revoked.

The text of a key is returned once, by what makes it; the store holds digests.
"""

import secrets
import string
from collections.abc import Mapping
from ipaddress import ip_network

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from arkway.model.key_digest import digest_of_hash, key_digest
from arkway.store import models, tables, tenants
from arkway.store.changes import Change
from arkway.store.entries import Key
from arkway.store.paging import Found, Page, read_living, read_page
from arkway.store.problems import NotFound, Problem, Refused, did_you_mean
from arkway.store.rows import Row, from_row, to_row
from arkway.store.schema import read_entry
from arkway.store.units import AMOUNT_RULE, EXPIRY_RULE, decimal, expiry, nano

PREFIX = "sk-"  # what OpenAI's tools expect a key to start with
RANDOM_CHARS = 48  # of 62 letters and digits: 285 bits, beyond any guessing
MAX_NETWORKS = 256  # each call of the key walks them
MAX_OVERLAP_H = 24 * 90
_ALPHABET = string.ascii_letters + string.digits
_ID_BYTES = 8
_HOUR_S = 3600


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the store knows it."""

    id: str
    key: Key
    created_unix_ms: int
    revoked_unix_ms: int | None

    def shown(self) -> dict[str, object]:
        """Return the key as scripts see it; amounts as decimal text beside the integers."""
        budget = self.key.budget_nano
        return {
            "id": self.id,
            **msgspec.to_builtins(self.key),
            "budget": None if budget is None else decimal(budget),
            "created_unix_ms": self.created_unix_ms,
            "revoked_unix_ms": self.revoked_unix_ms,
        }


class NewKey(msgspec.Struct, frozen=True):
    """A key whose text is shown now and never again."""

    text: str
    record: KeyRecord

    def __repr__(self) -> str:
        return f"NewKey(***, {self.record.id})"


def new_text() -> str:
    """Return the text of a new key."""
    return PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_CHARS))


def create(change: Change, raw: Mapping[str, object]) -> NewKey:
    """Make a key.

    Shapes:  raw: the parameters of `entries.Key`; also `expires` (30d, a date, none) for
             `expires_unix_s` and `budget` (decimal CNY) for `budget_nano`.
    Errors:  Refused, with every problem.
    """
    text = new_text()
    digest = key_digest(change.secrets.api_keys, text.encode())
    return NewKey(text, _created(change, raw, digest))


def take_over(change: Change, raw: Mapping[str, object], text_sha256: bytes) -> KeyRecord:
    """Make a key whose text somebody holds already, known by the SHA-256 of it.

    Errors:  Refused, with every problem.
    """
    return _created(change, raw, digest_of_hash(change.secrets.api_keys, text_sha256))


def _created(change: Change, raw: Mapping[str, object], digest: bytes) -> KeyRecord:
    problems: list[Problem] = []
    key = read_entry(Key, _plain(raw, change.now_unix_s, problems), None, problems)
    if key is not None:
        key = _agreeing(change.connection, key, problems)
        problems += _taken(change.connection, key.name)
    if _has(change.connection, digest):
        problems.append(Problem("hash", "is that of a key which is here already"))
    if key is None or problems:
        raise Refused(*problems)
    key_id = f"key_{secrets.token_hex(_ID_BYTES)}"
    row = {
        "id": key_id,
        **to_row(key),
        "created_unix_ms": change.now_ms,
        "revision": change.revision,
    }
    change.connection.execute(insert(tables.api_keys).values(row))
    _add_text(change, key_id, digest)
    record = get(change.connection, key_id)
    change.record("create", ("key", key_id), {}, record.shown())
    return record


def edit(change: Change, name_or_id: str, raw: Mapping[str, object]) -> KeyRecord:
    """Change the parameters in `raw`, as `create` takes them.

    Errors:  Refused, with every problem; a revoked key is not edited.
    """
    before = _living(change.connection, name_or_id)
    problems: list[Problem] = []
    raw = _plain(raw, change.now_unix_s, problems)
    key = read_entry(Key, raw, before.key, problems)
    assert key is not None, "an entry laid over another one is whole"
    key = _agreeing(change.connection, key, problems)
    if key.name != before.key.name:
        problems += _taken(change.connection, key.name)
    if problems:
        raise Refused(*problems)
    _update(change, before.id, to_row(key))
    after = get(change.connection, before.id)
    change.record("edit", ("key", before.id), before.shown(), after.shown())
    return after


def rotate(change: Change, name_or_id: str, overlap_h: int = 24) -> NewKey:
    """Give a key a new text; the old one opens it for `overlap_h` more hours. Usage goes on.

    There are two texts at most: one that was rotated out before ends now.
    Errors:  Refused.
    """
    record = _living(change.connection, name_or_id)
    if not 0 <= overlap_h <= MAX_OVERLAP_H:
        raise Refused(Problem("overlap_h", f"must be an integer, 0 to {MAX_OVERLAP_H}"))
    texts = tables.api_key_digests
    mine = texts.c.key_id == record.id
    is_old = texts.c.expires_unix_s.is_not(None)
    change.connection.execute(delete(texts).where(mine & is_old if overlap_h else mine))
    ends_unix_s = change.now_unix_s + overlap_h * _HOUR_S
    change.connection.execute(update(texts).where(mine).values(expires_unix_s=ends_unix_s))
    text = new_text()
    _add_text(change, record.id, key_digest(change.secrets.api_keys, text.encode()))
    _update(change, record.id, {})
    change.record("rotate", ("key", record.id), {}, {"overlap_h": overlap_h})
    return NewKey(text, record)


def revoke(change: Change, name_or_id: str) -> KeyRecord:
    """End a key for ever; its row stays, for the usage it had.

    Errors:  Refused.
    """
    before = _living(change.connection, name_or_id)
    texts = tables.api_key_digests
    change.connection.execute(delete(texts).where(texts.c.key_id == before.id))
    _update(change, before.id, {"revoked_unix_ms": change.now_ms})
    after = get(change.connection, before.id)
    change.record("revoke", ("key", before.id), before.shown(), after.shown())
    return after


def get(connection: Connection, name_or_id: str) -> KeyRecord:
    """Return the key of this id, else the living one of this name.

    Errors:  NotFound, with the nearest name.
    """
    row, hint = read_living(connection, tables.api_keys, name_or_id)
    if row is None:
        raise NotFound(Problem("key", "is not a key here", hint if hint.startswith("did") else ""))
    return _record(row)


def list_all(connection: Connection, *, with_revoked: bool = False) -> list[KeyRecord]:
    """Return the keys in the order they were made."""
    keys = tables.api_keys
    query = select(keys).order_by(keys.c.created_unix_ms, keys.c.id)
    if not with_revoked:
        query = query.where(keys.c.revoked_unix_ms.is_(None))
    return [_record(row) for row in connection.execute(query).mappings()]


def page(
    connection: Connection,
    part: Page,
    *,
    with_revoked: bool = False,
    where: Mapping[str, str] | None = None,
) -> Found[KeyRecord]:
    """Return a part of the keys, in the order they were made.

    Shapes:  where: column -> the value it has: `tenant`, `name`.
    """
    keys = tables.api_keys
    query = select(keys).where(*(keys.c[name] == value for name, value in (where or {}).items()))
    if not with_revoked:
        query = query.where(keys.c.revoked_unix_ms.is_(None))
    rows, after = read_page(connection, query, (keys.c.created_unix_ms, keys.c.id), part)
    return Found([_record(row) for row in rows], after)


def name_of(connection: Connection, key_id: str) -> str | None:
    """Return what the key of this id is called, or was; None: there never was one."""
    keys = tables.api_keys
    return connection.scalar(select(keys.c.name).where(keys.c.id == key_id))


def count(connection: Connection) -> int:
    """Return how many keys were ever made."""
    return connection.scalar(select(func.count()).select_from(tables.api_keys)) or 0


def _record(row: Row) -> KeyRecord:
    return KeyRecord(
        id=row["id"],
        key=from_row(Key, row),
        created_unix_ms=row["created_unix_ms"],
        revoked_unix_ms=row["revoked_unix_ms"],
    )


def _living(connection: Connection, name_or_id: str) -> KeyRecord:
    record = get(connection, name_or_id)
    if record.revoked_unix_ms is not None:
        raise Refused(Problem("key", "has been revoked, which is for ever", "make another"))
    return record


def _plain(
    raw: Mapping[str, object], now_unix_s: int, problems: list[Problem]
) -> Mapping[str, object]:
    """Return `raw` with `expires` and `budget` in the units the store keeps."""
    plain = dict(raw)
    if "expires" in plain:
        text = plain.pop("expires")
        try:
            plain["expires_unix_s"] = expiry(text, now_unix_s) if isinstance(text, str) else text
        except ValueError as error:
            problems.append(Problem("expires", str(error), _other_rule(error, EXPIRY_RULE)))
    if "budget" in plain:
        text = plain.pop("budget")
        try:
            plain["budget_nano"] = text if text is None else nano(str(text))
        except ValueError:
            problems.append(Problem("budget", AMOUNT_RULE))
    return plain


def _other_rule(error: ValueError, rule: str) -> str:
    return "" if str(error) == rule else rule


def _agreeing(connection: Connection, key: Key, problems: list[Problem]) -> Key:
    """Return `key` with names and networks in normal form; append what is not here or not one."""
    known = tenants.names(connection)
    if key.tenant not in known:
        hint = f"{did_you_mean(key.tenant, known)} or make it: `arkway tenants create`"
        problems.append(Problem("tenant", f'"{key.tenant}" is not a tenant here', hint))
    return msgspec.structs.replace(
        key,
        models=models.named(models.list_all(connection), key.models, "models", problems),
        allowed_networks=_networks(key.allowed_networks, "allowed_networks", problems),
        denied_networks=_networks(key.denied_networks, "denied_networks", problems),
    )


def _networks(listed: tuple[str, ...], parameter: str, problems: list[Problem]) -> tuple[str, ...]:
    if len(listed) > MAX_NETWORKS:
        problems.append(Problem(parameter, f"has more than {MAX_NETWORKS} networks"))
    found = []
    for text in listed[:MAX_NETWORKS]:
        try:
            found.append(str(ip_network(text)))
        except ValueError:
            problems.append(Problem(parameter, f'"{text}" is not a network', _network_hint(text)))
    return tuple(dict.fromkeys(found))


def _network_hint(text: str) -> str:
    try:
        return f"did you mean {ip_network(text, strict=False)}?"
    except ValueError:
        return "such as 10.0.0.0/8 or 2001:db8::/32"


def _taken(connection: Connection, name: str) -> list[Problem]:
    keys = tables.api_keys
    same = (keys.c.name == name) & keys.c.revoked_unix_ms.is_(None)
    found = connection.scalar(select(keys.c.id).where(same))
    return [Problem("name", f'"{name}" exists already')] if found else []


def _has(connection: Connection, digest: bytes) -> bool:
    texts = tables.api_key_digests
    return connection.scalar(select(texts.c.key_id).where(texts.c.digest == digest)) is not None


def _add_text(change: Change, key_id: str, digest: bytes) -> None:
    change.connection.execute(
        insert(tables.api_key_digests).values(
            digest=digest, key_id=key_id, created_unix_ms=change.now_ms
        )
    )


def _update(change: Change, key_id: str, values: Mapping[str, object]) -> None:
    """Write `values`, and the revision by which workers find the key."""
    change.connection.execute(
        update(tables.api_keys)
        .where(tables.api_keys.c.id == key_id)
        .values({**values, "revision": change.revision})
    )
