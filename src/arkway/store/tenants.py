"""Who holds keys? Tenants: made once, named by their keys for ever."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select

from arkway.model.ids import OPERATOR
from arkway.store import tables
from arkway.store.changes import Change
from arkway.store.entries import Tenant
from arkway.store.paging import Found, Page, read_page
from arkway.store.problems import NotFound, Problem, Refused, did_you_mean
from arkway.store.schema import read_entry


def create(change: Change, raw: Mapping[str, object]) -> Tenant:
    """Make a tenant.

    Errors:  Refused, with every problem.
    """
    problems: list[Problem] = []
    tenant = read_entry(Tenant, raw, None, problems)
    if tenant is not None and tenant.name in names(change.connection):
        problems.append(Problem("name", f'"{tenant.name}" exists already'))
    if tenant is not None and tenant.name == OPERATOR:
        problems.append(Problem("name", f'"{OPERATOR}" is whom tests of accounts are booked to'))
    if tenant is None or problems:
        raise Refused(*problems)
    change.connection.execute(
        insert(tables.tenants).values(name=tenant.name, created_unix_ms=change.now_ms)
    )
    change.record("create", ("tenant", tenant.name), {}, {"name": tenant.name})
    return tenant


def names(connection: Connection) -> set[str]:
    """Return the tenants there are."""
    return set(connection.scalars(select(tables.tenants.c.name)))


def list_all(connection: Connection) -> list[dict[str, object]]:
    """Return the tenants in the order of their names, each with its number of living keys."""
    found = connection.execute(_counted().order_by(tables.tenants.c.name)).mappings()
    return [dict(row) for row in found]


def get(connection: Connection, name: str) -> dict[str, object]:
    """Return the tenant of this name, as `list_all` has it.

    Errors:  NotFound, with the nearest name.
    """
    row = connection.execute(_counted().where(tables.tenants.c.name == name)).mappings().first()
    if row is None:
        hint = did_you_mean(name, names(connection))
        raise NotFound(Problem("tenant", "is not a tenant here", hint))
    return dict(row)


def page(connection: Connection, part: Page) -> Found[dict[str, object]]:
    """Return a part of `list_all`."""
    rows, after = read_page(connection, _counted(), (tables.tenants.c.name,), part)
    return Found([dict(row) for row in rows], after)  # type: ignore[call-overload]  # a mapping


def _counted() -> Select[Any]:
    keys = tables.api_keys
    alive = keys.c.revoked_unix_ms.is_(None)
    counted = (
        select(keys.c.tenant, func.count().label("living")).where(alive).group_by(keys.c.tenant)
    ).subquery()
    tenants = tables.tenants
    count = func.coalesce(counted.c.living, 0).label("keys")
    return select(tenants.c.name, tenants.c.created_unix_ms, count).join_from(
        tenants, counted, counted.c.tenant == tenants.c.name, isouter=True
    )
