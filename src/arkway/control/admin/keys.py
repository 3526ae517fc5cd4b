"""Callers' API keys over the admin API. The text of one is only in the answer that makes it."""

from typing import Annotated

from arkway.control.admin import shapes
from arkway.control.admin.cursors import ListQuery, page_of, write
from arkway.control.admin.operation import OPERATE, VIEW, Ask, Desk, Operation
from arkway.store import keys
from arkway.store.fields import about

_PATH = "/admin/v1/keys"
_ONE = f"{_PATH}/{{key}}"


class KeysQuery(ListQuery, frozen=True, kw_only=True):
    """Which keys are listed."""

    revoked: Annotated[bool, about("Revoked keys, too.", "they stay for their usage")] = False
    tenant: Annotated[str | None, about("Only this tenant's.", "many have few")] = None
    name: Annotated[str | None, about("Only those of this name.", "ids are not remembered")] = None


def _list(desk: Desk, ask: Ask) -> object:
    wanted = {"tenant": ask.query.tenant, "name": ask.query.name}
    where = {name: value for name, value in wanted.items() if value is not None}
    part = page_of(ask.query, tuple[int, str])
    with desk.reading() as connection:
        found = keys.page(connection, part, with_revoked=ask.query.revoked, where=where)
    return {"items": [each.shown() for each in found.items], "next_cursor": write(found.after)}


def _create(desk: Desk, ask: Ask) -> object:
    with desk.changing(ask.by) as now:
        new = keys.create(now, ask.body)
    return {"key": new.text, **new.record.shown()}


def _get(desk: Desk, ask: Ask) -> object:
    with desk.reading() as connection:
        return keys.get(connection, ask.path["key"]).shown()


def _edit(desk: Desk, ask: Ask) -> object:
    with desk.changing(ask.by) as now:
        return keys.edit(now, ask.path["key"], ask.body).shown()


def _rotate(desk: Desk, ask: Ask) -> object:
    hours = ask.body.get("overlap_h", shapes.Rotation().overlap_h)
    assert isinstance(hours, int), "checked against `Rotation`"
    with desk.changing(ask.by) as now:
        new = keys.rotate(now, ask.path["key"], hours)
    return {"key": new.text, **new.record.shown()}


def _revoke(desk: Desk, ask: Ask) -> object:
    with desk.changing(ask.by) as now:
        return keys.revoke(now, ask.path["key"]).shown()


OPERATIONS = (
    Operation(
        name="list_keys",
        method="GET",
        path=_PATH,
        policy=VIEW,
        work=_list,
        summary="List the API keys, in the order they were made.",
        answer=shapes.listed("KeyList", shapes.KeyView),
        query=KeysQuery,
    ),
    Operation(
        name="create_key",
        method="POST",
        path=_PATH,
        policy=OPERATE,
        work=_create,
        summary="Make an API key; its text is in this answer and never again.",
        answer=shapes.KeyMade,
        body=shapes.NewKey,
        status=201,
    ),
    Operation(
        name="get_key",
        method="GET",
        path=_ONE,
        policy=VIEW,
        work=_get,
        summary="Show a key, by its id or name.",
        answer=shapes.KeyView,
    ),
    Operation(
        name="edit_key",
        method="PATCH",
        path=_ONE,
        policy=OPERATE,
        work=_edit,
        summary="Change rules of a key; what is not given stays, null takes a rule away.",
        answer=shapes.KeyView,
        body=shapes.KeyChange,
    ),
    Operation(
        name="revoke_key",
        method="DELETE",
        path=_ONE,
        policy=OPERATE,
        work=_revoke,
        summary="End a key for ever; its row stays, for the usage it had.",
        answer=shapes.KeyView,
    ),
    Operation(
        name="rotate_key",
        method="POST",
        path=f"{_ONE}/rotate",
        policy=OPERATE,
        work=_rotate,
        summary="Give a key a new text; the old one stays good for `overlap_h` hours.",
        answer=shapes.KeyMade,
        body=shapes.Rotation,
    ),
)
