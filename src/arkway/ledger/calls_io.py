"""Which calls were there? Newest first, a page at a time, however long the book is.

Ids of calls ascend with time, so the index of the entries is one by time as well. Other questions
have no index, which would cost every call a write: they are answered slice by slice, and a search
that has looked for long enough says how far it came.
"""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from arkway.ledger.entry import Kind, decode_end, decode_intent
from arkway.ledger.read_io import Attempted

SLICE_ENTRIES = 20_000  # looked at between two looks at the clock: some 20 ms
SEARCH_S = 0.3  # a page should come in half a second, on a busy machine too
ANY_ID = ("", "g")  # ids are hexadecimal digits and dashes
_FIELDS = {
    "key": "i.body->>'key'",
    "tenant": "i.body->>'tenant'",
    "model": "i.body->>'model'",
    "account": "i.body->>'account'",
    "outcome": "e.body->>'outcome'",
    "kind": "e.body->>'kind'",
    "code": "e.body->>'code'",
}
SEARCHED_BY = tuple(_FIELDS)


class CallLine(msgspec.Struct, frozen=True, kw_only=True):
    """One call in a list. Tokens and cost are those of all its attempts."""

    request_id: str
    at_ms: int
    key: str
    tenant: str
    model: str
    account: str  # of the last attempt
    attempts: int
    stream: bool
    outcome: str  # of the last attempt; `running` while it has no end
    code: str
    affinity: str
    uncached: int
    cached: int
    created: int
    output: int
    reasoning: int
    cost_nano: int
    currency: str
    first_token_ms: int
    total_ms: int


class Searched(msgspec.Struct, frozen=True):
    """A page of calls. `before` is where the search goes on; None: there are no more."""

    calls: list[CallLine]
    before: str | None


def search(
    db: sqlite3.Connection,
    where: Mapping[str, str],
    limit: int,
    ids: tuple[str, str] = ANY_ID,
    for_s: float = SEARCH_S,
) -> Searched:
    """Return calls with an attempt that is as `where` says, newest first.

    Fewer than `limit`, or none, with a `before`: the time was up, and there may be more.
    Shapes:  where: name of SEARCHED_BY -> value; ids: the first, and one above the last.
    Errors:  KeyError for another name.
    Cost:    about 1 s for a million entries that do not match.
    """
    low, high = ids
    ends_s = time.monotonic() + for_s
    found: list[str] = []
    while len(found) < limit:
        floor = _floor(db, low, high)
        found += _matching(db, where, (floor or low, high), limit - len(found))
        if floor is None:
            break
        high = floor
        if time.monotonic() > ends_s:
            break
    is_all = len(found) < limit and floor is None
    before = None if is_all else found[-1] if len(found) == limit else high
    return Searched(_lines(db, found), before)


def _floor(db: sqlite3.Connection, low: str, high: str) -> str | None:
    """Return the id that stands a slice below `high`; None when fewer are left."""
    row = db.execute(
        "SELECT request_id FROM entries WHERE request_id >= ? AND request_id < ?"
        " ORDER BY request_id DESC LIMIT 1 OFFSET ?",
        (low, high, SLICE_ENTRIES),
    ).fetchone()
    return None if row is None else str(row[0])


def _matching(
    db: sqlite3.Connection, where: Mapping[str, str], ids: tuple[str, str], limit: int
) -> list[str]:
    conditions = "".join(f" AND {_FIELDS[name]} = ?" for name in where)
    join = ""
    if any(_FIELDS[name].startswith("e.") for name in where):
        join = (
            " JOIN entries e ON e.request_id = i.request_id AND e.attempt = i.attempt"
            " AND e.is_end = 1"
        )
    rows = db.execute(
        f"SELECT DISTINCT i.request_id FROM entries i{join} WHERE i.request_id >= ?"  # noqa: S608 - texts of our own
        f" AND i.request_id < ? AND i.is_end = 0{conditions} ORDER BY i.request_id DESC LIMIT ?",
        (*ids, *where.values(), limit),
    )
    return [request_id for (request_id,) in rows]


def _lines(db: sqlite3.Connection, request_ids: list[str]) -> list[CallLine]:
    if not request_ids:
        return []
    marks = ",".join("?" * len(request_ids))
    rows = db.execute(
        "SELECT request_id, attempt, is_end, seq, body FROM entries"  # noqa: S608 - question marks
        f" WHERE request_id IN ({marks}) ORDER BY request_id, attempt, is_end",
        request_ids,
    )
    attempts: dict[str, list[Attempted]] = defaultdict(list)
    for request_id, _, is_end, seq, body in rows:
        if not is_end:
            attempts[request_id].append(Attempted(seq, decode_intent(body), None, None))
        elif attempts[request_id]:
            begun = attempts[request_id][-1]
            attempts[request_id][-1] = Attempted(begun.seq, begun.intent, seq, decode_end(body))
    return [line_of(attempts[request_id]) for request_id in request_ids]


def line_of(attempts: list[Attempted]) -> CallLine:
    """Return the attempts of one call as a line."""
    first, last = attempts[0].intent, attempts[-1]
    ends = [each.end for each in attempts if each.end is not None]
    settled = [end for end in ends if end.kind is Kind.SETTLE]
    final = last.end
    return CallLine(
        request_id=first.request_id,
        at_ms=first.at_ms,
        key=first.key,
        tenant=first.tenant,
        model=first.model,
        account=last.intent.account,
        attempts=len(attempts),
        stream=first.stream,
        outcome=final.outcome.value if final else "running",
        code=final.code if final else "",
        affinity=final.affinity if final else "",
        uncached=sum(end.uncached for end in settled),
        cached=sum(end.cached for end in settled),
        created=sum(end.created for end in settled),
        output=sum(end.output for end in settled),
        reasoning=sum(end.reasoning for end in settled),
        cost_nano=sum(end.cost_nano for end in settled),
        currency=first.currency,
        first_token_ms=final.first_token_ms if final else 0,
        total_ms=max((end.total_ms for end in ends), default=0),
    )
