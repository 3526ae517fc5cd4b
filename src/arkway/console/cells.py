"""What is in a cell of a table? The few kinds that `assets/grid.js` shows. Pure."""

from collections.abc import Iterable

from arkway.console import formats

Cell = dict[str, object]
Column = dict[str, object]
Row = dict[str, object]

_MAX_TEXT = 400  # of a cell; the rest is on the page of the thing


def text(
    value: object, sub: str = "", *, href: str = "", strong: bool = False, wrap: bool = False
) -> Cell:
    """Return plain text, perhaps a link; on one line unless it may `wrap`."""
    shown: Cell = {"text": clipped(str(value))}
    if sub:
        shown["sub"] = clipped(sub)
    if href:
        shown["href"] = href
    if strong:
        shown["strong"] = True
    if wrap:
        shown["wrap"] = True
    return shown


def code(value: str, title: str = "") -> Cell:
    """Return a text of fixed pitch."""
    return {"kind": "code", "text": clipped(value), "title": title}


def tag(value: str, tone: str = "", title: str = "") -> Cell:
    """Return a word in a lozenge."""
    return {"kind": "tag", "text": value, "tone": tone, "title": title}


def dot(value: str, tone: str = "", sub: str = "") -> Cell:
    """Return a state with a coloured dot."""
    return {"kind": "dot", "text": value, "tone": tone, "sub": clipped(sub)}


def meters(found: Iterable[Cell], otherwise: str = formats.NOTHING) -> Cell:
    """Return bars; `otherwise` is shown for none."""
    return {"kind": "meters", "meters": list(found), "text": otherwise}


def meter(label: str, used: float, limit: float, shown: str, what: str = "") -> Cell:
    """Return one bar: how much of a limit is used."""
    part = used / limit if limit > 0 else 1.0
    return {
        "label": label,
        "what": what,
        "text": shown,
        "share": min(max(part, 0.0), 1.0),
        "tone": formats.tone_of_share(part),
        "title": f"{label}: {100 * part:.0f} %",
    }


def column(name: str, label: str, *, num: bool = False, nowrap: bool = False) -> Column:
    """Return a column; `num`: figures, to the right."""
    return {"name": name, "label": label, "num": num, "nowrap": nowrap}


def row(id_: str, name: str, cells: list[Cell], acts: Iterable[Cell] = ()) -> Row:
    """Return a line. `name` is what its buttons are said to be of."""
    return {"id": id_, "name": name, "cells": cells, "acts": list(acts)}


def act(name: str, label: str, *, danger: bool = False) -> Cell:
    """Return a button of a line."""
    return {"name": name, "label": label, "danger": danger}


def clipped(value: str) -> str:
    """Return no more of a text than a cell holds."""
    return value if len(value) <= _MAX_TEXT else value[: _MAX_TEXT - 1] + "…"
