"""Tenants over the admin API."""

from arkway.control.admin import shapes
from arkway.control.admin.cursors import ListQuery, page_of, write
from arkway.control.admin.operation import OPERATE, VIEW, Ask, Desk, Operation
from arkway.store import tenants

_PATH = "/admin/v1/tenants"


def _list(desk: Desk, ask: Ask) -> object:
    with desk.reading() as connection:
        found = tenants.page(connection, page_of(ask.query, tuple[str]))
    return {"items": found.items, "next_cursor": write(found.after)}


def _create(desk: Desk, ask: Ask) -> object:
    with desk.changing(ask.by) as now:
        tenant = tenants.create(now, ask.body)
        return {"name": tenant.name, "created_unix_ms": now.now_ms, "keys": 0}


def _get(desk: Desk, ask: Ask) -> object:
    with desk.reading() as connection:
        return tenants.get(connection, ask.path["tenant"])


OPERATIONS = (
    Operation(
        name="list_tenants",
        method="GET",
        path=_PATH,
        policy=VIEW,
        work=_list,
        summary="List the tenants, by name.",
        answer=shapes.listed("TenantList", shapes.TenantView),
        query=ListQuery,
    ),
    Operation(
        name="create_tenant",
        method="POST",
        path=_PATH,
        policy=OPERATE,
        work=_create,
        summary="Add a tenant.",
        answer=shapes.TenantView,
        body=shapes.Tenant,
        status=201,
    ),
    Operation(
        name="get_tenant",
        method="GET",
        path=f"{_PATH}/{{tenant}}",
        policy=VIEW,
        work=_get,
        summary="Show a tenant.",
        answer=shapes.TenantView,
    ),
)
