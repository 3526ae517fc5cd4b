"""What does a model cost? Versions of prices: added, never changed, so the ledger can name one."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, func, insert, select

from arkway.model.catalogue import Price
from arkway.store import models, tables
from arkway.store.builtin import CURRENCY
from arkway.store.changes import Change
from arkway.store.paging import Found, Page, read_page
from arkway.store.problems import Problem, Refused, did_you_mean
from arkway.store.units import AMOUNT_RULE, decimal, nano

_AMOUNTS = ("input", "cached_input", "output", "cache_creation")
_REQUIRED = ("input", "output")


class PriceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model's price (unit: nano of `currency` per million tokens)."""

    version: int
    model: str
    currency: str
    input_nano: int
    cached_input_nano: int
    output_nano: int
    cache_creation_nano: int | None
    created_unix_ms: int

    def shown(self) -> dict[str, object]:
        """Return the price with its amounts as decimal text."""
        creation = self.cache_creation_nano
        return {
            "version": self.version,
            "model": self.model,
            "currency": self.currency,
            "input": decimal(self.input_nano),
            "cached_input": decimal(self.cached_input_nano),
            "output": decimal(self.output_nano),
            "cache_creation": None if creation is None else decimal(creation),
            "created_unix_ms": self.created_unix_ms,
        }


def put(change: Change, model: str, raw: Mapping[str, object]) -> PriceRecord:
    """Give `model` a price from now on: a new version.

    Shapes:  raw: `input` and `output`, and perhaps `cached_input` (else as input) and
             `cache_creation`; decimal text, CNY per million tokens.
    Errors:  Refused, with every problem.
    """
    name = models.get(change.connection, model).name
    problems = [
        Problem(key, "unknown parameter", did_you_mean(key, _AMOUNTS))
        for key in raw
        if key not in _AMOUNTS
    ]
    amounts: dict[str, int] = {}
    for key in _AMOUNTS:
        text = raw.get(key)
        if text is None:
            problems += [Problem(key, "is required", AMOUNT_RULE)] if key in _REQUIRED else []
            continue
        try:
            amounts[key] = nano(text if isinstance(text, str) else "")
        except ValueError as error:
            problems.append(Problem(key, str(error)))
    if problems:
        raise Refused(*problems)
    row = {
        "model": name,
        "currency": CURRENCY,
        "input_nano": amounts["input"],
        "cached_input_nano": amounts.get("cached_input", amounts["input"]),
        "output_nano": amounts["output"],
        "cache_creation_nano": amounts.get("cache_creation"),
        "created_unix_ms": change.now_ms,
    }
    before = current(change.connection).get(name)
    done = change.connection.execute(insert(tables.prices).values(row))
    assert done.inserted_primary_key is not None, "the version is made by the insert"
    record = PriceRecord(version=done.inserted_primary_key[0], **row)  # type: ignore[arg-type]
    change.record("set", ("price", name), before.shown() if before else {}, record.shown())
    return record


def current(connection: Connection) -> dict[str, PriceRecord]:
    """Return the price in force of each model that has one."""
    newest = select(func.max(tables.prices.c.version)).group_by(tables.prices.c.model)
    rows = connection.execute(
        select(tables.prices)
        .where(tables.prices.c.version.in_(newest))
        .order_by(tables.prices.c.model)
    )
    return {row["model"]: PriceRecord(**row) for row in rows.mappings()}


def history(connection: Connection, model: str) -> list[PriceRecord]:
    """Return all versions of a model's price, newest first."""
    prices = tables.prices
    rows = connection.execute(
        select(prices).where(prices.c.model == model).order_by(prices.c.version.desc())
    )
    return [PriceRecord(**row) for row in rows.mappings()]


def current_page(connection: Connection, part: Page) -> Found[PriceRecord]:
    """Return a part of the prices in force, in the order of the models' names."""
    prices = tables.prices
    newest = select(func.max(prices.c.version)).group_by(prices.c.model)
    query = select(prices).where(prices.c.version.in_(newest))
    rows, after = read_page(connection, query, (prices.c.model,), part)
    return Found([PriceRecord(**row) for row in rows], after)  # type: ignore[arg-type]


def history_page(connection: Connection, model: str, part: Page) -> Found[PriceRecord]:
    """Return a part of `history`."""
    prices = tables.prices
    query = select(prices).where(prices.c.model == model)
    rows, after = read_page(connection, query, (prices.c.version,), part, newest_first=True)
    return Found([PriceRecord(**row) for row in rows], after)  # type: ignore[arg-type]


def all_versions(connection: Connection) -> dict[int, Price]:
    """Return every price there ever was, by its version: entries of the ledger name them."""
    table = tables.prices.c
    columns = (
        table.version,
        table.currency,
        table.input_nano,
        table.cached_input_nano,
        table.output_nano,
        table.cache_creation_nano,
    )
    return {row[0]: Price(*row) for row in connection.execute(select(*columns))}
