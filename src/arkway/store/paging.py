"""How is a long list read? In pages by keyset: a page costs the same wherever it lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Select, tuple_

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
