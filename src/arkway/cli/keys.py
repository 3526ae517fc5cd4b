"""How are callers' keys made, changed and ended? `arkway keys`."""

from typing import Annotated, Literal

import typer

from arkway.cli.flags import JsonFlag, changing, examples, given, reading
from arkway.cli.output import print_json, print_table, remark
from arkway.store import keys
from arkway.store.keys import KeyRecord, NewKey
from arkway.store.units import date

app = typer.Typer(help="Make, list, change and revoke the API keys of callers.")

_KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The key's name or id.")]
_Models = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="MODEL", help="A model it may use; repeatable. none: all."),
]
_Expires = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="7d, 30d, 60d, 90d, a date such as 2030-01-31, or none."),
]
_Allowed = Annotated[
    list[str] | None,
    typer.Option(
        "--allow", metavar="CIDR", help="A network it may be used from; repeatable. none: all."
    ),
]
_Denied = Annotated[
    list[str] | None,
    typer.Option(
        "--deny", metavar="CIDR", help="A network it may not be used from; repeatable. Or none."
    ),
]
_Rpm = Annotated[
    str | None,
    typer.Option("--requests-per-min", "--rpm", metavar="N", help="Calls a minute, or none."),
]
_Tpm = Annotated[
    str | None,
    typer.Option("--tokens-per-min", "--tpm", metavar="N", help="Tokens a minute, or none."),
]
_Concurrency = Annotated[str | None, typer.Option(metavar="N", help="Calls at once, or none.")]
_TotalTokens = Annotated[
    str | None,
    typer.Option(metavar="N", help="Tokens for ever; reaching it suspends the key. Or none."),
]
_Budget = Annotated[
    str | None, typer.Option(metavar="CNY", help="Money per period, such as 12.50, or none.")
]
_Period = Annotated[
    Literal["day", "month", "total"] | None,
    typer.Option(metavar="day|month|total", help="When the budget starts afresh (UTC)."),
]
_OnDisconnect = Annotated[
    Literal["cancel", "drain"] | None,
    typer.Option(metavar="cancel|drain", help="What becomes of an answer whose caller has left."),
]


@app.command(
    "create",
    epilog=examples(
        "arkway keys create --name alice",
        "arkway keys create --name batch --tenant research --model Doubao-1.5-lite-32k \\",
        "    --expires 90d --budget 100 --budget-period month --rpm 600",
        "arkway keys create --name office --allow 10.0.0.0/8 --allow 2001:db8::/32",
        "KEY=$(arkway keys create --name ci)",
    ),
)
def create(  # noqa: PLR0913  one parameter a flag
    *,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Unique name; logs and metrics show it.")
    ],
    tenant: Annotated[
        str,
        typer.Option(metavar="TENANT", help="Whose key it is; tenants' conversations never meet."),
    ] = "default",
    models: _Models = None,
    expires: _Expires = None,
    allowed_networks: _Allowed = None,
    denied_networks: _Denied = None,
    requests_per_min: _Rpm = None,
    tokens_per_min: _Tpm = None,
    concurrency: _Concurrency = None,
    total_tokens: _TotalTokens = None,
    budget: _Budget = None,
    budget_period: _Period = None,
    on_disconnect: _OnDisconnect = None,
    json: JsonFlag = False,
) -> None:
    """Make an API key and print it, once.

    Only a digest of it is kept: a lost key cannot be shown again, but it can be rotated.
    A running gateway accepts the key within a second.
    """
    rules = given(
        {
            "models": models,
            "expires": expires,
            "allowed_networks": allowed_networks,
            "denied_networks": denied_networks,
            "requests_per_min": requests_per_min,
            "tokens_per_min": tokens_per_min,
            "concurrency": concurrency,
            "total_tokens": total_tokens,
            "budget": budget,
            "budget_period": budget_period,
            "on_disconnect": on_disconnect,
        }
    )
    with changing() as now:
        new = keys.create(now, {"name": name, "tenant": tenant, **_as_text(rules)})
    _tell_text(new, as_json=json)


@app.command("list", epilog=examples("arkway keys list", "arkway keys list --all --json"))
def list_keys(
    with_revoked: Annotated[bool, typer.Option("--all", help="Revoked keys, too.")] = False,
    json: JsonFlag = False,
) -> None:
    """List the API keys. Their texts are not kept anywhere."""
    with reading() as connection:
        found = keys.list_all(connection, with_revoked=with_revoked)
    if json:
        print_json([record.shown() for record in found])
        return
    print_table(
        ("NAME", "ID", "TENANT", "STATE", "EXPIRES", "MODELS"),
        [
            (
                record.key.name,
                record.id,
                record.key.tenant,
                _state(record),
                date(record.key.expires_unix_s),
                ", ".join(record.key.models) or "all",
            )
            for record in found
        ],
    )
    if not found:
        remark("there is no key yet; `arkway keys create` makes one, or the gateway's first start")


