"""Which flags do several commands share? And the place they act on."""

import getpass
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arkway.cli.output import USAGE, Failure, refused
from arkway.control.config import Config, Control
from arkway.control.home import config_file, home_from, open_home
from arkway.control.load import Loaded, load

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from arkway.store.changes import Change
    from arkway.store.engine import Store

NONE = "none"  # the word that takes a rule away

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one line of JSON, for scripts.")]
ConfigFlag = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="Configuration file. Default: $ARKWAY_CONFIG, else $ARKWAY_HOME/arkway.toml.",
    ),
]


ControlHostFlag = Annotated[
    str | None,
    typer.Option(metavar="HOST", help=f"Address of the admin API. Default: {Control().host}."),
]
ControlPortFlag = Annotated[
    int | None,
    typer.Option(metavar="PORT", help=f"Port of the admin API. Default: {Control().port}."),
]


def examples(*commands: str) -> str:
    """Return the end of a command's help; the backspace keeps Typer from joining the lines."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)


@dataclass(frozen=True, slots=True)
class Place:
    """The home directory and configuration file a command acts on."""

    home: Path
    config_flag: Path | None

    @property
    def config_path(self) -> Path:
        """Return the configuration file in force."""
        return config_file(self.home, self.config_flag, os.environ)

    def load(self) -> Loaded:
        """Return the configuration in force, with what is wrong with it."""
        return load(self.home, self.config_flag, os.environ)

    def checked(self) -> tuple[Loaded, Config]:
        """Return the configuration in force.

        Errors:  Failure with every problem.
        """
        loaded = self.load()
        if loaded.config is None:
            raise refused(loaded.problems)
        return loaded, loaded.config


def place(config_flag: Path | None) -> Place:
    """Return the place that the environment and `--config` name."""
    return Place(home_from(os.environ), config_flag)


def store() -> "Store":
    """Return the store of the home directory, both made if need be.

    SQLAlchemy, 0.2 s, is loaded by the commands that need it.
    Errors:  StoreRefused; OSError.
    """
    from arkway.store.engine import open_store  # noqa: PLC0415

    return open_store(open_home(home_from(os.environ)), os.environ)


@contextmanager
def changing() -> Iterator["Change"]:
    """Begin a change of the store by the person at the terminal."""
    from arkway.store.changes import change  # noqa: PLC0415

    with change(store(), actor()) as now:
        yield now


@contextmanager
def rehearsing() -> Iterator["Change"]:
    """Begin a change of the store of which nothing is kept."""
    from arkway.store.changes import rehearsal  # noqa: PLC0415

    with rehearsal(store(), actor()) as now:
        yield now


@contextmanager
def reading() -> Iterator["Connection"]:
    """Begin to read the store."""
    from arkway.store import changes  # noqa: PLC0415

    with changes.reading(store()) as connection:
        yield connection


def actor() -> str:
    """Return whom the audit log names."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user often has no name
        return f"cli:{os.getuid()}"


def day(flag: str, text: str) -> date:
    """Return the day that the value of a flag names.

    Errors:  Failure for what is no day.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Failure(f"{flag}: must be a day such as 2026-01-31", status=USAGE) from None


def days(since: str, until: str) -> tuple[date | None, date | None]:
    """Return the first and the last day that --since and --until name; None: not given.

    Errors:  Failure for what is no day, and for days in the wrong order.
    """
    first, last = (
        day(flag, text) if text else None for flag, text in (("--since", since), ("--until", until))
    )
    if first and last and last < first:
        raise Failure(f"--until: must not be before --since, {first}", status=USAGE)
    return first, last


def given(flags: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters that were given: numbers as numbers, `none` as no such rule.

    Shapes:  flags: parameter -> what Typer made of its flag; None: not given.
    """
    return {name: _plain(value) for name, value in flags.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [] if value == [NONE] else value
    if value == NONE:
        return None
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit():
        return int(value)
    return value
