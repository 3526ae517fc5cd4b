"""How does an entry lie in a row? Lists and maps as JSON text, the rest as it is. Pure."""

from functools import cache
from typing import Any, Protocol, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


class Row(Protocol):
    """Columns by name: a dict, or SQLAlchemy's mapping, which types its names otherwise."""

    def __getitem__(self, name: str, /) -> Any:
        """Return the value of a column."""


_encode = msgspec.json.Encoder().encode


@cache
def _json_columns(kind: type[msgspec.Struct]) -> tuple[frozenset[str], tuple[str, ...]]:
    fields = msgspec.structs.fields(kind)
    containers = {
        each.name
        for each in fields
        if isinstance(each.default, tuple) or each.default_factory is not msgspec.NODEFAULT
    }
    return frozenset(containers), tuple(each.name for each in fields)


def to_row(entry: msgspec.Struct) -> dict[str, Any]:
    """Return the columns of `entry`."""
    containers, names = _json_columns(type(entry))
    return {
        name: _encode(value).decode() if name in containers else value
        for name in names
        for value in (getattr(entry, name),)
    }


def from_row(kind: type[T], row: Row) -> T:
    """Return the entry that lies in `row`; other columns are passed over."""
    containers, names = _json_columns(kind)
    values = {
        name: msgspec.json.decode(row[name]) if name in containers else row[name] for name in names
    }
    return msgspec.convert(values, kind, strict=False)  # SQLite keeps booleans as 0 and 1
