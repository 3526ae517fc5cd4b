"""How are callers' keys made and listed? `arkway keys`."""

from typing import Annotated

import typer

from arkway.cli.flags import ConfigFlag, JsonFlag, examples, place
from arkway.cli.output import print_json, print_table, remark
from arkway.control.config import Key
from arkway.control.edit import open_for_edit
from arkway.control.keys import hash_of, new_key

_SHOWN_HASH_CHARS = len("sha256:") + 12  # enough to tell keys apart

app = typer.Typer(help="Make and list the API keys of callers.")


@app.command(
    "create",
    epilog=examples(
        "arkway keys create --name alice",
        "arkway keys create --name batch --tenant research --model Doubao-1.5-lite-32k",
        "KEY=$(arkway keys create --name ci)",
    ),
)
def create(
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Unique name; logs and metrics show it.")
    ],
    tenant: Annotated[
        str,
        typer.Option(metavar="TENANT", help="Whose key it is; tenants' conversations never meet."),
    ] = "default",
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL", help="A model the key may use; repeatable. Default: all."),
    ] = None,
    config: ConfigFlag = None,
    json: JsonFlag = False,
) -> None:
    """Make an API key and print it, once.

    Only its SHA-256 is kept, in the configuration file: a lost key cannot be shown again.
    A running gateway accepts the key within a second.
    """
    text = new_key()
    entry = Key(name=name, hash=hash_of(text), tenant=tenant, models=tuple(model or ()))
    path = place(config).opened()
    with open_for_edit(path) as edit:
        edit.append_key(entry)
    if json:
        print_json({"key": text, **_shown(entry)})
        return
    print(text)
    remark(f"This is the only time it is shown. Its hash is in {path}.")


@app.command(
    "list",
    epilog=examples(
        "arkway keys list",
        "arkway keys list --json",
    ),
)
def list_keys(config: ConfigFlag = None, json: JsonFlag = False) -> None:
    """List the API keys: names, tenants and models. Their texts are not kept anywhere."""
    _, checked = place(config).checked()
    if json:
        print_json([_shown(key) for key in checked.keys])
        return
    print_table(
        ("NAME", "TENANT", "ENABLED", "MODELS", "HASH"),
        [
            (
                key.name,
                key.tenant,
                "yes" if key.enabled else "no",
                ", ".join(key.models) or "all",
                key.hash[:_SHOWN_HASH_CHARS] + "…",
            )
            for key in checked.keys
        ],
    )


def _shown(key: Key) -> dict[str, object]:
    return {
        "name": key.name,
        "tenant": key.tenant,
        "enabled": key.enabled,
        "models": list(key.models),
        "hash": key.hash,
    }
