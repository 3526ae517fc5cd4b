"""How are upstream accounts added, changed and taken out of use? `arkway accounts`."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from arkway.cli import pool, trials
from arkway.cli.flags import JsonFlag, changing, examples, given, place, reading
from arkway.cli.live import accounts_now, share, why_out
from arkway.cli.output import USAGE, Failure, print_json, print_table, remark, width
from arkway.store import accounts
from arkway.store.accounts import AccountRecord

# A narrower terminal shows how accounts do, and leaves out what seldom changes.
_NARROW = 100
_IN_SHOW = ("DIALECT", "MODELS", "WEIGHT")
_MAX_CREDENTIAL_CHARS = 64 * 1024  # what is longer is some other file

app = typer.Typer(help="Add, change and drain the upstream accounts that serve the calls.")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
_KeyEnv = Annotated[
    str | None,
    typer.Option(metavar="VAR", help="Environment variable that holds its credential."),
]
_KeyFile = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="File to read its credential from, now; it is kept sealed."),
]
_KeyStdin = Annotated[
    bool,
    typer.Option("--key-stdin", help="Read its credential from standard input; it is kept sealed."),
]
_Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model", metavar="PUBLIC=UPSTREAM", help="This account's id for a model; repeatable."
    ),
]
_CaFile = Annotated[
    Path | None, typer.Option(metavar="PATH", help="PEM of further authorities to trust.")
]
_Rpm = Annotated[
    str | None,
    typer.Option(
        "--requests-per-min",
        "--rpm",
        metavar="N",
        help="What the upstream allows it for each model, or none.",
    ),
]
_Tpm = Annotated[
    str | None,
    typer.Option("--tokens-per-min", "--tpm", metavar="N", help="The same of tokens, or none."),
]
_InFlight = Annotated[
    str | None, typer.Option(metavar="N", help="Calls at once for each model, or none.")
]


@app.command(
    "add",
    epilog=examples(
        "arkway accounts add main --dialect ark --key-env ARK_API_KEY \\",
        "    --base-url https://ark.cn-beijing.volces.com/api/v3",
        "arkway accounts add vault --dialect ark --key-stdin \\",
        "    --base-url https://ark.cn-beijing.volces.com/api/v3 < credential",
        "arkway accounts add lab --dialect openai --base-url http://127.0.0.1:9011/v1 \\",
        "    --model Doubao-1.5-pro-32k=qwen3 --only-listed-models",
    ),
)
def add(  # noqa: PLR0913  one parameter a flag
    name: Annotated[str, typer.Argument(metavar="NAME", help="Unique name: a-z, 0-9 and -.")],
    *,
    dialect: Annotated[
        Literal["openai", "ark"],
        typer.Option(metavar="openai|ark", help="OpenAI-compatible server, or Volcengine Ark."),
    ],
    base_url: Annotated[
        str, typer.Option(metavar="URL", help="Where its API starts, such as https://host/v1.")
    ],
    key_env: _KeyEnv = None,
    key_file: _KeyFile = None,
    key_stdin: _KeyStdin = False,
    models: _Models = None,
    only_listed_models: Annotated[
        bool, typer.Option("--only-listed-models", help="Serve just the models of --model.")
    ] = False,
    weight: Annotated[int, typer.Option(metavar="N", help="Share of the traffic, 1 to 1000.")] = 1,
    ca_file: _CaFile = None,
    requests_per_min: _Rpm = None,
    tokens_per_min: _Tpm = None,
    in_flight: _InFlight = None,
    json: JsonFlag = False,
) -> None:
    """Add an upstream account.

    Of its credential the store keeps the variable's name, or the credential itself, sealed with
    the gateway's secret. A server on this machine may go without. A running gateway uses the
    account within a second; variables are those it was started with.
    """
    limits = {
        "requests_per_min": requests_per_min,
        "tokens_per_min": tokens_per_min,
        "in_flight": in_flight,
    }
    raw = {
        "name": name,
        "dialect": dialect,
        "base_url": base_url,
        "key_env": key_env,
        "models": _model_table(models or ()),
        "only_listed_models": only_listed_models,
        "weight": weight,
        "ca_file": _absolute(ca_file),
        **given(limits),
    }
    credential = _credential(key_file, is_stdin=key_stdin)
    with changing() as now:
        record = accounts.create(now, raw, credential)
    if json:
        print_json(record.shown())
    else:
        print(f"added account {name}")
    _remark_absent(record)


@app.command(
    "edit",
    epilog=examples(
        "arkway accounts edit main --weight 3",
        "arkway accounts edit main --key-stdin < new-credential",
        "arkway accounts edit main --disable",
    ),
)
def edit(  # noqa: PLR0913  one parameter a flag
    name: _Name,
    *,
    base_url: Annotated[str | None, typer.Option(metavar="URL", help="Its API's start.")] = None,
    key_env: _KeyEnv = None,
    key_file: _KeyFile = None,
    key_stdin: _KeyStdin = False,
    models: _Models = None,
    only_listed_models: Annotated[
        bool | None,
        typer.Option(
            "--only-listed-models/--every-model", help="Whether it serves just those of --model."
        ),
    ] = None,
    weight: Annotated[int | None, typer.Option(metavar="N", help="Share of the traffic.")] = None,
    ca_file: _CaFile = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether calls may go there.")
    ] = None,
    requests_per_min: _Rpm = None,
    tokens_per_min: _Tpm = None,
    in_flight: _InFlight = None,
    json: JsonFlag = False,
) -> None:
    """Change an upstream account; what is not given stays.

    A new credential takes the place of the old one, wherever that came from.
    """
    raw = given(
        {
            "base_url": base_url,
            "key_env": key_env,
            "models": None if models is None else _model_table(models),
            "only_listed_models": only_listed_models,
            "weight": weight,
            "ca_file": _absolute(ca_file),
            "enabled": enabled,
            "requests_per_min": requests_per_min,
            "tokens_per_min": tokens_per_min,
            "in_flight": in_flight,
        }
    )
    credential = _credential(key_file, is_stdin=key_stdin)
    with changing() as now:
        record = accounts.edit(now, name, raw, credential)
    _tell(record, as_json=json)
    _remark_absent(record)


@app.command("list", epilog=examples("arkway accounts list", "arkway accounts list --json"))
def list_accounts(json: JsonFlag = False) -> None:
    """List the upstream accounts; how each does, where a gateway of this home runs."""
    with reading() as connection:
        found = accounts.list_all(connection)
    here = place(None)
    live = accounts_now(here.load().draft.server, here.home)
    if json:
        print_json([{**record.shown(), "live": live.get(record.account.name)} for record in found])
        return
    rows = [{**_columns(record), **_now(record, live)} for record in found]
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["NAME"]
    if live and width() < _NARROW:
        columns = [name for name in columns if name not in _IN_SHOW]
    print_table(columns, [[row.get(name, "") for name in columns] for row in rows])
    if not rows:
        remark("there is no account yet; until `arkway accounts add`, the embedded model answers")


def _columns(record: AccountRecord) -> dict[str, object]:
    account = record.account
    return {
        "NAME": account.name,
        "DIALECT": account.dialect,
        "BASE URL": account.base_url,
        "CREDENTIAL": _source(record),
        "MODELS": ", ".join(account.models) if account.only_listed_models else "all",
        "WEIGHT": account.weight,
        "STATE": _state(record),
    }


def _now(record: AccountRecord, live: dict[str, dict[str, Any]]) -> dict[str, object]:
    """Return how the running gateway finds it; nothing where none runs, or it is disabled."""
    if not live or not record.account.enabled:
        return {}
    now = live.get(record.account.name)
    if now is None:
        return {"STATE": "left out", "WHY": "see `arkway doctor`"}
    found: dict[str, object] = {
        "STATE": now["state"],
        "USED": share(now["utilisation"]),
        "CACHE": share(now["cached_share"]),
    }
    return {**found, "WHY": why_out(now)} if now["reason"] else found


@app.command("show", epilog=examples("arkway accounts show main"))
def show(name: _Name, json: JsonFlag = False) -> None:
    """Show one upstream account; never its credential."""
    with reading() as connection:
        _tell(accounts.get(connection, name), as_json=json)


app.command(
    "apply",
    epilog=examples(
        "arkway accounts apply pool.toml --dry-run",
        "arkway accounts apply pool.toml --prune --yes",
    ),
)(pool.apply)


app.command(
    "test",
    epilog=examples(
        "arkway accounts test main",
        "arkway accounts test main --model Doubao-1.5-pro-32k --json",
    ),
)(trials.probe)


@app.command("remove", epilog=examples("arkway accounts remove main"))
def remove(name: _Name, json: JsonFlag = False) -> None:
    """Remove an upstream account and its credential. Calls under way finish."""
    with changing() as now:
        record = accounts.remove(now, name)
    if json:
        print_json(record.shown())
    else:
        print(f"removed account {name}")


@app.command("drain", epilog=examples("arkway accounts drain main"))
def drain(name: _Name, json: JsonFlag = False) -> None:
    """Send nothing new to an account; what runs there finishes."""
    with changing() as now:
        record = accounts.edit(now, name, {"is_draining": True})
    _tell(record, as_json=json)


@app.command("enable", epilog=examples("arkway accounts enable main"))
def enable(name: _Name, json: JsonFlag = False) -> None:
    """Send calls to an account again that was drained or disabled."""
    with changing() as now:
        record = accounts.edit(now, name, {"is_draining": False, "enabled": True})
    _tell(record, as_json=json)


def _credential(path: Path | None, *, is_stdin: bool) -> str | None:
    """Return the credential to be sealed; None: none was given. It is never an argument."""
    if path is not None and is_stdin:
        raise Failure("--key-file and --key-stdin: give one of them", status=USAGE)
    if is_stdin:
        return sys.stdin.read(_MAX_CREDENTIAL_CHARS)
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_MAX_CREDENTIAL_CHARS)
    except UnicodeDecodeError:
        raise Failure(f"{path} is not text", status=USAGE) from None


def _remark_absent(record: AccountRecord) -> None:
    variable = record.account.key_env
    if variable and not os.environ.get(variable):
        remark(f"{variable} is not set here; `arkway serve` will look for it.")


def _tell(record: AccountRecord, *, as_json: bool) -> None:
    if as_json:
        print_json(record.shown())
        return
    rows = [("state", _state(record)), *record.shown().items()]
    print_table(("PARAMETER", "VALUE"), rows)


def _absolute(path: Path | None) -> str | None:
    """Return a path that means the same wherever the gateway is started."""
    return None if path is None else str(path.absolute())


def _model_table(pairs: Iterable[str]) -> dict[str, str]:
    table = {}
    for pair in pairs:
        public, equals, upstream = pair.partition("=")
        if not (public and equals and upstream):
            raise typer.BadParameter("must be PUBLIC=UPSTREAM", param_hint="'--model'")
        table[public] = upstream
    return table


def _source(record: AccountRecord) -> str:
    variable = record.account.key_env
    if variable:
        return f"${variable}" + ("" if os.environ.get(variable) else " (not set here)")
    return record.source


def _state(record: AccountRecord) -> str:
    if not record.account.enabled:
        return "disabled"
    return "draining" if record.account.is_draining else "enabled"
