"""How does a command show what it found? JSON for scripts, tables for people, one-line errors."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from arkway.store.problems import Problem

USAGE = 2  # exit status: the command or the configuration is wrong
FAILURE = 1  # exit status: it was right, and did not work out

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

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))  # Text: brackets are no markup here
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    Console(width=width, highlight=False).print(table)


def remark(text: str) -> None:
    """Print a line for the person at the terminal, beside the data, on standard error."""
    print(dimmed(text) if sys.stderr.isatty() else text, file=sys.stderr)


def warn(warnings: Iterable[Problem]) -> None:
    """Print warnings on standard error, a line each."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def dimmed(text: str) -> str:
    """Return `text` in a terminal's faint type, unless NO_COLOR asks for none."""
    return text if os.environ.get("NO_COLOR") else f"\x1b[2m{text}\x1b[0m"
