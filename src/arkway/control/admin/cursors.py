"""How does a list go on? Opaque cursors; what is in one is only a place in an order, no right."""

import base64
import binascii
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from arkway.control.admin.errors import wrong
from arkway.store.fields import about
from arkway.store.paging import Page
from arkway.store.problems import Problem

MAX_PAGE = 200  # a page of a screen, and of one look at the disk
_MAX_CURSOR_CHARS = 1024

Limit = Annotated[int, about("Most items of this page.", "a page is bounded", ge=1, le=MAX_PAGE)]
Cursor = Annotated[
    Annotated[str, Meta(max_length=_MAX_CURSOR_CHARS)] | None,
    about("`next_cursor` of the page before.", "keyset: a page costs the same wherever it lies"),
]


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list."""

    limit: Limit = 50
    cursor: Cursor = None


def page_of(query: Any, kind: Any) -> Page:
    """Return the part of a list that `query` asks for.

    Shapes:  kind: the type of a place in this list: `tuple[int, str]`.
    Errors:  AdminError for a cursor that is not of this list.
    """
    return Page(query.limit, () if query.cursor is None else read(query.cursor, kind))


def write(place: tuple[int | str, ...] | None) -> str | None:
    """Return the cursor of a place; None for None: there is no more."""
    if place is None:
        return None
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read(cursor: str, kind: Any) -> Any:
    """Return the place that `write` was given.

    Errors:  AdminError for anything else.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.json.decode(text, type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        problem = Problem("cursor", "is not a `next_cursor` of this list")
        raise wrong(problem) from None
