"""Settings, health and the audit log over the admin API; and its description."""

import sqlite3
from http import HTTPStatus
from typing import Annotated

import msgspec
from sqlalchemy import select

from arkway import __version__
from arkway.control import worker_io
from arkway.control.admin import shapes
from arkway.control.admin.cursors import ListQuery, page_of, write
from arkway.control.admin.operation import VIEW, Ask, Desk, Operation
from arkway.control.settings import SCALARS
from arkway.ledger.book_file_io import SchemaMismatch
from arkway.ledger.read_io import NoBook, last_seq
from arkway.store import audit, tables
from arkway.store.fields import about
from arkway.store.version import SCHEMA


class AuditQuery(ListQuery, frozen=True, kw_only=True):
    """Which actions are listed."""

    actor: Annotated[str | None, about("Only by this one: `admin:NAME`, `cli:USER`.", "who")] = None
    action: Annotated[str | None, about("Only this: create, edit, revoke, ...", "what")] = None
    noun: Annotated[str | None, about("Only of these: key, account, model, ...", "what")] = None
    noun_id: Annotated[str | None, about("Only of this one.", "which")] = None


def _settings(desk: Desk, ask: Ask) -> object:
    part = page_of(ask.query, tuple[int])
    first = int(part.after[0]) if part.after else 0
    shown = SCALARS[max(0, first) : max(0, first) + part.limit]
    after = first + part.limit
    items = [
        {
            "name": each.dotted,
            "value": getattr(getattr(desk.config, each.table), each.key),
            "default": each.default,
            "source": desk.loaded.sources.get(each.dotted, "default"),
            "rule": each.rule,
            "description": each.description,
            "reason": each.reason,
            "variable": each.variable,
        }
        for each in shown
    ]
    return {"items": items, "next_cursor": write((after,) if after < len(SCALARS) else None)}


def _health(desk: Desk, _ask: Ask) -> object:
    with desk.reading() as connection:
        revision = connection.execute(select(tables.revision.c.number)).scalar_one()
    return {
        "control": {"version": __version__, "schema": SCHEMA, "revision": revision},
        "worker": _worker(desk),
        "ledger_rows": _rows(desk),
    }


def _worker(desk: Desk) -> dict[str, object]:
    """Ask the gateway's ops port how it is."""
    found = worker_io.ask(desk.config.server, "/readyz")
    if found is None:
        return {"is_reachable": False, "is_ready": False, "status": "unreachable", "detail": {}}
    status, detail = found
    return {
        "is_reachable": True,
        "is_ready": status == HTTPStatus.OK,
        "status": str(detail.get("status", "")),
        "detail": detail,
    }


def _rows(desk: Desk) -> int:
    try:
        with desk.book() as db:
            return last_seq(db)
    except (NoBook, SchemaMismatch, sqlite3.Error):
        return 0


def _audit(desk: Desk, ask: Ask) -> object:
    names = ("actor", "action", "noun", "noun_id")
    where = {name: value for name in names if (value := getattr(ask.query, name)) is not None}
    with desk.reading() as connection:
        found = audit.page(connection, page_of(ask.query, tuple[int]), where)
    return {"items": msgspec.to_builtins(found.items), "next_cursor": write(found.after)}


OPERATIONS = (
    Operation(
        name="list_settings",
        method="GET",
        path="/admin/v1/settings",
        policy=VIEW,
        work=_settings,
        summary="List the process settings in force, and where each comes from.",
        answer=shapes.listed("SettingList", shapes.SettingView),
        query=ListQuery,
    ),
    Operation(
        name="get_health",
        method="GET",
        path="/admin/v1/health",
        policy=VIEW,
        work=_health,
        summary="Show what runs: this process, the gateway, the ledger.",
        answer=shapes.Health,
    ),
    Operation(
        name="list_audit",
        method="GET",
        path="/admin/v1/audit",
        policy=VIEW,
        work=_audit,
        summary="List who changed what, newest first.",
        answer=shapes.listed("AuditList", shapes.AuditView),
        query=AuditQuery,
    ),
)
