"""Does an account answer? `arkway accounts test`."""

from typing import TYPE_CHECKING, Annotated

import typer

from arkway.cli.flags import JsonFlag, changing, place, reading, store
from arkway.cli.output import USAGE, Failure, print_json, print_table
from arkway.control.advice import advice

if TYPE_CHECKING:
    from arkway.control.trial_io import Tested


def probe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")],
    *,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The model to ask. Default: the cheapest it serves."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Send one tiny call to an account, and tell what came of it and what to do.

    The running gateway makes the call, with the account's credential, whatever the account's
    health, and also while it drains. It asks for one token, which is booked like any other and to
    no tenant. An account that answers is tried again if it was out. The exit status is 1 when the
    account did not answer.
    """
    found = _tested(name, model)
    told = advice(found.ending, found.error_class)
    if json:
        print_json({**_plain(found), "advice": told})
    else:
        print_table(("WHAT", "RESULT"), _lines(found, told))
    if not found.is_ok:
        raise typer.Exit(1)


def _tested(name: str, model: str | None) -> "Tested":
    """Return what the gateway found, once the audit log has it.

    Errors:  Failure when nothing was found out.
    """
    from sqlalchemy import select  # noqa: PLC0415  as slow as the store, which commands load late

    from arkway.control.trial_io import NotTested, ask_trial  # noqa: PLC0415
    from arkway.store import accounts, tables  # noqa: PLC0415

    _, config = place(None).checked()
    with reading() as connection:
        record = accounts.get(connection, name)
        revision = connection.execute(select(tables.revision.c.number)).scalar_one()
    if not record.account.enabled:
        raise Failure(f"account {name} is disabled: drain it instead, and it can be tested")
    try:
        found = ask_trial(config.server, store().secrets.ops, name, model, revision)
    except NotTested as refused:
        status = USAGE if refused.code == "model_not_served" else 1
        raise Failure(f"account {name} was not tested: {refused}", status=status) from None
    with changing() as now:
        now.record("test", ("account", name), {}, found.recorded())
    return found


def _plain(found: "Tested") -> dict[str, object]:
    import msgspec  # noqa: PLC0415

    plain: dict[str, object] = msgspec.to_builtins(found)
    return plain


def _lines(found: "Tested", told: str) -> list[tuple[str, object]]:
    from arkway.ledger.explain import money  # noqa: PLC0415

    booked = found.booked
    read = booked.uncached + booked.cached + booked.created
    wrote = booked.output + booked.reasoning
    return [
        ("answers", found.is_ok),
        ("model", f"{found.model} ({found.upstream_model} there)"),
        ("status", found.status or None),
        ("code", f"{found.code or '-'} ({found.error_class})" if found.error_class else None),
        ("took", f"{found.took_ms} ms, {found.connected_ms} of them to connect"),
        ("used", f"{read} input + {wrote} output tokens ({booked.source})"),
        ("cost", f"{money(booked.cost_nano)} {found.currency}, booked as {booked.kind}"),
        ("call", found.request_id),
        ("what to do", told),
    ]
