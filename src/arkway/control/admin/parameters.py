"""What does a request ask for? Query and body, checked by the types that describe them. Pure.

Every problem is reported at once, with the nearest valid name for one that is unknown.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from arkway.control.admin.errors import AdminError, wrong
from arkway.store.problems import Problem, did_you_mean
from arkway.store.schema import choice_hint, fields_of

MAX_BODY_BYTES = 256 * 1024  # an account with limits for a thousand models fits
MAX_PARAMETERS = 32


def read_query(kind: type[msgspec.Struct], text: bytes) -> Any:
    """Return the query in the type that describes it.

    Errors:  AdminError, with every problem.
    """
    try:
        pairs = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(text),
            max_num_fields=MAX_PARAMETERS,
            errors="strict",
        )
    except ValueError:  # of bytes, of form, of number
        raise wrong(Problem("query", "is not a list of name=value pairs")) from None
    fields, problems = fields_of(kind), []
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in fields:
            problems.append(Problem(_shown(name), "unknown parameter", did_you_mean(name, fields)))
        elif name in values:
            problems.append(Problem(name, "is there twice"))
        else:
            try:
                values[name] = fields[name].check(value, is_text=True)
            except ValueError as error:
                problems.append(Problem(name, str(error), choice_hint(fields[name], value)))
    if problems:
        raise wrong(*problems)
    return kind(**values)


def read_body(
    kind: type[msgspec.Struct], content_type: str, body: bytes, *, is_change: bool
) -> Mapping[str, object]:
    """Return the fields of a body that its type accepts.

    Shapes:  is_change: what is required to make a thing may be left out.
    Errors:  AdminError, with every problem.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise AdminError("json_required")
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise wrong(Problem("body", "is not valid JSON")) from None
    if not isinstance(raw, dict):
        raise wrong(Problem("body", "must be a JSON object"))
    fields, problems = fields_of(kind), []
    for name, value in raw.items():
        if name not in fields:
            problems.append(Problem(_shown(name), "unknown parameter", did_you_mean(name, fields)))
            continue
        try:
            fields[name].check(value)
        except ValueError as error:
            problems.append(Problem(name, str(error), choice_hint(fields[name], value)))
    if not is_change:
        problems += [
            Problem(name, "is required", each.rule)
            for name, each in fields.items()
            if each.is_required and name not in raw
        ]
    if problems:
        raise wrong(*problems)
    return raw


def _shown(name: str) -> str:
    """Return an unknown name as messages may hold it: short, on one line."""
    return "".join(char if char.isprintable() else "?" for char in name[:64]) or '""'
