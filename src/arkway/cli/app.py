"""Which commands are there? The command tree of `arkway`, and how it fails."""

import os
import platform
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from arkway import __version__
from arkway.cli import INTERRUPTED, chat, config, docs, shell, sim
from arkway.cli import calls as listing
from arkway.cli import ledger as books
from arkway.cli import serve as serving
from arkway.cli import simulate as simulation
from arkway.cli.doctor import command as doctoring
from arkway.cli.flags import (
    ConfigFlag,
    ControlHostFlag,
    ControlPortFlag,
    JsonFlag,
    examples,
    place,
)
from arkway.cli.output import FAILURE, USAGE, Failure, print_json, write_what_there_is
from arkway.cli.top import command as watching
from arkway.control.config import Server
from arkway.store.problems import Refused
from arkway.store.version import StoreRefused

_SERVER = Server()  # the defaults, for the help
_WITHOUT_STORE = (
    "chat",
    "serve",
    "version",
    "config",
    "docs",
    "sim",
    "simulate",
    "control",
    "doctor",
    "top",
    "completion",
)

app = typer.Typer(
    help="An OpenAI-compatible AI gateway for Doubao.",
    epilog=examples(
        "arkway serve                          # with the embedded model until there are accounts",
        "arkway accounts add main --dialect ark --key-env ARK_API_KEY \\",
        "    --base-url https://ark.cn-beijing.volces.com/api/v3",
        "arkway keys create --name alice",
        'arkway chat "Why is the sky blue?"',
        "arkway doctor                         # what is wrong, and what helps",
    ),
    rich_markup_mode=None,  # plain help: it can be searched, copied and put into docs/cli.md
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command(
    epilog=examples(
        "arkway serve",
        "arkway serve --local                  # the embedded model, whatever accounts there are",
        "ARKWAY_HOME=/var/lib/arkway arkway serve --port 80 --ops-port 8082",
    ),
)
def serve(  # noqa: PLR0913  one parameter a flag
    *,
    local: Annotated[
        bool, typer.Option("--local", help="Serve the embedded model instead of the accounts.")
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="A GGUF file for the embedded model; implies --local."),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help=f"Address of the public API. Default: {_SERVER.host}."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help=f"Port of the public API. Default: {_SERVER.port}."),
    ] = None,
    ops_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            help=f"Port of /healthz, /readyz and /metrics. Default: {_SERVER.ops_port}.",
        ),
    ] = None,
    control_host: ControlHostFlag = None,
    control_port: ControlPortFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Run the gateway until SIGTERM or SIGINT.

    Without an account it serves the embedded stand-in model. Without a key it makes one, prints
    it once and leaves it in $ARKWAY_HOME/first-key. It is ready when /readyz on the ops port
    answers 200. The admin API runs beside it, as a process of its own.
    SIGTERM lets running answers finish; SIGINT twice stops at once.
    The flags win over environment and file; settings without a flag are in docs/config.md.
    """
    flags = serving.ServeFlags(
        local=local,
        model=model,
        host=host,
        port=port,
        ops_port=ops_port,
        control_host=control_host,
        control_port=control_port,
        config=config,
    )
    return serving.run(flags)


@app.command(
    epilog=examples("arkway control", "arkway control --control-port 9081 --ops-port 9082")
)
def control(
    *,
    control_host: ControlHostFlag = None,
    control_port: ControlPortFlag = None,
    ops_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Where the gateway tells its health, if one runs."),
    ] = None,
    config: ConfigFlag = None,
) -> int:
    """Run the admin API alone, until SIGTERM or SIGINT.

    `arkway serve` starts it beside the gateway; alone it serves a home whose gateway does not
    (control.enabled = false), or none yet. At its first start it makes an admin token, prints it
    once and leaves it in $ARKWAY_HOME/first-admin-token.
    """
    from arkway.runtime.control_io import run as run_control  # noqa: PLC0415  Starlette: 0.2 s
    from arkway.runtime.control_supervise import ControlOptions  # noqa: PLC0415

    given = {
        "control.host": control_host,
        "control.port": control_port,
        "server.ops_port": ops_port,
    }
    overrides = {name: value for name, value in given.items() if value is not None}
    here = place(config)
    return run_control(ControlOptions(here.home, here.config_flag, overrides))


app.command(
    "chat",
    epilog=examples(
        'arkway chat "Why is the sky blue?"',
        'arkway chat "And at dusk?"            # the same conversation',
        'arkway chat --new --system "Answer in one word." "Capital of France?"',
        "git diff | arkway chat --new",
    ),
)(chat.chat)
app.add_typer(config.app, name="config")
app.command("usage", epilog=examples("arkway usage --by day,key --since 2026-11-01 --csv"))(
    books.show_usage
)
app.command(
    "calls",
    epilog=examples(
        "arkway calls --outcome upstream_interrupted --since 2026-11-01",
        "arkway calls --key key_1786ade7c8268a8e --limit 100 --json",
    ),
)(listing.show_calls)
app.command("explain", epilog=examples("arkway explain 0198c6a1-7e44-7b21-9f05-2f5a7b1c3d4e"))(
    books.explain
)
app.add_typer(books.ledger, name="ledger")
app.add_typer(docs.app, name="docs")
app.add_typer(sim.app, name="sim")
app.command(
    "simulate",
    epilog=examples(
        "arkway simulate --compare             # a synthetic hour of chat",
        "arkway simulate --trace trace.jsonl --accounts 16 --headroom 1.6 --no-header",
        "arkway simulate --trace trace.jsonl --plan --rpm 500 --tpm 800000",
        "arkway simulate --trace trace.jsonl --kill-account-at-s 1200 --out killed",
    ),
)(simulation.simulate)
app.command(
    "doctor",
    epilog=examples(
        "arkway doctor",
        "arkway doctor --quiet || echo 'look at the gateway'",
        "ARKWAY_HOME=/var/lib/arkway arkway doctor --offline",
    ),
)(doctoring.doctor)
app.command(
    "top",
    epilog=examples(
        "arkway top",
        "arkway top --url http://10.0.0.2:8082",
        "arkway top --once",
        "arkway top --json | jq .rates.calls_per_s",
    ),
)(watching.top)
app.command(
    "completion",
    epilog=examples(
        "arkway completion bash > ~/.local/share/bash-completion/completions/arkway",
        "arkway completion zsh > ~/.zfunc/_arkway    # a directory of fpath",
        "arkway completion fish > ~/.config/fish/completions/arkway.fish",
    ),
)(shell.completion)


@app.command()
def version(json: JsonFlag = False) -> None:
    """Print the version."""
    if json:
        print_json({"arkway": __version__, "python": platform.python_version()})
    else:
        print(f"arkway {__version__}")


@cache
def whole() -> typer.Typer:
    """Return the tree with the commands of the store, for which SQLAlchemy is loaded: 0.2 s."""
    from arkway.cli import accounts, admin, keys, models, store  # noqa: PLC0415

    app.add_typer(keys.app, name="keys")
    app.add_typer(accounts.app, name="accounts")
    app.add_typer(store.tenants_app, name="tenants")
    app.add_typer(models.app, name="models")
    app.add_typer(models.prices_app, name="prices")
    app.add_typer(store.db_app, name="db")
    app.add_typer(admin.app, name="admin")
    app.command(
        "audit", epilog=examples("arkway audit", "arkway audit --noun key --limit 10 --json")
    )(store.show_audit)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit status.

    Every failure is one line a problem on standard error. A bug keeps its traceback.
    """
    shell.prepare()
    write_what_there_is()
    tree = app if arguments[0] in _WITHOUT_STORE else whole()
    try:
        status = tree(args=list(arguments), prog_name="arkway", standalone_mode=False)
    except (typer.TyperException, Failure, Refused, StoreRefused, OSError) as error:
        return _fail(error)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return status if isinstance(status, int) else 0


def _fail(error: Exception) -> int:
    """Say what went wrong; return the exit status that says it to scripts."""
    lines: tuple[str, ...]
    match error:
        case BrokenPipeError():  # our reader has gone, as `| head` does: nothing is left to say
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILURE
        case typer.TyperException():
            lines, status = (_usage_of(error),), error.exit_code
        case Failure():
            lines, status = error.lines, error.status
        case Refused():
            lines, status = tuple(map(str, error.problems)), USAGE
        case StoreRefused():
            lines, status = (str(error),), USAGE
        case OSError(strerror=str(reason)) if error.filename is not None:
            lines, status = (f"{error.filename}: {reason}",), FAILURE
        case _:
            lines, status = (str(error),), FAILURE
    for line in lines:
        print(f"arkway: {line}", file=sys.stderr)
    return status


def _usage_of(error: typer.TyperException) -> str:
    """Return what was wrong with the command line, and whose help tells more."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "arkway"
    words = " ".join(error.format_message().split())  # choices are listed on lines of their own
    return f"{words.rstrip('.')}; see {command} --help"
