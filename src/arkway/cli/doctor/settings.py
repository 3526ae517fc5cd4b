"""Is what would be served right? The configuration, the store, and what they say of each other."""

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arkway.cli.doctor.finding import Finding, ok, problem, warning
from arkway.cli.flags import Place
from arkway.control.config import Config
from arkway.control.options import ServeOptions
from arkway.control.provision import provision
from arkway.control.settings import SCALARS
from arkway.model.catalogue import Snapshot
from arkway.store.problems import Problem
from arkway.store.read_io import StoreView
from arkway.store.version import SCHEMA, StoreRefused, store_file

MAX_FAULTS = 3  # lines of SQLite's own check: the first says enough
_ENTRY = re.compile(
    r'(accounts|models|keys)\.("(?:[^"\\]|\\.)*"|[^.]+)'
).match  # toml_text.entry_path
_ABSENT = "is not set in the environment"  # how `control.snapshot` says it


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a start would look at, and what it would say."""

    path: Path
    draft: Config  # without what is wrong with it
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    store: Path
    is_stored: bool  # there is a store
    refused: str = ""  # why the store cannot be used
    faults: tuple[str, ...] = ()  # of its file
    view: StoreView = field(default_factory=StoreView, repr=False)
    snapshot: Snapshot | None = field(default=None, repr=False)


def look(here: Place) -> Settings:
    """Read the configuration and the store, as a start would. Nothing is written."""
    store = store_file(here.home)
    loaded = here.load()
    try:
        found = provision(ServeOptions(home=here.home, config_path=here.config_flag), os.environ)
    except (StoreRefused, OSError) as error:
        return Settings(
            loaded.path,
            loaded.draft,
            loaded.problems,
            loaded.warnings,
            store,
            is_stored=store.exists(),
            refused=_words(error),
            faults=_faults(store),
        )
    found.close()
    return Settings(
        loaded.path,
        loaded.draft,
        found.problems,
        found.warnings,
        store,
        is_stored=found.reader is not None,
        faults=_faults(store) if found.reader is not None else (),
        view=found.view,
        snapshot=found.snapshot,
    )


def ports(config: Config) -> dict[str, int]:
    """Return the ports that a gateway with this configuration listens on, by their settings."""
    return {
        setting.dotted: getattr(getattr(config, setting.table), setting.key)
        for setting in SCALARS
        if setting.key.endswith("port") and getattr(getattr(config, setting.table), "enabled", True)
    }


def judge(found: Settings, live: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is said of the configuration, the store, models, keys and credentials.

    Shapes:  live: the accounts that the running gateway has, by name; empty: none runs.
    """
    problems = [each for each in found.problems if not _is_of_entry(each)]
    warnings = [each for each in found.warnings if not _is_of_entry(each)]
    yield from (problem("configuration", _line(each), _help(each)) for each in problems)
    yield from (warning("configuration", _line(each), _help(each)) for each in warnings)
    if not problems:
        there = "" if found.path.exists() else " (not there: every setting is the default)"
        yield ok("configuration", f"{found.path}{there}: no problems")
    yield from _store(found)
    yield from _entries(found, live)


def _store(found: Settings) -> Iterator[Finding]:
    if not found.is_stored and not found.refused:
        text = f"{found.store} is not there yet: the first start makes it"
        yield ok("store", text)
        return
    for fault in found.faults:
        advice = (
            "stop the gateway and put a copy in its place, with the secret-key that belongs to it"
        )
        yield problem("store", f"{found.store} is damaged: {fault}", advice)
    if found.refused:
        yield problem("store", found.refused, "arkway does not start until this is put right")
    elif not found.faults:
        keys, view = len(found.view.digests), found.view
        yield ok(
            "store",
            f"schema {SCHEMA}, revision {view.revision}, keys: {keys}, accounts: "
            f"{len(view.accounts)}; it opens with this secret, and so do its credentials",
        )


def _entries(found: Settings, live: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with accounts, models and keys."""
    if found.refused:
        return
    levels = [(problem, each) for each in found.problems]
    levels += [(warning, each) for each in found.warnings]
    for level, each in levels:
        if not _is_of_entry(each):
            continue
        if each.message.endswith(_ABSENT) and _account(each) in live:
            variable = each.message.removesuffix(_ABSENT).strip()
            yield ok(_subject(each), f"{variable} is not set here, but in the gateway")
        else:
            yield level(_subject(each), each.message, _help(each))
    view = found.view
    if found.is_stored and not view.keys:
        yield warning("keys", "no key is accepted", "make one: `arkway keys create --name NAME`")
    if found.is_stored and not [each for each in view.accounts if each.account.enabled]:
        yield warning(
            "accounts",
            "there is none: the embedded stand-in model would serve",
            "add one: `arkway accounts add NAME --dialect ark --base-url URL --key-env VAR`",
        )
    if found.snapshot is not None and found.snapshot.models:
        yield ok("models", ", ".join(sorted({m.name for m in found.snapshot.models.values()})))


def _is_of_entry(each: Problem) -> bool:
    return _ENTRY(each.path) is not None


def _account(each: Problem) -> str:
    """Return the name in `accounts.NAME.key_env` or `models."NAME"`."""
    found = _ENTRY(each.path)
    return "" if found is None else found[2].strip('"')


def _subject(each: Problem) -> str:
    found = _ENTRY(each.path)
    return each.path if found is None else f"{found[1][:-1]} {_account(each)}"


def _line(each: Problem) -> str:
    return f"{each.path}: {each.message}"


def _help(each: Problem) -> str:
    if each.hint:
        return each.hint
    if each.message.endswith(_ABSENT):
        return (
            "set it where the gateway is started, or keep the credential in the store: "
            f"`arkway accounts edit {_account(each)} --key-stdin`"
        )
    return "docs/config.md has the rule" if not _is_of_entry(each) else ""


def _faults(store: Path) -> tuple[str, ...]:
    """Return what SQLite finds wrong with the file; empty: nothing, or it is not there."""
    if not store.exists():
        return ()
    is_still = not store.with_name(store.name + "-wal").exists()  # so no file is made beside it
    address = f"{store.absolute().as_uri()}?mode=ro" + ("&immutable=1" if is_still else "")
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=2.0)) as db:
            lines = [line for (line,) in db.execute(f"PRAGMA quick_check({MAX_FAULTS})")]
    except sqlite3.Error as error:
        return (str(error),)
    return tuple(_first_lines(line for line in lines if line != "ok"))


def _first_lines(lines: Iterable[str]) -> list[str]:
    return [line.splitlines()[0] for line in lines][:MAX_FAULTS]


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
