"""Which calls were there? `arkway calls`."""

from datetime import UTC, date, datetime, time
from typing import Annotated

import msgspec
import typer

from arkway.cli.flags import JsonFlag, days
from arkway.cli.ledger import book, key_id
from arkway.cli.output import USAGE, Failure, print_json, print_table, remark
from arkway.ledger.calls_io import ANY_ID, CallLine, search
from arkway.ledger.entry import Outcome
from arkway.ledger.explain import money
from arkway.model.ids import uuid7_head

_DAY_MS = 86_400_000
_MOST = 10_000  # lines; more are a question for SQL (docs/ledger.md)


def show_calls(  # noqa: PLR0913 - a flag each
    *,
    key: Annotated[str, typer.Option(help="Only this key: its name or id.", metavar="KEY")] = "",
    tenant: Annotated[str, typer.Option(help="Only this tenant.", metavar="NAME")] = "",
    model: Annotated[str, typer.Option(help="Only this model.", metavar="NAME")] = "",
    account: Annotated[
        str, typer.Option(help="With an attempt at this account.", metavar="NAME")
    ] = "",
    outcome: Annotated[
        str,
        typer.Option(help=f"With an attempt that ended so: {', '.join(Outcome)}.", metavar="WORD"),
    ] = "",
    code: Annotated[
        str, typer.Option(help="With an attempt of this error code.", metavar="CODE")
    ] = "",
    begins: Annotated[str, typer.Option("--id", help="Ids that begin so.", metavar="TEXT")] = "",
    since: Annotated[str, typer.Option(help="The first UTC day.", metavar="DAY")] = "",
    until: Annotated[str, typer.Option(help="The last UTC day.", metavar="DAY")] = "",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=_MOST)] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Search the calls, newest first; each one's story: arkway explain ID.

    A search that has no match in a long ledger takes about a second for a million rows.
    """
    if outcome and outcome not in tuple(Outcome):
        raise Failure(f"--outcome: must be one of {', '.join(Outcome)}", status=USAGE)
    named = {"key": key_id(key), "tenant": tenant, "model": model, "account": account,
             "outcome": outcome, "code": code}  # fmt: skip
    where = {name: value for name, value in named.items() if value}
    found = _found(where, _ids(begins, since, until), limit)
    if as_json:
        print_json([msgspec.to_builtins(call) for call in found])
        return
    columns = ["id", "at (UTC)", "outcome", "model", "key", "account", "tokens", "cached", "cost"]
    print_table(columns, [_row(call) for call in found])
    if not found:
        remark("no call is like this")
    if len(found) == limit:
        remark(f"the newest {limit}; --limit shows more")


def _found(where: dict[str, str], ids: tuple[str, str], limit: int) -> list[CallLine]:
    """Search to the end, a slice at a time: whoever waits for it can see, and stop it."""
    found: list[CallLine] = []
    low, high = ids
    with book() as db:
        while len(found) < limit:
            page = search(db, where, limit - len(found), (low, high))
            found += page.calls
            if page.before is None:
                break
            high = page.before
    return found


def _ids(begins: str, since: str, until: str) -> tuple[str, str]:
    """Return the ids between which calls are: they begin with the time."""
    low, high = ANY_ID
    first, last = days(since, until)
    if first:
        low = uuid7_head(_midnight_ms(first))
    if last:
        high = uuid7_head(_midnight_ms(last) + _DAY_MS)
    if begins:
        low, high = max(low, begins), min(high, begins + "g")  # `g` comes after every digit
    return low, high


def _midnight_ms(day: date) -> int:
    """Return when a UTC day begins."""
    return max(int(datetime.combine(day, time(), UTC).timestamp() * 1000), 0)


def _row(call: CallLine) -> list[object]:
    read = call.uncached + call.cached + call.created
    return [
        call.request_id,
        datetime.fromtimestamp(call.at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        f"{call.outcome} ({call.code})" if call.code else call.outcome,
        call.model,
        call.key,
        call.account,
        read + call.output + call.reasoning,
        f"{call.cached / read:.0%}" if read else "-",
        f"{money(call.cost_nano)} {call.currency}",
    ]
