"""What would be served now? The configuration and its snapshot, with all that is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from arkway.control.config import Config
from arkway.control.files_io import Stamp, read_file, stamp
from arkway.control.home import config_file
from arkway.control.load import Loaded, load
from arkway.control.options import ServeOptions
from arkway.control.snapshot import Built, build
from arkway.model.catalogue import Snapshot
from arkway.store.problems import Problem
from arkway.store.read_io import StoreReader, StoreView
from arkway.store.secret_io import gateway_secrets
from arkway.store.version import store_file


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A configuration ready to be served, or every reason why it is not."""

    loaded: Loaded
    view: StoreView
    reader: StoreReader | None = field(repr=False)  # None: there is no store yet
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

    @property
    def needs_first_key(self) -> bool:
        """Return whether there is no store yet, or one that never had a key."""
        return self.reader is None or not self.view.was_ever_keyed

    def close(self) -> None:
        """Close the store; what was read stays good."""
        if self.reader is not None:
            self.reader.close()


def provision(options: ServeOptions, environ: Mapping[str, str]) -> Provisioned:
    """Return what `options` and `environ` ask to be served; files are read, nothing is written.

    A draft with problems is built all the same, so that its missing credentials show as well.
    Errors:  StoreRefused for a store that cannot be used as it is.
    """
    path = config_file(options.home, options.config_path, environ)
    stamps = {path: stamp(path)}
    loaded = load(options.home, options.config_path, environ, options.overrides)
    reader = _open(options.home, environ)
    view = reader.read() if reader else StoreView()
    stamps |= {name: stamp(name) for name in named_files(view)}
    built = built_from(loaded.draft, view, reader, environ)
    problems = loaded.problems + built.problems
    return Provisioned(
        loaded=loaded,
        view=view,
        reader=reader,
        snapshot=None if problems else built.snapshot,
        problems=problems,
        warnings=loaded.warnings + built.warnings,
        stamps=stamps,
    )


def built_from(
    config: Config, view: StoreView, reader: StoreReader | None, environ: Mapping[str, str]
) -> Built:
    """Return the snapshot of `view`, an empty one where there is no store yet."""
    if reader is None:
        return Built(Snapshot({}, (), {}), (), ())
    return build(config, view, reader.key_secret, environ, read_file)


def named_files(view: StoreView) -> list[Path]:
    """Return the files that the accounts of `view` name."""
    accounts = [stored.account for stored in view.accounts if stored.account.enabled]
    return [Path(account.ca_file) for account in accounts if account.ca_file]


def _open(home: Path, environ: Mapping[str, str]) -> StoreReader | None:
    if not store_file(home).exists():
        return None
    return StoreReader(home, gateway_secrets(home, environ, make=False))
