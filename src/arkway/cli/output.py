"""How does a command show what it found? JSON for scripts, tables for people, one-line errors."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from arkway.store.problems import Problem

USAGE = 2  # exit status: the command or the configuration is wrong
FAILURE = 1  # exit status: it was right, and did not work out

_SHORT = 20  # characters, as many as dates with their time and ids of keys have
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


def print_json(value: Any) -> None:
    """Print `value` as one line of JSON."""
    print(json.dumps(value, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under headings: fitted to a terminal, unbroken lines in a pipe."""
    from rich.console import Console  # noqa: PLC0415  60 ms that only tables are worth
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    cells = [[_words(cell) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for at, column in enumerate(columns):
        values = [row[at] for row in cells]
        table.add_column(
            column,
            overflow="fold",
            # What is short stays whole, headings too: the long columns give way.
            no_wrap=max(map(len, values), default=0) <= _SHORT,
            min_width=len(column),
            justify="right" if values and all(map(_NUMBER, values)) else "left",
        )
    for row in cells:
        table.add_row(*map(Text, row))  # Text: brackets are no markup here
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False).print(table)


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
