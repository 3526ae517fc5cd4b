"""What should the pool of accounts be? A file that says it whole, and what that changes.

The file is TOML with one `[[accounts]]` table for each account; its parameters are the store's
(docs/config.md). What an account's table leaves out is at its default, so that the file is the
whole truth of the accounts in it; those that it does not name are left alone unless they are to be
pruned. A sealed credential that is not given again stays.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from arkway.control.files_io import read_file
from arkway.control.toml_text import entry_path
from arkway.store import accounts
from arkway.store.accounts import AccountRecord
from arkway.store.changes import Change
from arkway.store.credentials import CannotOpenError
from arkway.store.entries import Account
from arkway.store.problems import Problem, Refused, did_you_mean
from arkway.store.schema import fields_of

# A thousand accounts of a dozen lines each; more is some other file.
MAX_FILE_BYTES = 1024 * 1024
_TABLE = "accounts"
_KEY_FILE = "key_file"


@dataclass(frozen=True, slots=True)
class Difference:
    """What becomes of one account."""

    action: str  # add, edit, remove
    name: str
    changes: dict[str, tuple[object, object]]  # parameter -> before, after

    def lines(self) -> list[str]:
        """Return it as people read differences."""
        sign = {"add": "+", "edit": "~", "remove": "-"}[self.action]
        shown = [f"{sign} {self.name}"]
        for parameter, (before, after) in self.changes.items():
            if self.action == "edit":
                shown.append(f"    {parameter}: {_text(before)} -> {_text(after)}")
            elif self.action == "add":
                shown.append(f"    {parameter}: {_text(after)}")
        return shown


def read_pool(path: Path) -> list[dict[str, Any]]:
    """Return the accounts that the file names, as raw tables.

    Errors:  Refused when it is no such file; OSError.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise Refused(Problem(str(path), f"is larger than {MAX_FILE_BYTES} bytes"))
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(Problem(str(path), f"is not valid TOML: {error}")) from None
    problems = [
        Problem(name, "is not read here", did_you_mean(name, (_TABLE,)))
        for name in raw
        if name != _TABLE
    ]
    tables: list[dict[str, Any]] = raw.get(_TABLE, [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        problems.append(Problem(_TABLE, f"must be tables, each written [[{_TABLE}]]"))
    elif not tables and not problems:
        problems.append(Problem(str(path), "names no account"))
    else:
        problems += _nameless_or_twice(tables)
    if problems:
        raise Refused(*problems)
    return tables


def apply_pool(
    change: Change, tables: list[dict[str, Any]], base: Path, *, prune: bool
) -> list[Difference]:
    """Make the store's accounts what `tables` say; return what that changed.

    Shapes:  base: the directory where relative paths start.
    Errors:  Refused, with every problem of every account.
    """
    before = {each.account.name: each for each in accounts.list_all(change.connection)}
    problems: list[Problem] = []
    found: list[Difference | None] = []
    for table in tables:
        name = table["name"]
        try:
            found.append(_take(change, table, before.get(name), base))
        except Refused as refused:
            where = entry_path(_TABLE, name)
            problems += [
                Problem(f"{where}.{each.path}", each.message, each.hint)
                for each in refused.problems
            ]
    if problems:
        raise Refused(*problems)
    differences = [each for each in found if each is not None]
    if prune:
        for name in sorted(before.keys() - {table["name"] for table in tables}):
            accounts.remove(change, name)
            differences.append(Difference("remove", name, {}))
    return differences


def _nameless_or_twice(tables: list[dict[str, Any]]) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for position, table in enumerate(tables):
        name = table.get("name")
        if not isinstance(name, str):
            problems.append(Problem(f"{_TABLE}[{position}].name", "is required"))
        elif name in seen:
            problems.append(Problem(entry_path(_TABLE, name), "is there twice"))
        else:
            seen.add(name)
    return problems


def _take(
    change: Change, table: Mapping[str, Any], before: AccountRecord | None, base: Path
) -> Difference | None:
    """Make one account what its table says; None when it is that already."""
    raw = dict(table)
    credential = _credential(raw, base)
    if isinstance(raw.get("ca_file"), str):
        raw["ca_file"] = str((base / raw["ca_file"]).absolute())
    name = raw["name"]
    if before is None:
        record = accounts.create(change, raw, credential)
        return Difference("add", name, _changes({}, _told(record)))
    if credential is not None and credential == _held(change, name):
        credential = None
    whole = {**_defaults(), **raw}
    del whole["name"]
    if not table.get("key_env") and before.is_sealed:
        del whole["key_env"]
    wanted = msgspec.to_builtins(before.account) | whole
    if credential is None and wanted == msgspec.to_builtins(before.account):
        return None
    record = accounts.edit(change, name, whole, credential)
    changes = _changes(_told(before), _told(record))
    if credential is not None:
        changes["credential"] = (before.source, "store (new)")
    return Difference("edit", name, changes) if changes else None


def _defaults() -> dict[str, Any]:
    """Return every parameter of an account at its default, as JSON has it."""
    fields = fields_of(Account).values()
    return {each.key: msgspec.to_builtins(each.default) for each in fields if not each.is_required}


def _credential(raw: dict[str, Any], base: Path) -> str | None:
    """Take `key_file` out of `raw` and return the credential in it."""
    name = raw.pop(_KEY_FILE, None)
    if name is None:
        return None
    if not isinstance(name, str):
        raise Refused(Problem(_KEY_FILE, "must be a string, the path of a file"))
    try:
        return read_file(base / name).text.strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Refused(Problem(_KEY_FILE, f"cannot be read: {reason}")) from None


def _held(change: Change, name: str) -> str | None:
    """Return the credential that the store holds; None when there is none that opens."""
    try:
        return accounts.credential(change.connection, change.secrets, name)
    except CannotOpenError:
        return None


def _told(record: AccountRecord) -> dict[str, object]:
    shown = record.shown()
    return {name: shown[name] for name in shown if name not in ("name", "created_unix_ms")}


def _changes(
    before: Mapping[str, object], after: Mapping[str, object]
) -> dict[str, tuple[object, object]]:
    """Return what differs; of a new account, what is not at its default."""
    usual = before or _defaults()
    return {
        name: (before.get(name), value)
        for name, value in after.items()
        if name not in usual or usual[name] != value
    }


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(f"{name}={_text(item)}" for name, item in value.items()) or "none"
    return str(value)
