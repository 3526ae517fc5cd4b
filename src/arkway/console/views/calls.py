"""Calls: a list of them, and one's whole story."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from arkway.console import cells, formats
from arkway.console.cells import Cell, Column, Row
from arkway.console.texts import Texts
from arkway.ledger.price import TOKENS_PER_PRICE

Document = Mapping[str, Any]
_TONES = {
    "completed": "good",
    "running": "info",
    "caller_left": "warn",
    "revoked": "warn",
    "upstream_interrupted": "bad",
    "refused": "bad",
    "not_sent": "bad",
    "ambiguous": "bad",
    "hedge_lost": "",
    "crash_recovered": "bad",
}
_NEW_MS = 60_000  # a test of an account, or a short call, is over within it
OUTCOMES = tuple(name for name in _TONES if name != "running")
# The five classes, and which rate of a price each is charged at.
CLASSES = (
    ("uncached", "input"),
    ("cached", "cached_input"),
    ("created", "cache_creation"),
    ("output", "output"),
    ("reasoning", "output"),
)


def columns(t: Texts) -> list[Column]:
    """Return the columns of `row`."""
    return [
        cells.column("when", t("calls.when"), nowrap=True),
        cells.column("id", t("calls.id"), nowrap=True),
        cells.column("outcome", t("calls.outcome"), nowrap=True),
        cells.column("model", t("calls.model")),
        cells.column("key", t("calls.key")),
        cells.column("account", t("calls.account")),
        cells.column("input", t("calls.input"), num=True),
        cells.column("cached", t("calls.cached"), num=True),
        cells.column("output", t("calls.output"), num=True),
        cells.column("first", t("calls.first"), num=True),
        cells.column("took", t("calls.took"), num=True),
        cells.column("cost", t("calls.cost"), num=True),
    ]


def row(t: Texts, call: Document, names: Mapping[str, str]) -> Row:
    """Return one call as a line. Shapes: names: of keys, by id."""
    whole = call["uncached"] + call["cached"] + call["created"]
    is_open = call["outcome"] == "running"
    more = t("calls.attempts", n=call["attempts"]) if call["attempts"] > 1 else ""
    at = formats.moment(call["at_ms"])
    output, cost = (
        call["output"] + call["reasoning"],
        formats.money(call["cost_nano"], call["currency"]),
    )
    return cells.row(
        call["request_id"],
        call["request_id"],
        [
            cells.text(at[11:], at[:10]),
            {
                "kind": "",
                "text": f"…{call['request_id'][-12:]}",
                "href": path_of(call["request_id"]),
                "strong": True,
            },
            outcome(t, call["outcome"], call["code"]),
            cells.text(call["model"], more),
            cells.text(names.get(call["key"], call["key"]), call["tenant"]),
            cells.text(
                call["account"], t.word("affinity", call["affinity"]) if call["affinity"] else ""
            ),
            cells.text(formats.NOTHING if is_open else formats.count(whole)),
            cells.text(formats.share(call["cached"] / whole) if whole else formats.NOTHING),
            cells.text(formats.NOTHING if is_open else formats.count(output)),
            cells.text(formats.millis(call["first_token_ms"] or None)),
            cells.text(formats.millis(call["total_ms"] or None)),
            cells.text(formats.NOTHING if is_open else cost),
        ],
    )


def outcome(t: Texts, word: str, code: str) -> Cell:
    """Return how a call ended."""
    return cells.dot(t.word("outcome", word), _TONES.get(word, ""), code)


def is_new(request_id: str, now_ms: int) -> bool:
    """Return whether a call of this id may still be on its way to the ledger's file."""
    head = request_id[:13].replace("-", "")
    try:
        began_ms = int(head, 16)
    except ValueError:
        return False
    return 0 <= now_ms - began_ms < _NEW_MS


def path_of(request_id: str) -> str:
    """Return the page of a call."""
    return f"/calls/{quote(request_id, safe='')}"


def spans(t: Texts, attempts: Sequence[Document]) -> list[dict[str, Any]]:
    """Return each attempt as a bar: from when it was held to its end, on the call's own scale.

    An end's times count from when the call was received, an intent's is of the clock; the first
    attempt's intent follows the receipt within a millisecond or so.
    """
    start_ms = min((each["intent"]["at_ms"] for each in attempts), default=0)
    ends = [each["end"] for each in attempts if each["end"]]
    scale_ms = max(
        [end.get("total_ms", 0) for end in ends] + [end["at_ms"] - start_ms for end in ends] + [1]
    )
    return [_span(t, each, start_ms, scale_ms) for each in attempts]


