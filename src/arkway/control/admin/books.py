"""Usage and calls over the admin API: what the ledger says, read beside its writer."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from arkway.control.admin import shapes
from arkway.control.admin.cursors import Limit, ListQuery, page_of, write
from arkway.control.admin.errors import AdminError, wrong
from arkway.control.admin.operation import VIEW, Ask, Desk, Operation
from arkway.ledger import calls_io
from arkway.ledger.book_file_io import SchemaMismatch
from arkway.ledger.entry import Outcome
from arkway.ledger.explain import money, story
from arkway.ledger.read_io import BY, NoBook, UsageLine, attempts, place_of, usage
from arkway.model.ids import uuid7_head
from arkway.store import keys, prices
from arkway.store.fields import about
from arkway.store.problems import Problem, did_you_mean

_NAMED = BY[:5]  # currencies are never added up, so they are always there
_MAX_LINES = 2000  # of usage a page: a year by day and model is a few pages
_DAY = r"^(\d{4}-\d{2}-\d{2})?\Z"
_DAY_RULE = {"rule": "string, a UTC day such as 2026-11-24"}
_ID_RULE = {"rule": "string, the first 8 to 36 characters of a call's id"}
_MAX_MS = 2**48 - 1  # of a UUIDv7


_CallId = Annotated[str, Meta(pattern=r"^[0-9a-f-]{8,36}\Z")]
_Moment = Annotated[int, Meta(ge=0, le=_MAX_MS)]
_Outcome = Literal[  # the values of `ledger.entry.Outcome`
    "completed",
    "upstream_interrupted",
    "caller_left",
    "revoked",
    "refused",
    "not_sent",
    "ambiguous",
    "hedge_lost",
    "crash_recovered",
]
_OUTCOME_RULE = {"rule": "string, one of " + ", ".join(Outcome)}


def _day(what: str) -> Any:
    return about(what, "days are UTC", pattern=_DAY, extra=_DAY_RULE)


class UsageQuery(ListQuery, frozen=True, kw_only=True):
    """What is added up, and of whom."""

    limit: Annotated[
        int, about("Most lines of this page.", "a page is bounded", ge=1, le=_MAX_LINES)
    ] = 200
    by: Annotated[
        str, about("What is added up by: day, key, tenant, model, account, by commas.", "one sum")
    ] = "day,model"
    since: Annotated[str, _day("The first day.")] = ""
    until: Annotated[str, _day("The last day.")] = ""
    key: Annotated[str | None, about("Only this key's id.", "one caller")] = None
    tenant: Annotated[str | None, about("Only this tenant.", "one bill")] = None
    model: Annotated[str | None, about("Only this model.", "one price")] = None
    account: Annotated[str | None, about("Only this account.", "one upstream's bill")] = None


class CallsQuery(ListQuery, frozen=True, kw_only=True):
    """Which calls are looked for."""

    limit: Limit = 50
    id: Annotated[_CallId | None, about("Calls whose id begins so.", "ids", extra=_ID_RULE)] = None
    since_ms: Annotated[_Moment | None, about("Calls from then on.", "unix milliseconds")] = None
    until_ms: Annotated[_Moment | None, about("Calls before then.", "unix milliseconds")] = None
    key: Annotated[str | None, about("Only this key's id.", "one caller")] = None
    tenant: Annotated[str | None, about("Only this tenant.", "one customer")] = None
    model: Annotated[str | None, about("Only this model, by its public name.", "a model")] = None
    account: Annotated[str | None, about("With an attempt at this account.", "upstream")] = None
    outcome: Annotated[
        _Outcome | None,
        about("With an attempt that ended so.", "what went wrong", extra=_OUTCOME_RULE),
    ] = None
    code: Annotated[str | None, about("With an attempt of this error code.", "faults")] = None


def _usage(desk: Desk, ask: Ask) -> object:
    query = ask.query
    by = [name.strip() for name in query.by.split(",") if name.strip()]
    if unknown := [name for name in by if name not in _NAMED]:
        problem = f'"{unknown[0][:64]}" is nothing to add up by'
        raise wrong(Problem("by", problem, did_you_mean(unknown[0], _NAMED)))
    part = page_of(query, tuple[str, ...])
    where = _given(query, ("key", "tenant", "model", "account"))
    days = (query.since, query.until or "9999")
    lines: list[UsageLine] = []
    with _book(desk) as db:
        if db is not None:
            after = [str(each) for each in part.after]
            if after and len(after) != len({*by, "currency"}):
                raise wrong(Problem("cursor", "is not a `next_cursor` of this list"))
            lines = usage(db, by, where, days, part.limit + 1, after)
    next_place = place_of(lines[part.limit - 1], by) if len(lines) > part.limit else None
    items = [_usage_line(line) for line in lines[: part.limit]]
    return {"items": items, "next_cursor": write(next_place)}


def _usage_line(line: UsageLine) -> dict[str, object]:
    shown: dict[str, object] = msgspec.to_builtins(line)
    rate = round(line.cache_hit_rate, 6)
    return {**shown, "cost": money(line.cost_nano), "cache_hit_rate": rate}


def _calls(desk: Desk, ask: Ask) -> object:
    part = page_of(ask.query, tuple[str])
    where = _given(ask.query, calls_io.SEARCHED_BY)
    low, high = _ids(ask.query)
    if part.after:
        high = min(high, str(part.after[0]))
    with _book(desk) as db:
        if db is None:
            return {"items": [], "next_cursor": None}
        found = calls_io.search(db, where, part.limit, (low, high))
    place = None if found.before is None else (found.before,)
    items = [_call_line(call) for call in found.calls]
    return {"items": items, "next_cursor": write(place)}


def _ids(query: Any) -> tuple[str, str]:
    """Return the ids between which the call is: they begin with the time."""
    low, high = calls_io.ANY_ID
    if query.since_ms is not None:
        low = uuid7_head(query.since_ms)
    if query.until_ms is not None:
        high = uuid7_head(query.until_ms)
    if query.id is not None:
        low, high = max(low, query.id), min(high, query.id + "g")  # `g` comes after every digit
    return low, high


def _call_line(call: calls_io.CallLine) -> dict[str, object]:
    shown: dict[str, object] = msgspec.to_builtins(call)
    return {**shown, "cost": money(call.cost_nano)}


def _call(desk: Desk, ask: Ask) -> object:
    request_id = ask.path["call"]
    with _book(desk) as db:
        found = attempts(db, request_id) if db is not None else []
        line = calls_io.line_of(found) if found else None
    if line is None:
        reason = "was refused before it was sent, or is less than a second old"
        raise AdminError("not_found", f"the ledger has no such call: it {reason}")
    with desk.reading() as connection:
        known = prices.all_versions(connection)
        named = keys.name_of(connection, line.key)
    return {
        "call": _call_line(line),
        "story": story(found, known.get, {line.key: named}.get),
        "attempts": [
            {"seq": each.seq, "intent": each.intent, "end_seq": each.end_seq, "end": each.end}
            for each in found
        ],
    }


def _given(query: Any, names: tuple[str, ...]) -> dict[str, str]:
    values = {name: getattr(query, name, None) for name in names}
    return {name: str(value) for name, value in values.items() if value is not None}


@contextmanager
def _book(desk: Desk) -> Iterator[sqlite3.Connection | None]:
    """Yield the ledger; None while there is none.

    Errors:  AdminError when it cannot be read, or not in time.
    """
    try:
        with desk.book() as db:
            yield db
            return
    except NoBook:
        pass
    except sqlite3.OperationalError as error:
        hint = "took longer than 2 s: ask for fewer days" if "interrupt" in str(error) else ""
        raise AdminError("ledger_unavailable", f"the ledger {hint or 'cannot be read'}") from None
    except msgspec.DecodeError:
        message = "a row of the ledger is damaged: `arkway ledger verify` names it"
        raise AdminError("ledger_unavailable", message) from None
    except (SchemaMismatch, sqlite3.DatabaseError):
        raise AdminError("ledger_unavailable", "the ledger cannot be read") from None
    yield None


OPERATIONS = (
    Operation(
        name="list_usage",
        method="GET",
        path="/admin/v1/usage",
        policy=VIEW,
        work=_usage,
        summary="Add up what was used, from the ledger's sums by day.",
        answer=shapes.listed("UsageList", shapes.UsageView),
        query=UsageQuery,
    ),
    Operation(
        name="list_calls",
        method="GET",
        path="/admin/v1/calls",
        policy=VIEW,
        work=_calls,
        summary="Search the calls, newest first. A page may be short, or empty, and go on.",
        answer=shapes.listed("CallList", shapes.CallView),
        query=CallsQuery,
    ),
    Operation(
        name="get_call",
        method="GET",
        path="/admin/v1/calls/{call}",
        policy=VIEW,
        work=_call,
        summary="Tell one call's story, with its rows of the ledger.",
        answer=shapes.CallStory,
    ),
)
