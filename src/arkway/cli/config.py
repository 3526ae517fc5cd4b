"""Is the configuration right, and what does it say? `arkway config`."""

import os
from dataclasses import asdict

import typer

from arkway.cli.flags import ConfigFlag, JsonFlag, changing, examples, place
from arkway.cli.output import USAGE, Failure, print_json, print_table, refused, remark, warn
from arkway.control import toml_text
from arkway.control.load import read_config
from arkway.control.options import ServeOptions
from arkway.control.provision import Provisioned, provision
from arkway.control.settings import SCALARS
from arkway.model.catalogue import Snapshot

app = typer.Typer(help="Check and show the configuration.")


@app.command(
    "check",
    epilog=examples(
        "arkway config check",
        "arkway config check --config new.toml && mv new.toml var/arkway.toml",
    ),
)
def check(config: ConfigFlag = None, json: JsonFlag = False) -> int:
    """Report every problem of the configuration at once; exit status 2 when there is any.

    Looks at the file, the environment, the store and the variables that credentials come from:
    what passes here, `arkway serve` accepts. Nothing is contacted or written.
    """
    here = place(config)
    found = provision(ServeOptions(home=here.home, config_path=config), os.environ)
    found.close()
    if json:
        print_json(_verdict(found))
        return USAGE if found.problems else 0
    warn(found.warnings)
    if found.snapshot is None:
        raise refused(found.problems)
    served = "nothing in the store yet" if found.reader is None else _contents(found.snapshot)
    print(f"{found.loaded.path}: no problems ({served})")
    return 0


@app.command(
    "show",
    epilog=examples(
        "arkway config show",
        "ARKWAY_LOG_LEVEL=debug arkway config show --json",
    ),
)
def show(config: ConfigFlag = None, json: JsonFlag = False) -> None:
    """Show every setting in force and where it comes from: default, file or environment.

    Models, accounts and keys are in the store: `arkway models list`, `arkway accounts list`,
    `arkway keys list`.
    """
    loaded, checked = place(config).checked()
    warn(loaded.warnings)
    values = {
        setting.dotted: (
            getattr(getattr(checked, setting.table), setting.key),
            loaded.sources[setting.dotted],
        )
        for setting in SCALARS
    }
    if json:
        settings = {
            dotted: {"value": value, "source": source} for dotted, (value, source) in values.items()
        }
        print_json({"file": str(loaded.path), "settings": settings})
        return
    rows = [(dotted, toml_text.value(value), source) for dotted, (value, source) in values.items()]
    print_table(("SETTING", "VALUE", "FROM"), rows)
    print(loaded.path)


@app.command(
    "import",
    epilog=examples("arkway config import", "arkway config import --config old.toml"),
)
def import_(config: ConfigFlag = None, json: JsonFlag = False) -> None:
    """Move accounts, keys and models of an earlier version's file into the store.

    Callers keep the keys they hold. The tables leave the file; the file as it was stays beside it
    with `.before-import` after its name. With any problem nothing is moved.
    """
    from arkway.control.import_toml import import_tables, replace_file  # noqa: PLC0415

    path = place(config).config_path
    try:
        text = read_config(path)
    except ValueError as error:
        raise Failure(f"{path}: {error}", status=USAGE) from None
    with changing() as now:
        done = import_tables(now, text, path.parent)
    kept = replace_file(path, done.rest)
    if json:
        print_json({**done.counts, "without_price": done.unpriced, "kept": str(kept)})
        return
    moved = ", ".join(f"{count} {what}" for what, count in done.counts.items()) or "nothing"
    print(f"moved {moved} into the store; the old file is {kept}")
    for name in done.unpriced:
        remark(f"{name} is not served until it has a price: arkway prices set")


def _counts(snapshot: Snapshot) -> dict[str, int]:
    return {
        "models": len({model.name for model in snapshot.models.values()}),
        "accounts": len(snapshot.accounts),
        "keys": len({key.id for key in snapshot.keys.values()}),
    }


def _contents(snapshot: Snapshot) -> str:
    counts = _counts(snapshot).items()
    return ", ".join(f"{count} {what[:-1] if count == 1 else what}" for what, count in counts)


def _verdict(found: Provisioned) -> dict[str, object]:
    return {
        "file": str(found.loaded.path),
        "ok": not found.problems,
        "problems": [asdict(problem) for problem in found.problems],
        "warnings": [asdict(warning) for warning in found.warnings],
    }
