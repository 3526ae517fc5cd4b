"""How do people talk to Arkway? The `arkway` command.

    main -> serve.py (a few flags, nothing heavy loaded) -> runtime.serve.run
         -> app.py (Typer) -> chat, keys, accounts, config, version

Typer weighs 5 MiB (0.28; with Pydantic behind it, 0.29, 13 MiB) and 150 ms, which a serving
process would carry for its whole life; so `main` reads the flags of `serve` itself, and leaves
whatever it does not understand, `--help` too, to Typer's command of the same name.
Errors are one line on standard error; exit status 2 for usage and configuration, 1 for failures.
Tested: tests/unit/cli, one file a module; docs/cli.md by tests/docs/test_cli_docs.py.
"""

import sys
from collections.abc import Sequence

from arkway.cli import serve

INTERRUPTED = 130  # what shells report for a command that SIGINT ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `arkway` with these arguments (the process's own by default); return its exit status."""
    try:
        return _main(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # while modules load, which takes longer than most commands
        return INTERRUPTED


def _main(given: list[str]) -> int:
    if given[:1] == ["serve"]:
        flags = serve.parse_flags(given[1:])
        if flags is not None:
            return serve.run(flags)
    if given == ["--version"]:  # what people try first
        given = ["version"]
    from arkway.cli.app import run  # noqa: PLC0415  `serve` must not load Typer (see above)

    return run(given or ["--help"])
