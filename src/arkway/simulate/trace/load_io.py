"""How is a trace file read? Four public forms, told apart by their first line.

    Mooncake     JSON lines: timestamp (ms), input_length, output_length, hash_ids (512 tokens each)
    Bailian      JSON lines: the same with chat_id, parent_chat_id; timestamp (s), 16 tokens a block
    BurstGPT     CSV: Timestamp (s), Request tokens, Response tokens; Session ID in newer files
    Azure        CSV: TIMESTAMP (date and time), ContextTokens, GeneratedTokens

The last two know no prefixes: every prompt is its own, and nothing of it can be cached.
"""

import csv
from collections.abc import Iterator
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec

from arkway.simulate.trace.rows import Row, Trace, with_conversations

MAX_ROWS = 5_000_000  # about 2 GiB of rows: a longer trace is cut into pieces first
MOST_TOKENS = 100_000_000  # of a prompt or an answer: a hundred times the longest context there is
_GZIP = b"\x1f\x8b"
_MOONCAKE_BLOCK = 512
_BAILIAN_BLOCK = 16
_decode = msgspec.json.Decoder().decode


class BadTrace(ValueError):
    """The file is no trace of a form that is known; the text says where and why."""


def load(path: Path) -> Trace:
    """Return the trace in `path`, its times from 0 on, its rows in the order of time.

    Errors:  BadTrace with the line, the field and the rule; OSError.
    """
    with path.open("rb") as raw:
        if raw.read(len(_GZIP)) == _GZIP:
            raise BadTrace("is compressed; unpack it first (gunzip)")
    with path.open(encoding="utf-8-sig", newline="") as lines:
        first = lines.readline()
        lines.seek(0)
        if first.lstrip().startswith("{"):
            is_bailian = "chat_id" in first
            block = _BAILIAN_BLOCK if is_bailian else _MOONCAKE_BLOCK
            rows = list(_json_rows(lines, is_bailian=is_bailian))
        elif "ContextTokens" in first:
            rows, block = list(_azure_rows(csv.DictReader(lines))), 0
        elif "Request tokens" in first:
            rows, block = list(_burst_rows(csv.DictReader(lines))), 0
        else:
            raise BadTrace(
                "line 1: not a trace: expected JSON lines with hash_ids, or CSV with 'Request "
                "tokens' (BurstGPT) or 'ContextTokens' (Azure)"
            )
    if not rows:
        raise BadTrace("the trace has no requests")
    rows.sort(key=lambda row: row.at_s)
    begin_s = rows[0].at_s
    rows = [msgspec.structs.replace(row, at_s=row.at_s - begin_s) for row in rows]
    if block:
        rows = list(with_conversations(rows, block))
    return Trace(path.name, tuple(rows), block or _MOONCAKE_BLOCK)


def _json_rows(lines: Any, *, is_bailian: bool) -> Iterator[Row]:
    roots: dict[Any, str] = {}
    for number, line in _bounded(enumerate(lines, start=1)):
        if not line.strip():
            continue
        try:
            it = _decode(line)
            at_s = _time(it, "timestamp") / (1.0 if is_bailian else 1000.0)
            conversation = ""
            if is_bailian:
                parent = it.get("parent_chat_id", -1)
                conversation = roots.get(parent) or f"chat-{it['chat_id']}"
                roots[it["chat_id"]] = conversation
            sizes = _count(it, "input_length"), _count(it, "output_length")
            yield _row(at_s, sizes, _blocks(it), conversation)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            raise BadTrace(f"line {number}: {_said(error)}") from None


def _burst_rows(table: "csv.DictReader[str]") -> Iterator[Row]:
    for number, it in _bounded(enumerate(table, start=2)):
        try:
            sizes = _count(it, "Request tokens"), _count(it, "Response tokens")
            yield _row(_time(it, "Timestamp"), sizes, (), it.get("Session ID") or "")
        except (KeyError, TypeError, ValueError) as error:
            raise BadTrace(f"line {number}: {_said(error)}") from None


def _azure_rows(table: "csv.DictReader[str]") -> Iterator[Row]:
    for number, it in _bounded(enumerate(table, start=2)):
        try:
            sizes = _count(it, "ContextTokens"), _count(it, "GeneratedTokens")
            yield _row(_date(it, "TIMESTAMP"), sizes, (), "")
        except (KeyError, TypeError, ValueError) as error:
            raise BadTrace(f"line {number}: {_said(error)}") from None


def _row(at_s: float, sizes: tuple[int, int], blocks: tuple[int, ...], name: str) -> Row:
    return Row(at_s, max(sizes[0], 1), sizes[1], blocks, name)


def _count(it: dict[str, Any], field: str) -> int:
    """Return a number of tokens."""
    value = it[field]
    try:
        tokens = int(value)
    except (TypeError, ValueError, OverflowError):
        tokens = -1
    if not 0 <= tokens <= MOST_TOKENS:
        raise ValueError(f"{field}: must be an integer, 0 to {MOST_TOKENS}, got {_shown(value)}")
    return tokens


def _time(it: dict[str, Any], field: str) -> float:
    value = it[field]
    try:
        time = float(value)
    except (TypeError, ValueError, OverflowError):
        time = float("nan")
    if not isfinite(time):
        raise ValueError(f"{field}: must be a finite number, got {_shown(value)}")
    return time


def _date(it: dict[str, Any], field: str) -> float:
    """Return a date and time as seconds; 2023's files have seven digits behind the point."""
    value = it[field]
    try:
        return datetime.fromisoformat(value.strip()[:26]).timestamp()
    except (AttributeError, ValueError, OverflowError):
        raise ValueError(f"{field}: must be a date and time, got {_shown(value)}") from None


def _blocks(it: dict[str, Any]) -> tuple[int, ...]:
    value = it["hash_ids"]
    try:
        return tuple(map(int, value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"hash_ids: must be a list of integers, got {_shown(value)}") from None


def _shown(value: object) -> str:
    """Return what a message shows of a bad value; None: the line ends before it."""
    return "nothing" if value is None else repr(value)[:40]


def _bounded(numbered: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    for number, line in numbered:
        if number > MAX_ROWS:
            raise BadTrace(f"more than {MAX_ROWS} requests: cut it into pieces")
        yield number, line


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    return str(error)
