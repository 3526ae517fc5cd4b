"""What does the TOML say? Raw tables to settings, with every problem on the way. Pure.

A section with a problem still yields what it can: bad fields keep their defaults, so that later
checks see the rest and all problems come out at once.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arkway.control.settings import SCALAR_BY_PATH, SECTIONS
from arkway.control.toml_text import key as toml_key
from arkway.store.problems import Problem, did_you_mean, nearest
from arkway.store.schema import Setting, choice_hint

# Tables of earlier versions; what they held is in the store.
MOVED_TABLES = ("models", "accounts", "keys", "catalogue")


@dataclass(slots=True)
class Parsed:
    """What a file says, before environment and flags: the valid values, and the problems."""

    scalars: dict[str, Any] = field(default_factory=dict)  # dotted -> value
    problems: list[Problem] = field(default_factory=list)


def parse_text(text: str, base: Path, label: str) -> Parsed:
    """Return what the TOML `text` says.

    Shapes:  base: directory where relative paths start; label: the file's name in messages.
    Errors:  none raised; malformed TOML is one problem.
    """
    parsed = Parsed()
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # int() has its own limit of digits
        reason = str(error) if isinstance(error, ValueError) else "nested too deeply"
        parsed.problems.append(Problem(label, f"is not valid TOML: {reason}"))
        return parsed
    for table, value in raw.items():
        if table in SECTIONS:
            _section(parsed, table, value, base)
        elif table in MOVED_TABLES:
            hint = "`arkway config import` moves it there"
            parsed.problems.append(Problem(table, "belongs into the store, not here", hint))
        else:
            parsed.problems.append(_unknown_table(table))
    return parsed


def _section(parsed: Parsed, table: str, value: object, base: Path) -> None:
    if not isinstance(value, dict):
        parsed.problems.append(Problem(table, f"must be a table, written [{table}]"))
        return
    fields = {s.key: s for s in SCALAR_BY_PATH.values() if s.table == table}
    for key, item in _read_fields(fields, value, table, parsed.problems).items():
        parsed.scalars[f"{table}.{key}"] = _anchored(fields[key], item, base)


def _read_fields(
    fields: Mapping[str, Setting],
    raw: Mapping[str, object],
    path: str,
    problems: list[Problem],
) -> dict[str, Any]:
    """Return the valid fields of one table; append a problem for each of the others."""
    values: dict[str, Any] = {}
    for key, item in raw.items():
        setting = fields.get(key)
        if setting is None:
            problems.append(_unknown_field(path, key, fields))
            continue
        try:
            values[key] = setting.check(item)
        except ValueError as error:
            problems.append(Problem(f"{path}.{key}", str(error), choice_hint(setting, item)))
    return values


def _unknown_table(name: str) -> Problem:
    homes = _homes_of(name)
    if homes:
        return Problem(toml_key(name), "unknown setting", f"did you mean {' or '.join(homes)}?")
    return Problem(toml_key(name), "unknown section", did_you_mean(name, SECTIONS))


def _unknown_field(table: str, key: str, fields: Mapping[str, Setting]) -> Problem:
    path = f"{table}.{toml_key(key)}"
    homes = _homes_of(key)
    if not homes and (closest := nearest(key, fields)):
        homes = [f"{table}.{closest}"]
    hint = f"did you mean {' or '.join(homes)}?" if homes else did_you_mean(key, fields)
    return Problem(path, "unknown setting", hint)


def _homes_of(key: str) -> list[str]:
    """Return the settings of exactly this name in whichever sections have one."""
    return [setting.dotted for setting in SCALAR_BY_PATH.values() if setting.key == key]


def _anchored(setting: Setting, value: Any, base: Path) -> Any:
    """Return a path setting relative to `base`; every other value as it is."""
    return str(base / value) if setting.is_path and value else value
