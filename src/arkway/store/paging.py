"""How is a long list read? In pages by keyset, or one row of it by its id or name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Select, Table, select, tuple_

from arkway.store.problems import did_you_mean
from arkway.store.rows import Row

T = TypeVar("T")
Position = tuple[int | str, ...]  # the values of the ordering columns in the last row seen


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    limit: int
    after: Position = ()  # empty: from the beginning


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A part of a list, and where the next one begins; None: this was the last."""

    items: list[T]
    after: Position | None


def read_page(
    connection: Connection,
    query: Select[Any],
    order: Sequence[Any],
    page: Page,
    *,
    newest_first: bool = False,
) -> tuple[list[Row], Position | None]:
    """Return the rows of one page of `query`, and where the next page begins.

    A page costs the same wherever it lies.

    Shapes:  order: columns of `query` that together name one row.
    """
    place = tuple_(*order)
    if page.after:
        query = query.where(place < page.after if newest_first else place > page.after)
    query = query.order_by(*(each.desc() if newest_first else each for each in order))
    rows = list(connection.execute(query.limit(page.limit + 1)).mappings())
    if len(rows) <= page.limit:
        return list(rows), None
    last = rows[page.limit - 1]
    return list(rows[: page.limit]), tuple(last[each.name] for each in order)


def read_living(connection: Connection, table: Table, name_or_id: str) -> tuple[Row | None, str]:
    """Return the row of this id, else the unrevoked one of this name; without one, a hint."""
    columns = table.c
    alive = columns.revoked_unix_ms.is_(None)
    for condition in (columns.id == name_or_id, (columns.name == name_or_id) & alive):
        row = connection.execute(select(table).where(condition)).mappings().first()
        if row is not None:
            return row, ""
    near = connection.scalars(select(columns.name).where(alive).limit(1000))
    return None, did_you_mean(name_or_id, near)
