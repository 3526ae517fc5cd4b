"""How do accounts, keys and models leave the configuration file? Into the store, once.

Earlier versions kept them as `[[accounts]]`, `[[keys]]` and `[[models]]` in the TOML. Keys come
over with the texts their callers hold: their SHA-256 is enough (`model.key_digest`).
"""

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arkway.control.files_io import read_file
from arkway.control.parse import MOVED_TABLES
from arkway.control.toml_text import entry_path
from arkway.store import accounts, keys, models, prices, tenants
from arkway.store.builtin import BUILTIN_MODELS
from arkway.store.changes import Change
from arkway.store.problems import Problem, Refused

_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_HEADER = re.compile(r"\s*\[\[?\s*[\"']?([A-Za-z0-9_-]+)[\"']?\s*[\].]")


@dataclass(slots=True)
class Imported:
    """What came over, and what needs a hand."""

    counts: dict[str, int] = field(default_factory=dict)
    unpriced: list[str] = field(default_factory=list)  # models that are not served yet
    rest: str = ""  # the file's text without the tables that moved
    problems: list[Problem] = field(default_factory=list)


def import_tables(change: Change, text: str, base: Path) -> Imported:
    """Take what the TOML `text` says of accounts, keys and models over into the store.

    Shapes:  base: directory where relative paths start.
    Errors:  Refused, with every problem: nothing is taken over then.
    """
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError):
        raise Refused(Problem("the file", "is not valid TOML")) from None
    done = Imported(rest=_without_tables(text, raw))
    _take_catalogue(change, raw, done)
    for entry in _entries(raw, "models", done):
        _take(done, "models", entry, lambda entry=entry: _model(change, entry))
    for entry in _entries(raw, "accounts", done):
        _take(done, "accounts", entry, lambda entry=entry: _account(change, entry, base))
    for entry in _entries(raw, "keys", done):
        _take(done, "keys", entry, lambda entry=entry: _key(change, entry))
    priced = prices.current(change.connection)
    done.unpriced = [m.name for m in models.list_all(change.connection) if m.name not in priced]
    if done.problems:
        raise Refused(*done.problems)
    return done


def replace_file(path: Path, text: str) -> Path:
    """Put `text` in place of `path` in one step; return where the old file is kept (0600)."""
    path = path.resolve()
    kept = path.with_name(f"{path.name}.before-import")
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            old = path.stat()
            os.fchmod(descriptor, old.st_mode & 0o777)
            with suppress(PermissionError):  # only root can give a file away
                os.fchown(descriptor, old.st_uid, old.st_gid)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        kept.unlink(missing_ok=True)
        os.link(path, kept)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    kept.chmod(0o600)
    return kept


def _entries(raw: Mapping[str, Any], table: str, done: Imported) -> list[dict[str, Any]]:
    found = raw.get(table, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        done.problems.append(Problem(table, f"must be a table, written [[{table}]]"))
        return []
    return found


def _take(done: Imported, table: str, entry: Mapping[str, Any], do: Any) -> None:
    """Take one entry over; its problems are named after it, and the others are still looked at."""
    name = entry.get("name")
    where = entry_path(table, name) if isinstance(name, str) else table
    try:
        do()
    except Refused as refused:
        done.problems += [
            Problem(f"{where}.{each.path}", each.message, each.hint) for each in refused.problems
        ]
    else:
        done.counts[table] = done.counts.get(table, 0) + 1


def _take_catalogue(change: Change, raw: Mapping[str, Any], done: Imported) -> None:
    catalogue = raw.get("catalogue", {})
    if not isinstance(catalogue, dict) or catalogue.get("builtin_models", True) is not False:
        return
    own = {entry.get("name") for entry in _entries(raw, "models", Imported())}
    for model in BUILTIN_MODELS:
        if model.name not in own:
            _take(
                done,
                "catalogue",
                {},
                lambda m=model: models.edit(change, m.name, {"enabled": False}),
            )


def _model(change: Change, entry: Mapping[str, Any]) -> None:
    rest = {key: value for key, value in entry.items() if key != "name"}
    if any(each.name == entry.get("name") for each in models.list_all(change.connection)):
        models.edit(change, str(entry["name"]), rest)
    else:
        models.create(change, entry)


def _account(change: Change, entry: Mapping[str, Any], base: Path) -> None:
    raw, credential = dict(entry), None
    key_file = raw.pop("key_file", None)
    if isinstance(key_file, str):
        try:
            credential = read_file(base / key_file).text
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Refused(Problem("key_file", f"cannot be read: {reason}")) from None
    if isinstance(raw.get("ca_file"), str):
        raw["ca_file"] = str((base / raw["ca_file"]).absolute())
    accounts.create(change, raw, credential)


def _key(change: Change, entry: Mapping[str, Any]) -> None:
    raw = dict(entry)
    found = _HASH.fullmatch(str(raw.pop("hash", "")))
    if found is None:
        raise Refused(Problem("hash", "must be sha256: and 64 lower-case hexadecimal digits"))
    tenant = raw.get("tenant")
    if isinstance(tenant, str) and tenant not in tenants.names(change.connection):
        tenants.create(change, {"name": tenant})
    keys.take_over(change, raw, bytes.fromhex(found[1]))


def _without_tables(text: str, raw: Mapping[str, Any]) -> str:
    """Return `text` without the tables that moved; comments above the others stay.

    Errors:  Refused when the file is written in a way that lines do not show.
    """
    kept, is_moved = [], False
    for line in text.splitlines(keepends=True):
        if header := _HEADER.match(line):
            is_moved = header[1] in MOVED_TABLES
        if not is_moved:
            kept.append(line)
    rest = "".join(kept)
    expected = {table: value for table, value in raw.items() if table not in MOVED_TABLES}
    try:
        if tomllib.loads(rest) == expected:
            return rest
    except ValueError:
        pass
    raise Refused(Problem("the file", "has these tables inside others", "write each as [[table]]"))
