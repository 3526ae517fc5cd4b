"""How are upstream accounts added and listed? `arkway accounts`."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer

from arkway.cli.flags import ConfigFlag, JsonFlag, examples, place
from arkway.cli.output import print_json, print_table, remark
from arkway.control.config import Account
from arkway.control.edit import open_for_edit

app = typer.Typer(help="Add and list the upstream accounts that serve the calls.")


@app.command(
    "add",
    epilog=examples(
        "arkway accounts add main --dialect ark --key-env ARK_API_KEY \\",
        "    --base-url https://ark.cn-beijing.volces.com/api/v3",
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
    key_env: Annotated[
        str | None,
        typer.Option(metavar="VAR", help="Environment variable that holds its credential."),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="File that holds its credential.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="PUBLIC=UPSTREAM", help="This account's id for a model; repeatable."),
    ] = None,
    only_listed_models: Annotated[
        bool, typer.Option("--only-listed-models", help="Serve just the models of --model.")
    ] = False,
    weight: Annotated[int, typer.Option(metavar="N", help="Share of the traffic, 1 to 1000.")] = 1,
    ca_file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="PEM of further authorities to trust.")
    ] = None,
    config: ConfigFlag = None,
    json: JsonFlag = False,
) -> None:
    """Add an upstream account to the configuration file.

    The credential itself is never written there, only where to find it. A server on this machine
    may go without. A running gateway uses the account within a second.
    """
    entry = Account(
        name=name,
        dialect=dialect,
        base_url=base_url,
        key_env=key_env,
        key_file=_absolute(key_file),
        models=_model_table(model or ()),
        only_listed_models=only_listed_models,
        weight=weight,
        ca_file=_absolute(ca_file),
    )
    path = place(config).opened()
    _tell(_append(entry, path), path, as_json=json)


def _append(entry: Account, path: Path) -> Account:
    """Put `entry` into the file; return it as it will be read."""
    with open_for_edit(path) as edit:
        edit.append_account(entry)
        return edit.config.accounts[-1]


@app.command(
    "list",
    epilog=examples("arkway accounts list", "arkway accounts list --json"),
)
def list_accounts(config: ConfigFlag = None, json: JsonFlag = False) -> None:
    """List the upstream accounts of the configuration."""
    _, checked = place(config).checked()
    if json:
        print_json([_shown(account) for account in checked.accounts])
        return
    print_table(
        ("NAME", "DIALECT", "BASE URL", "CREDENTIAL", "MODELS", "WEIGHT", "ENABLED"),
        [
            (
                account.name,
                account.dialect,
                account.base_url,
                _credential(account),
                ", ".join(account.models) if account.only_listed_models else "all",
                account.weight,
                "yes" if account.enabled else "no",
            )
            for account in checked.accounts
        ],
    )


def _tell(account: Account, path: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(_shown(account))
    else:
        print(f"added account {account.name} to {path}")
    if account.key_env and not os.environ.get(account.key_env):
        remark(f"{account.key_env} is not set here; `arkway serve` will look for it.")


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


def _credential(account: Account) -> str:
    if account.key_env:
        state = "" if os.environ.get(account.key_env) else " (not set here)"
        return f"${account.key_env}{state}"
    return account.key_file or "none"


def _shown(account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "dialect": account.dialect,
        "base_url": account.base_url,
        "key_env": account.key_env,
        "key_file": account.key_file,
        "models": account.models,
        "only_listed_models": account.only_listed_models,
        "weight": account.weight,
        "ca_file": account.ca_file,
        "enabled": account.enabled,
    }
