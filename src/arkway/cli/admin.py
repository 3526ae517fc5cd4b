"""Who may use the admin API? `arkway admin tokens` and `arkway admin sessions`."""

from typing import Annotated, Literal

import typer

from arkway.cli.flags import JsonFlag, changing, examples, reading
from arkway.cli.output import print_json, print_table, remark
from arkway.store import admin_sessions, admin_tokens
from arkway.store.paging import Page
from arkway.store.units import date

_MAX_ROWS = 1000  # more administrators than that have another problem

app = typer.Typer(help="Say who may use the admin API.")
tokens = typer.Typer(help="Make, list and revoke admin tokens.")
sessions = typer.Typer(help="List and end the sessions of browsers.")
app.add_typer(tokens, name="tokens")
app.add_typer(sessions, name="sessions")


@tokens.command(
    "create",
    epilog=examples(
        "arkway admin tokens create --name alice --role admin",
        "arkway admin tokens create --name dashboard --expires 90d",
    ),
)
def create(
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="Unique name; the audit log shows it.")],
    role: Annotated[
        Literal["viewer", "operator", "admin"],
        typer.Option(metavar="viewer|operator|admin", help="What its holder may do."),
    ] = "viewer",
    expires: Annotated[
        str | None, typer.Option(metavar="WHEN", help="30d, a date such as 2030-01-31, or none.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Make an admin token and print it, once.

    A viewer sees everything but tokens and sessions; an operator also looks after keys and
    tenants, and takes accounts in and out; an admin may all. It is no API key.
    """
    with changing() as now:
        raw = {"name": name, "role": role, "expires": expires}
        new = admin_tokens.create(now, raw)
    if json:
        print_json({"token": new.text, **new.record.shown()})
        return
    print(new.text)
    remark("This is the only time it is shown: the store keeps a digest of it.")


@tokens.command("list", epilog=examples("arkway admin tokens list --all --json"))
def list_tokens(
    with_revoked: Annotated[bool, typer.Option("--all", help="Revoked tokens, too.")] = False,
    json: JsonFlag = False,
) -> None:
    """List the admin tokens. Their texts are not kept anywhere."""
    with reading() as connection:
        found = admin_tokens.page(connection, Page(_MAX_ROWS), with_revoked=with_revoked).items
    if json:
        print_json([each.shown() for each in found])
        return
    print_table(
        ("NAME", "ID", "ROLE", "EXPIRES", "STATE"),
        [
            (
                each.name,
                each.id,
                each.role,
                date(each.expires_unix_s),
                "revoked" if each.revoked_unix_ms is not None else "enabled",
            )
            for each in found
        ],
    )


@tokens.command("revoke", epilog=examples("arkway admin tokens revoke alice"))
def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="The token's name or id.")],
    json: JsonFlag = False,
) -> None:
    """End an admin token and its sessions for ever."""
    with changing() as now:
        record = admin_tokens.revoke(now, token)
    if json:
        print_json(record.shown())
    else:
        print(f"revoked {record.name} ({record.id})")


@sessions.command("list", epilog=examples("arkway admin sessions list"))
def list_sessions(json: JsonFlag = False) -> None:
    """List the browsers that are logged in."""
    with reading() as connection:
        found = admin_sessions.page(connection, Page(_MAX_ROWS)).items
    if json:
        print_json([each.shown() for each in found])
        return
    print_table(
        ("ID", "TOKEN", "ADDRESS", "BEGAN", "LAST SEEN"),
        [
            (
                each.id,
                each.token_id,
                each.address,
                date(each.created_unix_ms // 1000),
                date(each.seen_unix_ms // 1000),
            )
            for each in found
        ],
    )


@sessions.command(
    "end", epilog=examples("arkway admin sessions end", "arkway admin sessions end ID")
)
def end_sessions(
    session: Annotated[
        str | None, typer.Argument(metavar="ID", help="One of them. Default: all.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Log browsers out: one, or all."""
    with changing() as now:
        if session is None:
            ended = admin_sessions.end_all(now)
        else:
            admin_sessions.end(now, session)
            ended = 1
    if json:
        print_json({"sessions": ended})
    else:
        print(f"ended {ended} session{'' if ended == 1 else 's'}")
