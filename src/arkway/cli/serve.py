"""What does `arkway serve` ask for? Its flags, read without Typer. Standard library only.

`parse_flags` understands the plain cases and says None to everything else; Typer's `serve` (in
`app`) takes those, and the help. Both end in `run`, and a property test holds them to the same
answers (tests/unit/cli/test_serve.py).
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arkway.control.home import home_from
from arkway.control.options import ServeOptions

_INTERRUPTED = 130  # what shells report for a command that SIGINT ended

_TEXT_FLAGS = {"--host": "host", "--control-host": "control_host"}
_PATH_FLAGS = {"--config": "config", "--model": "model"}
_PORT_FLAGS = {"--port": "port", "--ops-port": "ops_port", "--control-port": "control_port"}
_MAX_PORT_DIGITS = 5


@dataclass(slots=True)
class ServeFlags:
    """The flags of `arkway serve` as given; None: not given."""

    local: bool = False
    model: Path | None = None
    host: str | None = None
    port: int | None = None
    ops_port: int | None = None
    control_host: str | None = None
    control_port: int | None = None
    config: Path | None = None


def parse_flags(arguments: Sequence[str]) -> ServeFlags | None:
    """Return the flags, or None when Typer should look at them: help, mistakes, odd spellings."""
    flags = ServeFlags()
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name == "--local" and not equals:
            flags.local = True
            continue
        if not equals and rest:
            value = rest.pop(0)
        if not _set_flag(flags, name, value):
            return None
    return flags


def _set_flag(flags: ServeFlags, name: str, value: str) -> bool:
    """Put `value` into its field; False when that takes more understanding than there is here."""
    if not value or value.startswith("-"):
        return False
    if name in _PORT_FLAGS:
        if not (value.isascii() and value.isdigit() and len(value) <= _MAX_PORT_DIGITS):
            return False
        setattr(flags, _PORT_FLAGS[name], int(value))
        return True
    if name in _TEXT_FLAGS:
        setattr(flags, _TEXT_FLAGS[name], value)
        return True
    if name in _PATH_FLAGS:
        setattr(flags, _PATH_FLAGS[name], Path(value))
        return True
    return False


def options_of(flags: ServeFlags, home: Path) -> ServeOptions:
    """Return the options for the runtime. `--model` implies `--local`: it names what to serve."""
    given = {
        "server.host": flags.host,
        "server.port": flags.port,
        "server.ops_port": flags.ops_port,
        "control.host": flags.control_host,
        "control.port": flags.control_port,
    }
    return ServeOptions(
        home=home,
        config_path=flags.config,
        overrides={dotted: value for dotted, value in given.items() if value is not None},
        local=flags.local or flags.model is not None,
        model_path=flags.model,
    )


def run(flags: ServeFlags) -> int:
    """Serve until told to stop; return the exit status."""
    from arkway.runtime.serve import run as serve  # noqa: PLC0415  only this command needs it

    try:
        return serve(options_of(flags, home_from(os.environ)))
    except KeyboardInterrupt:  # before the runtime listens to signals
        print("arkway serve: interrupted", file=sys.stderr)
        return _INTERRUPTED
