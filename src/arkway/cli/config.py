"""Is the configuration right, and what does it say? `arkway config`."""

import os
from dataclasses import asdict

import typer

from arkway.cli.flags import ConfigFlag, JsonFlag, examples, place
from arkway.cli.output import USAGE, print_json, print_table, refused, warn
from arkway.control import toml_text
from arkway.control.config import Config
from arkway.control.options import ServeOptions
from arkway.control.provision import Provisioned, provision
from arkway.control.settings import SCALARS

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

    Looks at the file, the environment and the files and variables that credentials come from:
    what passes here, `arkway serve` accepts. Nothing is contacted.
    """
    here = place(config)
    found = provision(ServeOptions(home=here.home, config_path=config), os.environ)
    if json:
        print_json(_verdict(found))
        return USAGE if found.problems else 0
    warn(found.warnings)
    if found.problems:
        raise refused(found.problems)
    print(f"{found.loaded.path}: no problems ({_contents(found.config)})")
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

    Models, accounts and keys follow as counts; `arkway accounts list` and `arkway keys list`
    show them.
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
        print_json({"file": str(loaded.path), "settings": settings, **_counts(checked)})
        return
    rows = [(dotted, toml_text.value(value), source) for dotted, (value, source) in values.items()]
    print_table(("SETTING", "VALUE", "FROM"), rows)
    print(f"{loaded.path}: {_contents(checked)}")


def _counts(config: Config) -> dict[str, int]:
    return {
        "models": len(config.models),
        "accounts": len(config.accounts),
        "keys": len(config.keys),
    }


def _contents(config: Config) -> str:
    counts = _counts(config).items()
    return ", ".join(f"{count} {what[:-1] if count == 1 else what}" for what, count in counts)


def _verdict(found: Provisioned) -> dict[str, object]:
    return {
        "file": str(found.loaded.path),
        "ok": not found.problems,
        "problems": [asdict(problem) for problem in found.problems],
        "warnings": [asdict(warning) for warning in found.warnings],
    }
