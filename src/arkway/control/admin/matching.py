"""Which route is meant? Matched by the bytes of the path as they came, segment by segment. Pure.

A path that could be read in two ways (`//`, `/./`, `%2e%2e`, `;`, a NUL) is no route. A name in
the path may hold any character, percent-encoded: `%2F` within a name is not a separator.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from arkway.control.admin.operation import Operation

MAX_SEGMENTS = 8
_SEGMENT = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class Matched:
    """The routes of a path, and what its names are."""

    operation: Operation | None  # None: no route of this method
    path: dict[str, str]
    methods: tuple[str, ...]  # those the path has; empty: it is none of ours


class Table:
    """All routes, ready to be looked up."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._routes: dict[tuple[str, ...], dict[str, Operation]] = {}
        for each in operations:
            methods = self._routes.setdefault(tuple(each.path.split("/")[1:]), {})
            assert each.method not in methods, f"{each.method} {each.path} is there twice"
            methods[each.method] = each

    def match(self, method: str, raw_path: bytes) -> Matched:
        """Return the route of a request.

        Shapes:  raw_path: percent-encoded, without the query.
        """
        segments = raw_path.split(b"/")[1:]
        if not raw_path.startswith(b"/") or len(segments) > MAX_SEGMENTS:
            return Matched(None, {}, ())
        texts = [_plain(segment) for segment in segments]
        for template, methods in self._routes.items():
            found = _names(template, segments, texts)
            if found is not None:
                return Matched(methods.get(method), found, tuple(sorted(methods)))
        return Matched(None, {}, ())


def _plain(segment: bytes) -> str | None:
    """Return what a segment says; None for one that nothing of ours is called."""
    if not _SEGMENT.fullmatch(segment):
        return None
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return None
    return None if text in (".", "..") or "\0" in text else text


def _names(
    template: tuple[str, ...], segments: list[bytes], texts: list[str | None]
) -> dict[str, str] | None:
    """Return the names in the path when it has the form of `template`."""
    if len(template) != len(segments):
        return None
    names = {}
    for part, segment, text in zip(template, segments, texts, strict=True):
        if text is None:
            return None
        if part.startswith("{"):
            names[part[1:-1]] = text
        elif segment != part.encode():  # as it is written: `%6beys` is not `keys`
            return None
    return names
