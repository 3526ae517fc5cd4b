"""The routing lab: a trace of the gateway's own calls, and what a simulation says of it."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from arkway.console import cells, charts, formats
from arkway.console.cells import Column, Row
from arkway.console.texts import Texts

Document = Mapping[str, Any]
BLOCK_TOKENS = 512  # of the trace's form
MAX_GAP_MS = 3_600_000  # a cache does not remember a conversation for longer
MAX_OPEN = 2000  # conversations that may still go on, over all keys
ACCOUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
MAX_RUNS = 4


class _Conversation(msgspec.Struct):
    number: int
    key: str
    model: str
    at_ms: int
    tokens: int  # its prompt's and answer's, so far


def trace_of(calls: Iterable[Document]) -> Iterator[bytes]:
    """Yield lines of a trace in Mooncake's form, made of the ledger's calls.

    The ledger has no prompts. That a call goes on with a conversation is read from its counts: it
    is of the same key and model, longer, and what was cached of it is no more than there was. So a
    turn whose cache was missed begins a conversation of its own, and the best hit rate that the
    lab finds for such a trace is a little too low.
    Shapes:  calls: oldest first, as `list_calls` has them.
    """
    open_: list[_Conversation] = []
    begin_ms: int | None = None
    made = 0
    for call in calls:
        tokens = call["uncached"] + call["cached"] + call["created"]
        if not tokens:
            continue
        begin_ms = call["at_ms"] if begin_ms is None else begin_ms
        found = _goes_on(open_, call, tokens) if call["cached"] else None
        if found is None:
            made += 1
            found = _Conversation(made, call["key"], call["model"], call["at_ms"], 0)
            open_.append(found)
            if len(open_) > MAX_OPEN:
                open_.pop(0)
        found.at_ms = call["at_ms"]
        found.tokens = tokens + call["output"]
        first = found.number << 20
        blocks = list(range(first, first + math.ceil(tokens / BLOCK_TOKENS)))
        yield (
            msgspec.json.encode(
                {
                    "timestamp": call["at_ms"] - begin_ms,
                    "input_length": tokens,
                    "output_length": call["output"] + call["reasoning"],
                    "hash_ids": blocks,
                }
            )
            + b"\n"
        )


def _goes_on(open_: list[_Conversation], call: Document, tokens: int) -> _Conversation | None:
    """Return the conversation that a call most likely goes on with: the one it is longest of."""
    fitting = [
        each
        for each in open_
        if each.key == call["key"]
        and each.model == call["model"]
        and call["at_ms"] - each.at_ms <= MAX_GAP_MS
        and call["cached"] <= each.tokens <= tokens
    ]
    return max(fitting, key=lambda each: (each.tokens, each.at_ms), default=None)


def columns(t: Texts) -> list[Column]:
    """Return the columns of `rows`."""
    return [
        cells.column("policy", t("lab.policy")),
        cells.column("accounts", t("lab.accounts"), num=True),
        cells.column("hit", t("lab.hit")),
        cells.column("balance", t("lab.balance"), num=True),
        cells.column("limited", t("lab.limited"), num=True),
        cells.column("failed", t("lab.failed"), num=True),
        cells.column("first", t("lab.first"), num=True),
    ]


def rows(t: Texts, found: Sequence[Document]) -> list[Row]:
    """Return a line for each policy and number of accounts. Shapes: found: `--json` documents."""
    return [
        _row(t, document, policy) for document in found for policy in document.get("policies", ())
    ]


def _row(t: Texts, document: Document, policy: Document) -> Row:
    name = str(policy.get("name", ""))
    hit = float(policy.get("hit_share_of_bound", 0.0))
    accounts = int(document.get("accounts", 0))
    without = "" if policy.get("header", True) else t("lab.no_header")
    return cells.row(
        f"{accounts}-{name}-{policy.get('header', True)}",
        "",
        [
            cells.text(t.word("policy", name), without, strong=name == "elastic"),
            cells.text(accounts),
            cells.meters([{**cells.meter(t("lab.hit"), hit, 1.0, formats.share(hit)), "tone": ""}]),
            cells.text(f"{float(policy.get('token_max_over_mean', 0.0)):.2f}"),
            cells.text(formats.count(policy.get("provoked_429", 0))),
            cells.text(formats.count(policy.get("failed", 0))),
            cells.text(formats.millis(1000 * float(policy.get("mean_ttft_s", 0.0)))),
        ],
    )


def hit_chart(t: Texts, found: Sequence[Document]) -> dict[str, Any]:
    """Return the hit rate of each policy over the number of accounts."""
    labels = [str(document.get("accounts", "")) for document in found]
    names: list[str] = []
    for document in found:
        for policy in document.get("policies", ()):
            if policy.get("name") not in names:
                names.append(policy["name"])
    series = []
    for name in names:
        values = [
            next(
                (
                    round(100 * float(policy.get("hit_share_of_bound", 0.0)), 2)
                    for policy in document.get("policies", ())
                    if policy.get("name") == name
                ),
                None,
            )
            for document in found
        ]
        series.append((t.word("policy", name), values))
    made = charts.lines(labels, series)
    for each in made["series"]:
        each["showSymbol"] = True
    made["yAxis"]["max"] = 100
    return made
