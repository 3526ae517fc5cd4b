"""What does the ledger say? `arkway usage`, `arkway explain` and `arkway ledger ...`."""

import csv
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from arkway.cli.flags import JsonFlag, day, days, examples, place
from arkway.cli.flags import reading as store_reading
from arkway.cli.output import FAILURE, USAGE, Failure, print_json, print_table, remark
from arkway.cli.progress import progress
from arkway.control.home import ledger_file
from arkway.ledger.backup_io import BadBackup, back_up, restore
from arkway.ledger.book_file_io import BookInUse, SchemaMismatch
from arkway.ledger.explain import money, story
from arkway.ledger.prune_io import prune
from arkway.ledger.read_io import BY, NoBook, UsageLine, attempts, last_seq, reading, usage
from arkway.ledger.reconcile import BadBill, Counted, Match, compare, read_bill
from arkway.ledger.rows_io import verify, verify_file
from arkway.model.catalogue import Price
from arkway.store.problems import NotFound
from arkway.store.version import store_file

ledger = typer.Typer(
    help="Check, copy and compare the ledger.", no_args_is_help=True, rich_markup_mode=None
)
_LAST_DAY = "9999"  # sorts after every day
_SHOWN = ("attempts", "estimated", "unknown", "uncached", "cached", "created", "output")


@contextmanager
def book() -> Iterator[sqlite3.Connection]:
    """Open the ledger to read it.

    Errors:  Failure when there is none, or it cannot be read.
    """
    try:
        with reading(ledger_file(place(None).home)) as db:
            yield db
    except (NoBook, SchemaMismatch, sqlite3.DatabaseError) as error:
        raise Failure(error) from None


