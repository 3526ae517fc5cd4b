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
from pathlib import Path
from typing import Any

import msgspec

from arkway.simulate.trace.rows import Row, Trace, with_conversations

MAX_ROWS = 5_000_000  # about 2 GiB of rows: a longer trace is cut into pieces first
_MOONCAKE_BLOCK = 512
_BAILIAN_BLOCK = 16
_decode = msgspec.json.Decoder().decode


class BadTrace(ValueError):
    """The file is no trace of a form that is known; the text says where and why."""


def load(path: Path) -> Trace:
    """Return the trace in `path`, its times from 0 on, its rows in the order of time.

    Errors:  BadTrace with the line; OSError.
    """
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
            at_s = float(it["timestamp"]) / (1.0 if is_bailian else 1000.0)
            conversation = ""
            if is_bailian:
                parent = it.get("parent_chat_id", -1)
                conversation = roots.get(parent) or f"chat-{it['chat_id']}"
                roots[it["chat_id"]] = conversation
            blocks = tuple(map(int, it["hash_ids"]))
            yield _row(at_s, (it["input_length"], it["output_length"]), blocks, conversation)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            raise BadTrace(f"line {number}: {_said(error)}") from None


def _burst_rows(table: "csv.DictReader[str]") -> Iterator[Row]:
    for number, it in _bounded(enumerate(table, start=2)):
        try:
            sizes = (it["Request tokens"], it["Response tokens"])
            yield _row(float(it["Timestamp"]), sizes, (), it.get("Session ID") or "")
        except (KeyError, TypeError, ValueError) as error:
            raise BadTrace(f"line {number}: {_said(error)}") from None


def _azure_rows(table: "csv.DictReader[str]") -> Iterator[Row]:
    for number, it in _bounded(enumerate(table, start=2)):
        try:
            at = datetime.fromisoformat(it["TIMESTAMP"].strip()[:26])
            yield _row(at.timestamp(), (it["ContextTokens"], it["GeneratedTokens"]), (), "")
        except (KeyError, TypeError, ValueError) as error:
            raise BadTrace(f"line {number}: {_said(error)}") from None


def _row(at_s: float, sizes: tuple[Any, Any], blocks: tuple[int, ...], name: str) -> Row:
    input_tokens, output_tokens = int(sizes[0]), int(sizes[1])
    if input_tokens < 0 or output_tokens < 0:
        raise ValueError("a request cannot have a negative number of tokens")
    return Row(at_s, max(input_tokens, 1), output_tokens, blocks, name)


def _bounded(numbered: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    for number, line in numbered:
        if number > MAX_ROWS:
            raise BadTrace(f"more than {MAX_ROWS} requests: cut it into pieces")
        yield number, line


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    return str(error)
