"""Upstream accounts over the admin API. A credential goes in and never comes out."""

from arkway.control.admin import shapes
from arkway.control.admin.cursors import ListQuery, page_of, write
from arkway.control.admin.operation import ADMINISTER, OPERATE, VIEW, Ask, Desk, Operation
from arkway.store import accounts

_PATH = "/admin/v1/accounts"
_ONE = f"{_PATH}/{{account}}"


def _list(desk: Desk, ask: Ask) -> object:
    with desk.reading() as connection:
        found = accounts.page(connection, page_of(ask.query, tuple[int, str]))
    return {"items": [each.shown() for each in found.items], "next_cursor": write(found.after)}


def _create(desk: Desk, ask: Ask) -> object:
    raw, credential = _split(ask)
    with desk.changing(ask.by) as now:
        return accounts.create(now, raw, credential).shown()


def _get(desk: Desk, ask: Ask) -> object:
    with desk.reading() as connection:
        return accounts.get(connection, ask.path["account"]).shown()


def _edit(desk: Desk, ask: Ask) -> object:
    raw, credential = _split(ask)
    with desk.changing(ask.by) as now:
        return accounts.edit(now, ask.path["account"], raw, credential).shown()


def _remove(desk: Desk, ask: Ask) -> object:
    with desk.changing(ask.by) as now:
        return accounts.remove(now, ask.path["account"]).shown()


def _drain(desk: Desk, ask: Ask) -> object:
    with desk.changing(ask.by) as now:
        return accounts.edit(now, ask.path["account"], {"is_draining": True}).shown()


def _enable(desk: Desk, ask: Ask) -> object:
    back = {"is_draining": False, "enabled": True}
    with desk.changing(ask.by) as now:
        return accounts.edit(now, ask.path["account"], back).shown()


def _split(ask: Ask) -> tuple[dict[str, object], str | None]:
    raw = dict(ask.body)
    credential = raw.pop("credential", None)
    assert credential is None or isinstance(credential, str), "checked against `NewAccount`"
    return raw, credential


OPERATIONS = (
    Operation(
        name="list_accounts",
        method="GET",
        path=_PATH,
        policy=VIEW,
        work=_list,
        summary="List the upstream accounts, in the order they were made.",
        answer=shapes.listed("AccountList", shapes.AccountView),
        query=ListQuery,
    ),
    Operation(
        name="create_account",
        method="POST",
        path=_PATH,
        policy=ADMINISTER,
        work=_create,
        summary="Add an upstream account; `credential` is sealed and never shown.",
        answer=shapes.AccountView,
        body=shapes.NewAccount,
        status=201,
    ),
    Operation(
        name="get_account",
        method="GET",
        path=_ONE,
        policy=VIEW,
        work=_get,
        summary="Show an account.",
        answer=shapes.AccountView,
    ),
    Operation(
        name="edit_account",
        method="PATCH",
        path=_ONE,
        policy=ADMINISTER,
        work=_edit,
        summary="Change an account; what is not given stays.",
        answer=shapes.AccountView,
        body=shapes.AccountChange,
    ),
    Operation(
        name="remove_account",
        method="DELETE",
        path=_ONE,
        policy=ADMINISTER,
        work=_remove,
        summary="Remove an account and its credential; calls under way finish.",
        answer=shapes.AccountView,
    ),
    Operation(
        name="drain_account",
        method="POST",
        path=f"{_ONE}/drain",
        policy=OPERATE,
        work=_drain,
        summary="Send nothing new to an account; what runs there finishes.",
        answer=shapes.AccountView,
    ),
    Operation(
        name="enable_account",
        method="POST",
        path=f"{_ONE}/enable",
        policy=OPERATE,
        work=_enable,
        summary="Send calls again to an account that was drained or disabled.",
        answer=shapes.AccountView,
    ),
)