@app.command("show", epilog=examples("arkway keys show alice", "arkway keys show alice --json"))
def show(key: _KeyArgument, json: JsonFlag = False) -> None:
    """Show every rule of one API key."""
    with reading() as connection:
        _tell(keys.get(connection, key), as_json=json)


@app.command(
    "edit",
    epilog=examples(
        "arkway keys edit alice --budget 200 --expires none",
        "arkway keys edit alice --disable",
        "arkway keys edit office --allow none",
    ),
)
def edit(  # noqa: PLR0913  one parameter a flag
    key: _KeyArgument,
    *,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Its new name.")] = None,
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="Whose key it is.")] = None,
    enabled: Annotated[
        bool | None,
        typer.Option("--enable/--disable", help="Whether it is accepted; --disable refuses it."),
    ] = None,
    models: _Models = None,
    expires: _Expires = None,
    allowed_networks: _Allowed = None,
    denied_networks: _Denied = None,
    requests_per_min: _Rpm = None,
    tokens_per_min: _Tpm = None,
    concurrency: _Concurrency = None,
    total_tokens: _TotalTokens = None,
    budget: _Budget = None,
    budget_period: _Period = None,
    on_disconnect: _OnDisconnect = None,
    json: JsonFlag = False,
) -> None:
    """Change rules of an API key; what is not given stays. `none` takes a rule away.

    A running gateway holds the next call to them within a second.
    """
    rules = given(
        {
            "enabled": enabled,
            "models": models,
            "expires": expires,
            "allowed_networks": allowed_networks,
            "denied_networks": denied_networks,
            "requests_per_min": requests_per_min,
            "tokens_per_min": tokens_per_min,
            "concurrency": concurrency,
            "total_tokens": total_tokens,
            "budget": budget,
            "budget_period": budget_period,
            "on_disconnect": on_disconnect,
        }
    )
    labels = {k: v for k, v in (("name", name), ("tenant", tenant)) if v is not None}
    with changing() as now:
        record = keys.edit(now, key, {**labels, **_as_text(rules)})
    _tell(record, as_json=json)


@app.command(
    "rotate",
    epilog=examples("arkway keys rotate alice", "arkway keys rotate alice --overlap-h 0"),
)
def rotate(
    key: _KeyArgument,
    overlap_h: Annotated[
        int, typer.Option(metavar="HOURS", help="How long the old text stays good.")
    ] = 24,
    json: JsonFlag = False,
) -> None:
    """Give an API key a new text and print it, once. Rules, usage and limits go on."""
    with changing() as now:
        new = keys.rotate(now, key, overlap_h)
    _tell_text(new, as_json=json)


@app.command("revoke", epilog=examples("arkway keys revoke alice"))
def revoke(key: _KeyArgument, json: JsonFlag = False) -> None:
    """End an API key for ever. A running gateway refuses it within a second."""
    with changing() as now:
        record = keys.revoke(now, key)
    if json:
        print_json(record.shown())
    else:
        print(f"revoked {record.key.name} ({record.id})")


def _as_text(rules: dict[str, object]) -> dict[str, object]:
    """Return the rules with an amount of money as the text it was."""
    if isinstance(rules.get("budget"), int):
        return {**rules, "budget": str(rules["budget"])}
    if "expires" in rules and not isinstance(rules["expires"], str):
        return {**rules, "expires": "none" if rules["expires"] is None else str(rules["expires"])}
    return rules


def _tell_text(new: NewKey, *, as_json: bool) -> None:
    if as_json:
        print_json({"key": new.text, **new.record.shown()})
        return
    print(new.text)
    remark("This is the only time it is shown: the store keeps a digest of it.")


def _tell(record: KeyRecord, *, as_json: bool) -> None:
    if as_json:
        print_json(record.shown())
        return
    shown = record.shown().items()  # `budget` says what `budget_nano` does
    rows = [("state", _state(record)), *(each for each in shown if each[0] != "budget_nano")]
    print_table(("RULE", "VALUE"), [(name, _cell(name, value)) for name, value in rows])


def _cell(name: str, value: object) -> object:
    if name == "expires_unix_s":
        return date(value if isinstance(value, int) else None)
    if name.endswith("_unix_ms") and isinstance(value, int):
        return date(value // 1000)
    return ", ".join(map(str, value)) or None if isinstance(value, tuple | list) else value


def _state(record: KeyRecord) -> str:
    if record.revoked_unix_ms is not None:
        return "revoked"
    return "enabled" if record.key.enabled else "disabled"
