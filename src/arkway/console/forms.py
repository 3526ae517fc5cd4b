"""What does a form ask for, and what does the API get of it? Pure.

Empty means nothing to the API: `None` takes a rule away. The API checks the values; its problems
name the fields by the same names.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Field = dict[str, Any]
Values = Mapping[str, Any]


def text(name: str, label: str, value: object = "", **more: object) -> Field:
    """Return a field of one line."""
    return {"name": name, "label": label, "value": "" if value is None else str(value), **more}


def number(name: str, label: str, value: object = None, **more: object) -> Field:
    """Return a field for a number; empty is none."""
    return {**text(name, label, value), "kind": "number", **more}


def lines(name: str, label: str, value: Iterable[str] = (), **more: object) -> Field:
    """Return a field of several lines, one thing each."""
    return {"name": name, "label": label, "value": "\n".join(value), "kind": "lines", **more}


def check(name: str, label: str, *, value: bool = False, **more: object) -> Field:
    """Return a box to tick."""
    return {"name": name, "label": label, "value": value, "kind": "check", **more}


def select(
    name: str, label: str, options: Iterable[tuple[str, str]], value: str = "", **more: object
) -> Field:
    """Return a choice. Shapes: options: (value, label)."""
    shown = [{"value": each, "label": said} for each, said in options]
    return {
        "name": name,
        "label": label,
        "kind": "select",
        "options": shown,
        "value": value or (shown[0]["value"] if shown else ""),
        **more,
    }


def taken(values: Values, name: str) -> str | None:
    """Return a text; None for an empty one."""
    found = values.get(name)
    return str(found).strip() or None if found is not None else None


def whole(values: Values, name: str) -> int | str | None:
    """Return a whole number; None for none; what is no number as it is, for the API to refuse."""
    found = taken(values, name)
    if found is None:
        return None
    try:
        return int(found)
    except ValueError:
        return found


def listed(values: Values, name: str) -> list[str]:
    """Return the lines of a field; commas separate as well."""
    text_ = str(values.get(name) or "").replace(",", "\n")
    return [line.strip() for line in text_.splitlines() if line.strip()]


def table(values: Values, name: str) -> dict[str, str]:
    """Return lines of `name = value` as a table."""
    pairs = [line.partition("=") for line in listed(values, name)]
    return {key.strip(): value.strip() for key, _, value in pairs}


def changed(body: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of `body` differs from what there was: an audit row says what was changed."""
    return {name: value for name, value in body.items() if before.get(name) != value}