def show_usage(  # noqa: PLR0913 - a flag each
    *,
    by: Annotated[
        str, typer.Option(help=f"What to add up by: any of {', '.join(BY[:5])}.", metavar="NAMES")
    ] = "day,model",
    since: Annotated[str, typer.Option(help="The first UTC day.", metavar="DAY")] = "",
    until: Annotated[str, typer.Option(help="The last UTC day.", metavar="DAY")] = "",
    key: Annotated[str, typer.Option(help="Only this key: its name or id.", metavar="KEY")] = "",
    model: Annotated[str, typer.Option(help="Only this model.", metavar="NAME")] = "",
    account: Annotated[str, typer.Option(help="Only this account.", metavar="NAME")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show what was used: tokens of five classes, cache-hit rate, cost."""
    named = {"key": key_id(key), "model": model, "account": account}
    names = [name.strip() for name in by.split(",") if name.strip()]
    if unknown := [name for name in names if name not in BY[:5]]:
        raise Failure(f"--by: {unknown[0]!r} is none of {', '.join(BY[:5])}", status=USAGE)
    first, last = days(since, until)
    with book() as db:
        where = {name: value for name, value in named.items() if value}
        lines = usage(db, names, where, (str(first or ""), str(last or _LAST_DAY)))
    groups = [name for name in BY[:5] if name in names]
    if as_json:
        print_json([_usage_fields(line, groups) for line in lines])
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        fields = [_usage_fields(line, groups) for line in lines]
        writer.writerow([*groups, *_SHOWN, "reasoning", "cache_hit_rate", "cost", "currency"])
        for each in fields:
            writer.writerow(
                [each[name] for name in (*groups, *_SHOWN, "reasoning")]
                + [each["cache_hit_rate"], money(each["cost_nano"]), each["currency"]]
            )
    else:
        counts = [name for name in (*_SHOWN, "reasoning") if not _is_spared(name, lines)]
        print_table(
            [*groups, *counts, "hits", "cost"],
            [
                [getattr(line, name) for name in (*groups, *counts)]
                + [f"{line.cache_hit_rate:.1%}", f"{money(line.cost_nano)} {line.currency}"]
                for line in lines
            ],
        )
        if not lines:
            remark("nothing was used that is like this")


def key_id(name_or_id: str) -> str:
    """Return the id of a key; what the store does not know, as it is: the ledger outlives keys."""
    if not name_or_id or not store_file(place(None).home).exists():
        return name_or_id
    from arkway.store import keys  # noqa: PLC0415  0.2 s that only this flag is worth

    try:
        with store_reading() as connection:
            return keys.get(connection, name_or_id).id
    except NotFound:
        return name_or_id


def _is_spared(name: str, lines: list[UsageLine]) -> bool:
    """Return whether a column of zeros is left out: on a terminal, of what is rare."""
    is_rare = name in ("estimated", "unknown", "created", "reasoning")
    return is_rare and sys.stdout.isatty() and not any(getattr(line, name) for line in lines)


def explain(
    request_id: Annotated[str, typer.Argument(help="The x-request-id of an answer.", metavar="ID")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Tell one call's story: who, where, what it used, and its price to the nano-unit."""
    with book() as db:
        found = attempts(db, request_id.strip())
    if not found:
        raise Failure(
            f"the ledger has no call {request_id!r}: it was refused before it was sent, or it is "
            "less than a second old"
        )
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        prices, names = _prices_and_names()
        print("\n".join(story(found, prices.get, names.get)))


@ledger.command(
    "verify", epilog=examples("arkway ledger verify", "arkway ledger verify --since 1200000 --json")
)
def verify_book(
    *,
    since: Annotated[int, typer.Option(help="The first row to check.", metavar="ROW", min=1)] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Check that every row is what was written; name each that is not.

    Without --since the sums by day and the pages of the file are checked as well.
    """
    with book() as db:
        with progress("checking rows") as tell:
            rows, found = last_seq(db), list(verify(db, since, tell))
        with progress("checking the file") as tell:
            of_file = list(verify_file(db, tell)) if since == 1 else []
    if as_json:
        faults = [fault._asdict() for fault in found]
        print_json({"rows": rows, "faults": faults, "file_faults": of_file})
    else:
        for fault in found:
            print(f"row {fault.seq}: {fault.reason}")
        for line in of_file:
            print(f"file: {line}")
        remark(f"{rows} rows, {len(found) + len(of_file)} faults")
    if found or of_file:
        raise typer.Exit(FAILURE)


@ledger.command(
    "prune",
    epilog=examples(
        "arkway ledger prune --keep-days 400", "arkway ledger prune --before 2026-01-01"
    ),
)
def prune_book(
    *,
    before: Annotated[str, typer.Option(help="The first UTC day to keep.", metavar="DAY")] = "",
    keep_days: Annotated[
        int, typer.Option(help="Keep so many days before today.", metavar="DAYS", min=0)
    ] = -1,
) -> None:
    """Remove rows of old days, while the gateway runs; sums by day stay for ever.

    Usage, budgets and limits do not change. What is removed cannot be explained any more.
    """
    first = _pruned_before(before, keep_days)
    try:
        with progress("removing rows") as tell:
            removed, oldest = prune(ledger_file(place(None).home), first, tell=tell)
    except (NoBook, SchemaMismatch, sqlite3.Error) as error:
        raise Failure(error) from None
    remark(f"{removed} rows removed; the first is {oldest} now")


def _pruned_before(before: str, keep_days: int) -> date:
    today = datetime.now(UTC).date()
    if bool(before) == (keep_days >= 0):
        raise Failure("say either --before or --keep-days", status=USAGE)
    try:
        first = day("--before", before) if before else today - timedelta(days=keep_days)
    except OverflowError:
        raise Failure("--keep-days: must not go back before the year 1", status=USAGE) from None
    if first > today:
        raise Failure("--before: must not be after today", status=USAGE)
    return first


@ledger.command("backup", epilog=examples("arkway ledger backup /backup/ledger-$(date -u +%F).db"))
def backup_book(
    target: Annotated[
        Path, typer.Argument(help="The file to write; it must not exist.", metavar="FILE")
    ],
) -> None:
    """Copy the ledger while it is written; the copy is checked."""
    try:
        with progress("copying and checking") as tell:
            last = back_up(ledger_file(place(None).home), target, tell)
    except FileNotFoundError:
        raise Failure(f"FILE: there is no directory {target.parent}", status=USAGE) from None
    except (NoBook, SchemaMismatch, BadBackup, sqlite3.Error, OSError) as error:
        raise Failure(error) from None
    remark(f"{last} rows in {target}")


@ledger.command("restore", epilog=examples("arkway ledger restore /backup/ledger-2026-11-24.db"))
def restore_book(
    copy: Annotated[
        Path, typer.Argument(help="What `arkway ledger backup` wrote.", metavar="FILE")
    ],
) -> None:
    """Put a backup in the ledger's place, with the gateway stopped; the old one is kept."""
    try:
        with progress("checking the copy") as tell:
            last = restore(copy, ledger_file(place(None).home), tell)
    except (NoBook, SchemaMismatch, BadBackup, BookInUse, OSError) as error:
        raise Failure(error) from None
    remark(f"{last} rows restored; what was there has the ending .before-restore")


@ledger.command(
    "reconcile",
    epilog=examples("arkway ledger reconcile --bill november.csv"),
)
def reconcile_book(
    *,
    bill: Annotated[
        Path,
        typer.Option(help="CSV with day, account, model, input, cached, output.", metavar="FILE"),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Compare the ledger with an upstream's bill, in whole tokens; exit 1 if they differ."""
    try:
        with bill.open(encoding="utf-8", newline="") as lines:
            theirs = read_bill(lines)
    except OSError as error:
        raise Failure(f"--bill: {bill}: {error.strerror}", status=USAGE) from None
    except (UnicodeDecodeError, BadBill) as error:
        raise Failure(f"{bill}: {error}", status=USAGE) from None
    dates = sorted(date for date, _, _ in theirs)
    with book() as db:
        span = (dates[0], dates[-1]) if dates else ("", _LAST_DAY)
        ours = {
            (line.day, line.account, line.model): Counted(
                line.input, line.cached, line.output + line.reasoning
            )
            for line in usage(db, ["day", "account", "model"], days=span)
        }
    lines_ = list(compare(ours, theirs))
    if as_json:
        print_json([line._asdict() for line in lines_])
    else:
        print_table(
            ["day", "account", "model", "", "ledger in/cached/out", "bill in/cached/out"],
            [
                [
                    each.day,
                    each.account,
                    each.model,
                    each.match,
                    _shown(each.ledger),
                    _shown(each.bill),
                ]
                for each in lines_
            ],
        )
    if any(line.match is not Match.EQUAL for line in lines_):
        raise typer.Exit(FAILURE)


def _prices_and_names() -> tuple[dict[int, Price], dict[str, str]]:
    """Return every price there ever was, by its version; the names of keys, by their ids."""
    from arkway.cli.flags import reading as store_reading  # noqa: PLC0415  SQLAlchemy, 0.2 s
    from arkway.store.keys import list_all  # noqa: PLC0415
    from arkway.store.prices import all_versions  # noqa: PLC0415

    with store_reading() as connection:
        keys = list_all(connection, with_revoked=True)
        return all_versions(connection), {each.id: each.key.name for each in keys}


def _shown(counted: Counted | None) -> str:
    return "-" if counted is None else "/".join(map(str, counted))


def _usage_fields(line: UsageLine, groups: list[str]) -> dict[str, Any]:
    names = (*groups, "currency", *_SHOWN, "reasoning", "cost_nano")
    return {name: getattr(line, name) for name in names} | {
        "cache_hit_rate": round(line.cache_hit_rate, 6)
    }
