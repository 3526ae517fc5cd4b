"""Which flags do several commands share? And the place they act on."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from arkway.cli.output import refused
from arkway.control.config import Config
from arkway.control.home import config_file, home_from, open_home
from arkway.control.load import Loaded, load

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one line of JSON, for scripts.")]
ConfigFlag = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="Configuration file. Default: $ARKWAY_CONFIG, else $ARKWAY_HOME/arkway.toml.",
    ),
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

    def opened(self) -> Path:
        """Return the configuration file, its home directory made if need be."""
        open_home(self.home)
        return self.config_path


def place(config_flag: Path | None) -> Place:
    """Return the place that the environment and `--config` name."""
    return Place(home_from(os.environ), config_flag)
