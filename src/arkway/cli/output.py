"""How does a command show what it found? JSON for scripts, tables for people, one-line errors."""

import io
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from arkway.store.problems import Problem

USAGE = 2  # exit status: the command or the configuration is wrong
FAILURE = 1  # exit status: it was right, and did not work out

_FOLDED = 10  # characters that a folded column has at least; fewer cannot be read
_ANY = 25  # lines; a table is as long as it is
_GAP = 2  # of each column, as Rich counts, to the next one
_NUMBER = re.compile(r"-|[\d.]+(%| [A-Z]{3})?").fullmatch
_PIPE_WIDTH = 10_000  # a table in a pipe is for grep: one line a row, however long


class Failure(Exception):
    """Ends the command with these lines on standard error."""

    def __init__(self, *lines: object, status: int = FAILURE) -> None:
        super().__init__("; ".join(map(str, lines)))
        self.lines = tuple(map(str, lines))
        self.status = status


def refused(problems: Iterable[Problem]) -> Failure:
    """Return the failure for a configuration with problems: a line for each."""
    return Failure(*problems, status=USAGE)


def write_what_there_is() -> None:
    """Let no character end a command: one that the encoding lacks is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(value: Any) -> None:
    """Print `value` as one line of JSON."""
    print(json.dumps(value, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under headings: fitted to a terminal, unbroken lines in a pipe.

    Nothing is cut off: long columns are folded, and where that does not suffice each row becomes
    a list of its own.
    """
    from rich.console import Console  # noqa: PLC0415  60 ms that only tables are worth
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    cells = [[_words(cell) for cell in row] for row in rows]
    shapes = [_shape(column, [row[at] for row in cells]) for at, column in enumerate(columns)]
    room = width() - _GAP * len(columns)
    if sum(shape.least for shape in shapes) > room:
        _print_lists(columns, cells)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    whole = _whole(shapes, room)
    for at, (column, shape) in enumerate(zip(columns, shapes, strict=True)):
        table.add_column(
            column,
            overflow="fold",
            no_wrap=at in whole,
            min_width=shape.widest if at in whole else shape.least,
            justify="right" if shape.is_number else "left",
        )
    for row in cells:
        table.add_row(*map(Text, row))  # Text: brackets are no markup here
    # The height, too: of a terminal that says it is dumb Rich would take neither.
    Console(width=width(), height=_ANY, highlight=False).print(table)


class _Shape(NamedTuple):
    """How wide one column wants to be, and may be at least."""

    widest: int
    least: int
    is_number: bool


def _shape(column: str, values: Sequence[str]) -> _Shape:
    is_number = bool(values) and all(map(_NUMBER, values))
    widest = max(len(column), *map(len, values), 0)
    return _Shape(widest, widest if is_number else min(widest, _FOLDED), is_number)


def _whole(shapes: Sequence[_Shape], room: int) -> set[int]:
    """Return the columns that are not folded: the shortest ones, as many as have room."""
    left = room - sum(shape.least for shape in shapes)
    found = set()
    for at, shape in sorted(enumerate(shapes), key=lambda each: each[1].widest):
        left -= shape.widest - shape.least
        if left < 0:
            break
        found.add(at)
    return found


def _print_lists(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print each row as lines of heading and value."""
    wide = max(map(len, columns))
    for at, row in enumerate(rows):
        if at:
            print()
        for column, cell in zip(columns, row, strict=True):
            print(f"{column:<{wide}}  {cell}")


def _words(cell: object) -> str:
    """Return a cell as people write it."""
    if cell is None:
        return "-"
    return str(cell) if not isinstance(cell, bool) else "yes" if cell else "no"


def width() -> int:
    """Return how wide the terminal is; a pipe is as wide as any table."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH


def remark(text: str) -> None:
    """Print a line for the person at the terminal, beside the data, on standard error."""
    print(dimmed(text) if sys.stderr.isatty() else text, file=sys.stderr)


def warn(warnings: Iterable[Problem]) -> None:
    """Print warnings on standard error, a line each."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def dimmed(text: str) -> str:
    """Return `text` in a terminal's faint type, unless NO_COLOR asks for none."""
    return coloured(text, "2")


def coloured(text: str, codes: str) -> str:
    """Return `text` in a terminal's colours (SGR codes), unless NO_COLOR asks for none."""
    return text if os.environ.get("NO_COLOR") else f"\x1b[{codes}m{text}\x1b[0m"
