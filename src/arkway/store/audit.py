"""Who changed what, and when? Rows that are only ever added."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, select

from arkway.store import tables
from arkway.store.paging import Found, Page, read_page
from arkway.store.rows import Row


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One action. `before` and `after` hold what differs, never a secret."""

    id: int
    unix_ms: int
    actor: str
    action: str
    noun: str
    noun_id: str
    before: dict[str, object]
    after: dict[str, object]


def newest(
    connection: Connection, *, limit: int, noun: str | None = None, noun_id: str | None = None
) -> list[AuditRow]:
    """Return the newest actions, oldest of them first."""
    wanted = {"noun": noun, "noun_id": noun_id}
    where = {name: value for name, value in wanted.items() if value is not None}
    return page(connection, Page(limit), where).items[::-1]


def page(
    connection: Connection, part: Page, where: Mapping[str, str] | None = None
) -> Found[AuditRow]:
    """Return a part of the log, newest first.

    Shapes:  where: column -> the value it has: `actor`, `action`, `noun`, `noun_id`.
    """
    log = tables.audit_log
    query = select(log).where(*(log.c[name] == value for name, value in (where or {}).items()))
    rows, after = read_page(connection, query, (log.c.id,), part, newest_first=True)
    return Found([_row(row) for row in rows], after)


def _row(row: Row) -> AuditRow:
    return AuditRow(
        id=row["id"],
        unix_ms=row["unix_ms"],
        actor=row["actor"],
        action=row["action"],
        noun=row["noun"],
        noun_id=row["noun_id"],
        before=msgspec.json.decode(row["before"]),
        after=msgspec.json.decode(row["after"]),
    )