def _span(t: Texts, attempt: Document, start_ms: int, scale_ms: int) -> dict[str, Any]:
    intent, end = attempt["intent"], attempt["end"]
    from_ms = max(intent["at_ms"] - start_ms, 0)
    name = t("call.attempt", n=intent["attempt"], account=intent["account"])
    if end is None:
        return {
            "name": name,
            "sub": t.word("outcome", "running"),
            "took": "",
            "title": "",
            "parts": [],
        }
    to_ms = max(end["at_ms"] - start_ms, from_ms)
    first_ms = min(max(end.get("first_token_ms", 0), from_ms), to_ms)
    is_good = end["outcome"] in ("completed", "caller_left")
    parts = []
    if end.get("first_token_ms"):
        parts.append(_part("wait", from_ms, first_ms, scale_ms))
        parts.append(_part("answer" if is_good else "bad", first_ms, to_ms, scale_ms))
    else:
        parts.append(_part("answer" if is_good else "bad", from_ms, to_ms, scale_ms))
    took = formats.millis(to_ms - from_ms)
    return {
        "name": name,
        "sub": t.word("outcome", end["outcome"]) + (f" · {end['code']}" if end.get("code") else ""),
        "took": took,
        "title": f"{name}: {took}",
        "parts": parts,
    }


def _part(kind: str, from_ms: int, to_ms: int, scale_ms: int) -> dict[str, Any]:
    return {"kind": kind, "from": from_ms / scale_ms, "share": (to_ms - from_ms) / scale_ms}


def bill(
    t: Texts, attempts: Sequence[Document], prices: Mapping[int, Document]
) -> tuple[list[Column], list[Row]]:
    """Return the arithmetic of what a call costs: tokens times rate, for each class."""
    shown = [
        cells.column("what", t("call.class")),
        cells.column("tokens", t("call.tokens"), num=True),
        cells.column("rate", t("call.rate"), num=True),
        cells.column("cost", t("call.cost"), num=True),
    ]
    rows: list[Row] = []
    for each in attempts:
        end = each["end"]
        if end is None or end["kind"] != "settle":
            continue
        price = prices.get(end.get("price", 0))
        for name, rate in CLASSES:
            if tokens := end.get(name, 0):
                rows.append(_bill_row(t, each["intent"], name, (tokens, _rate(price, rate))))
        total = [
            cells.text(t("call.total", n=each["intent"]["attempt"]), strong=True),
            cells.text(""),
            cells.text(t("call.version", n=end.get("price", 0))),
            cells.text(_exact(end.get("cost_nano", 0)), strong=True),
        ]
        rows.append(cells.row(f"{each['seq']}-total", "", total))
    return shown, rows


def _bill_row(t: Texts, intent: Document, name: str, charged: tuple[int, int | None]) -> Row:
    tokens, rate = charged
    known = formats.NOTHING if rate is None else _exact(rate)
    cost = formats.NOTHING if rate is None else _exact(tokens * rate // TOKENS_PER_PRICE)
    return cells.row(
        f"{intent['attempt']}-{name}",
        "",
        [
            cells.text(t(f"class.{name}")),
            cells.text(formats.count(tokens)),
            cells.text(t("call.per_million", rate=known)),
            cells.text(cost),
        ],
    )


def _rate(price: Document | None, name: str) -> int | None:
    if price is None:
        return None
    amount = price[name]
    return nano(price["input"] if amount is None else amount)


def nano(amount: str) -> int:
    """Return a decimal amount in nano-units."""
    whole, _, rest = amount.partition(".")
    return int(whole) * formats.NANO + int((rest + "0" * 9)[:9])


def _exact(value: int) -> str:
    whole, rest = divmod(value, formats.NANO)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def ledger_rows(attempts: Sequence[Document]) -> str:
    """Return the rows of the ledger as JSON, one a line, as they are filed."""
    lines = []
    for each in attempts:
        lines.append(f"{each['seq']:>10}  {_json(each['intent'])}")
        if each["end"] is not None:
            lines.append(f"{each['end_seq']:>10}  {_json(each['end'])}")
    return "\n".join(lines)


def _json(entry: object) -> str:
    return msgspec.json.encode(entry).decode()
