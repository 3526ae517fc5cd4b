"""Does an account answer, and how does the gateway find it? Test and health over the admin API."""

from typing import Any

import msgspec
from sqlalchemy import select

from arkway.control import worker_io
from arkway.control.admin import shapes
from arkway.control.admin.errors import AdminError, wrong
from arkway.control.admin.operation import OPERATE, VIEW, Ask, Desk, Operation
from arkway.control.advice import advice
from arkway.control.trial_io import NotTested, ask_trial
from arkway.ledger.explain import money
from arkway.store import accounts, tables
from arkway.store.problems import Problem

_ONE = "/admin/v1/accounts/{account}"
_NOT_IN_USE = {
    "account": "", "is_in_use": False, "state": "", "reason": "", "returns_in_s": None,
    "in_flight": 0, "waiting": 0, "utilisation": None, "cached_share": None, "limits": {},
    "attempts": {}, "ejections": 0, "errors": [],
}  # fmt: skip


def _test(desk: Desk, ask: Ask) -> object:
    name, model = ask.path["account"], ask.body.get("model")
    assert model is None or isinstance(model, str), "checked against `Testing`"
    with desk.reading() as connection:
        record = accounts.get(connection, name)
        revision = connection.execute(select(tables.revision.c.number)).scalar_one()
    if not record.account.enabled:
        message = "it is disabled: drain it instead, and it can be tested"
        raise AdminError("not_in_use", message)
    try:
        found = ask_trial(desk.config.server, desk.store.secrets.ops, name, model, revision)
    except NotTested as refused:
        raise _refused(refused) from None
    with desk.changing(ask.by) as now:
        now.record("test", ("account", name), {}, found.recorded())
    cost, told = money(found.booked.cost_nano), advice(found.ending, found.error_class)
    return {**msgspec.to_builtins(found), "advice": told, "cost": cost}


def _refused(refused: NotTested) -> AdminError:
    match refused.code:
        case "not_served":
            hint = "it was left out when the configuration was read: see `arkway doctor`"
            return AdminError("not_in_use", hint)
        case "model_not_served":
            return wrong(Problem("model", str(refused)))
        case "ledger_unavailable":
            return AdminError("ledger_unavailable", str(refused))
        case _:
            return AdminError("gateway_unavailable", str(refused))


def _health(desk: Desk, ask: Ask) -> object:
    name = ask.path["account"]
    with desk.reading() as connection:
        accounts.get(connection, name)
    said = worker_io.ask(desk.config.server, "/status")
    if said is None or not isinstance(said[1].get("accounts"), list):
        raise AdminError("gateway_unavailable")
    live = (each for each in said[1]["accounts"] if each.get("account") == name)
    found: dict[str, Any] = next(live, {})
    told = {field: found.get(field, usual) for field, usual in _NOT_IN_USE.items()}
    return {**told, "account": name, "is_in_use": bool(found)}


OPERATIONS = (
    Operation(
        name="get_account_health",
        method="GET",
        path=f"{_ONE}/health",
        policy=VIEW,
        work=_health,
        summary="Show how the gateway finds an account, and what went wrong there lately.",
        answer=shapes.AccountHealth,
    ),
    Operation(
        name="test_account",
        method="POST",
        path=f"{_ONE}/test",
        policy=OPERATE,
        work=_test,
        summary="Send one tiny call to an account, whatever its health, and tell what came of it.",
        answer=shapes.AccountTest,
        body=shapes.Testing,
    ),
)
