"""What else is in the store? `arkway tenants`, `arkway db`, `arkway audit`."""

import os
from typing import Annotated

import msgspec
import typer
from sqlalchemy import text

from arkway.cli.flags import JsonFlag, changing, examples, reading
from arkway.cli.output import FAILURE, Failure, print_json, print_table
from arkway.control.home import home_from
from arkway.store import audit, tenants
from arkway.store.changes import reading as reading_of
from arkway.store.engine import open_existing, upgrade
from arkway.store.read_io import StoreReader
from arkway.store.secret_io import gateway_secrets
from arkway.store.units import date
from arkway.store.version import SCHEMA, StoreRefused, store_file

_MAX_ROWS = 10_000

tenants_app = typer.Typer(help="Add and list those who hold keys.")
db_app = typer.Typer(help="Look after the store's file.")


@tenants_app.command("create", epilog=examples("arkway tenants create research"))
def create_tenant(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Unique name.")],
    json: JsonFlag = False,
) -> None:
    """Add a tenant. Conversations of two tenants never meet."""
    with changing() as now:
        tenant = tenants.create(now, {"name": name})
    if json:
        print_json({"name": tenant.name})
    else:
        print(f"added tenant {tenant.name}")


@tenants_app.command("list", epilog=examples("arkway tenants list"))
def list_tenants(json: JsonFlag = False) -> None:
    """List the tenants and how many keys each has."""
    with reading() as connection:
        found = tenants.list_all(connection)
    if json:
        print_json(found)
    else:
        print_table(("NAME", "KEYS"), [(each["name"], each["keys"]) for each in found])


@db_app.command("upgrade", epilog=examples("arkway db upgrade"))
def upgrade_store(json: JsonFlag = False) -> None:
    """Bring the store to the schema of this Arkway, all or nothing.

    Stop the gateways that serve from it first, and copy the file: there is no way back.
    """
    before, after = upgrade(home_from(os.environ))
    if json:
        print_json({"before": before, "after": after})
    else:
        print(f"schema {after}" + ("" if before == after else f", upgraded from {before}"))


@db_app.command("check", epilog=examples("arkway db check"))
def check_store(json: JsonFlag = False) -> None:
    """Look over the store: its schema, its file, its secret, its sealed credentials."""
    home = home_from(os.environ)
    if not store_file(home).exists():
        raise StoreRefused(f"{store_file(home)} is not there")
    secrets = gateway_secrets(home, os.environ, make=False)
    store = open_existing(home, secrets)
    with reading_of(store) as connection:
        problems = [line for (line,) in connection.execute(text("PRAGMA integrity_check"))]
        broken = list(connection.execute(text("PRAGMA foreign_key_check")))
    problems = [line for line in problems if line != "ok"] + [
        f"{row[0]}: row {row[1]} refers to nothing" for row in broken
    ]
    reader = StoreReader(home, secrets)
    view = reader.read()
    reader.close()
    problems += [f"account {a.account.name}: {a.problem}" for a in view.accounts if a.problem]
    if problems:
        raise Failure(*(f"{store.path}: {problem}" for problem in problems), status=FAILURE)
    facts = {"schema": SCHEMA, "revision": view.revision, "keys": len(view.digests)}
    if json:
        print_json({"file": str(store.path), "ok": True, **facts})
    else:
        print(f"{store.path}: no problems (schema {SCHEMA}, revision {view.revision})")


def show_audit(
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=_MAX_ROWS, help="How many, newest last.")
    ] = 50,
    noun: Annotated[
        str | None,
        typer.Option(metavar="NOUN", help="Only of these: key, account, model, price, tenant."),
    ] = None,
    noun_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Only of this one.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Show who changed what in the store, and when. Secrets are never in it."""
    with reading() as connection:
        rows = audit.newest(connection, limit=limit, noun=noun, noun_id=noun_id)
    if json:
        print_json(msgspec.to_builtins(rows))
        return
    print_table(
        ("WHEN", "WHO", "WHAT", "WHICH", "CHANGE"),
        [
            (
                date(row.unix_ms // 1000),
                row.actor,
                f"{row.action} {row.noun}",
                row.noun_id,
                _difference(row),
            )
            for row in rows
        ],
    )


def _difference(row: audit.AuditRow) -> str:
    if not row.before:
        return ""
    return ", ".join(
        f"{name}: {row.before.get(name)} -> {row.after.get(name)}" for name in row.before
    )
