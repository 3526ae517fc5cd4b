"""What would be served now? The configuration and its snapshot, with all that is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from arkway.control.config import Config
from arkway.control.files_io import Stamp, read_file, stamp
from arkway.control.home import config_file
from arkway.control.load import Loaded, load
from arkway.control.options import ServeOptions
from arkway.control.problems import Problem
from arkway.control.settings import RESTART_SECTIONS
from arkway.control.snapshot import build
from arkway.model.catalogue import Snapshot


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A configuration ready to be served, or every reason why it is not."""

    loaded: Loaded
    snapshot: Snapshot | None  # None exactly when there are problems
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    stamps: dict[Path, Stamp | None]  # of the files behind it, from before each was read

    @property
    def config(self) -> Config:
        """Return the checked configuration.

        Errors:  ValueError when there are problems: such a configuration is never served.
        """
        if self.snapshot is None or self.loaded.config is None:
            raise ValueError("a configuration with problems cannot be served")
        return self.loaded.config


def provision(
    options: ServeOptions, environ: Mapping[str, str], running: Config | None = None
) -> Provisioned:
    """Return what `options` and `environ` ask to be served; files are read, nothing is written.

    A draft with problems is built all the same, so that its missing credentials show as well.
    Shapes:  running: the configuration a process began with; its process settings stay in force
             in the snapshot, whatever the file says now.
    """
    path = config_file(options.home, options.config_path, environ)
    stamps = {path: stamp(path)}
    loaded = load(options.home, options.config_path, environ, options.overrides)
    stamps |= {name: stamp(name) for name in _named_files(loaded.draft)}
    draft = loaded.draft if running is None else _keeping(running, loaded.draft)
    built = build(draft, environ, read_file)
    problems = loaded.problems + built.problems
    return Provisioned(
        loaded=loaded,
        snapshot=None if problems else built.snapshot,
        problems=problems,
        warnings=loaded.warnings + built.warnings,
        stamps=stamps,
    )


def _keeping(running: Config, draft: Config) -> Config:
    kept = {section: getattr(running, section) for section in RESTART_SECTIONS}
    return msgspec.structs.replace(draft, **kept)


def _named_files(config: Config) -> list[Path]:
    return [
        Path(name)
        for account in config.accounts
        if account.enabled
        for name in (account.key_file, account.ca_file)
        if name
    ]
