"""Who changed what, and when? Rows that are only ever added."""

import msgspec
from sqlalchemy import Connection, select

from arkway.store import tables


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
    log = tables.audit_log
    query = select(log).order_by(log.c.id.desc()).limit(limit)
    if noun is not None:
        query = query.where(log.c.noun == noun)
    if noun_id is not None:
        query = query.where(log.c.noun_id == noun_id)
    rows = [
        AuditRow(
            **{
                **row,
                "before": msgspec.json.decode(row["before"]),
                "after": msgspec.json.decode(row["after"]),
            }
        )
        for row in connection.execute(query).mappings()
    ]
    return rows[::-1]
