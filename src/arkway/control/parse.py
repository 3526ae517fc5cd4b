"""What does the TOML say? Raw tables to schema structs, with every problem on the way. Pure.

A table with a problem still yields what it can: bad fields keep their defaults, and entries
without a required field are left out, so that later checks see the rest and all problems come out
at once.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from arkway.control.config import BUILTIN_MODELS
from arkway.control.entry_rules import entry_problems
from arkway.control.problems import Problem, did_you_mean, nearest
from arkway.control.settings import ARRAY_FIELDS, ARRAYS, SCALAR_BY_PATH, SECTIONS, Setting
from arkway.control.toml_text import entry_path, given
from arkway.control.toml_text import key as toml_key
from arkway.control.urls import normalise_base_url

# Fields people expect to hold a credential, and what to do instead. The file never holds one.
_SECRET_FIELDS = ("key", "api_key", "apikey", "token", "secret", "credential", "password")
_SECRET_MESSAGES = {
    "accounts": (
        "a credential does not belong in this file",
        "put it into an environment variable or a file, and name that with key_env or key_file",
    ),
    "keys": (
        "a key does not belong in this file, only its hash does",
        "`arkway keys create` makes both",
    ),
}


@dataclass(slots=True)
class Parsed:
    """What a file says, before environment and flags: the valid values, and the problems."""

    scalars: dict[str, Any] = field(default_factory=dict)  # dotted -> value
    entries: dict[str, list[Any]] = field(default_factory=dict)  # array -> its valid structs
    names: dict[str, list[str]] = field(default_factory=dict)  # array -> names, bad entries' too
    problems: list[Problem] = field(default_factory=list)


def parse_text(text: str, base: Path, label: str) -> Parsed:
    """Return what the TOML `text` says.

    Shapes:  base: directory where relative paths start; label: the file's name in messages.
    Errors:  none raised; malformed TOML is one problem.
    """
    parsed = Parsed(names={table: [] for table in ARRAYS}, entries={table: [] for table in ARRAYS})
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # int() has its own limit of digits
        reason = str(error) if isinstance(error, ValueError) else "nested too deeply"
        parsed.problems.append(Problem(label, f"is not valid TOML: {reason}"))
        return parsed
    for table, value in raw.items():
        if table in SECTIONS:
            _section(parsed, table, value, base)
        elif table in ARRAYS:
            _array(parsed, table, value, base)
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


def _array(parsed: Parsed, table: str, value: object, base: Path) -> None:
    entries = value if isinstance(value, list) else [value]
    for index, raw in enumerate(entries):
        if not isinstance(value, list) or not isinstance(raw, dict):
            where = f"{table}[{index}]" if isinstance(value, list) else table
            parsed.problems.append(Problem(where, f"must be a table, written [[{table}]]"))
            continue
        entry = _entry(parsed, table, index, raw, base)
        if entry is not None:
            parsed.entries[table].append(entry)


def _entry(
    parsed: Parsed, table: str, index: int, raw: Mapping[str, object], base: Path
) -> msgspec.Struct | None:
    """Return one entry of an array as far as it is valid; None when it lacks what it must have."""
    fields = {setting.key: setting for setting in ARRAY_FIELDS[table]}
    path = f"{table}[{index}]"
    name = raw.get("name")
    if isinstance(name, str) and fields["name"].accepts(name):
        path = entry_path(table, name)
        parsed.names[table].append(name)
    if table == "models":
        raw = _over_builtin(raw)
    problems = parsed.problems
    values = _read_fields(fields, raw, path, problems)
    problems += [
        Problem(f"{path}.{key}", "is required", setting.rule)
        for key, setting in fields.items()
        if setting.is_required and key not in raw
    ]
    if "base_url" in values:
        try:
            values["base_url"] = normalise_base_url(values["base_url"])
        except ValueError as error:
            problems.append(Problem(f"{path}.base_url", str(error)))
            del values["base_url"]
    problems += entry_problems(table, path, raw, values)
    if any(setting.is_required and key not in values for key, setting in fields.items()):
        return None
    return ARRAYS[table](
        **{key: _anchored(fields[key], item, base) for key, item in values.items()}
    )


def _over_builtin(raw: Mapping[str, object]) -> Mapping[str, object]:
    """Return a model's table on top of the built-in model of that name, if there is one."""
    for model in BUILTIN_MODELS:
        if model.name == raw.get("name"):
            return {**given(model), **raw}
    return raw


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


def choice_hint(setting: Setting, item: object) -> str:
    """Return which word of an enumeration was probably meant, or an empty text."""
    meant = nearest(item, setting.choices) if isinstance(item, str) else None
    return f'did you mean "{meant}"?' if meant else ""


def _unknown_table(name: str) -> Problem:
    homes = _homes_of(name)
    if homes:
        return Problem(toml_key(name), "unknown setting", f"did you mean {' or '.join(homes)}?")
    return Problem(toml_key(name), "unknown section", did_you_mean(name, [*SECTIONS, *ARRAYS]))


def _unknown_field(path: str, key: str, fields: Mapping[str, Setting]) -> Problem:
    table = path.partition(".")[0].partition("[")[0]
    if table in _SECRET_MESSAGES and key.casefold() in _SECRET_FIELDS:
        return Problem(f"{path}.{key}", *_SECRET_MESSAGES[table])
    path = f"{path}.{toml_key(key)}"
    if table in ARRAYS:
        return Problem(path, "unknown setting", did_you_mean(key, fields))
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
