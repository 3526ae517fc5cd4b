"""Which route is this? The closed table of the public listener.

Authorisation hangs on the matched `Route`, never on the path's text; every route needs a key but
those of `OPEN`, which are there only where the operator wants them.
Paths match byte for byte: no decoding, no dot segments, no trailing slashes.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

from arkway.model.errors import MethodNotAllowed, UnknownUrl


class Endpoint(Enum):
    """What a route does."""

    CHAT_COMPLETIONS = auto()
    LIST_MODELS = auto()
    GET_MODEL = auto()
    GET_USAGE = auto()
    DOCUMENTATION = auto()


OPEN = (Endpoint.DOCUMENTATION,)  # the routes that ask for no key


@dataclass(frozen=True, slots=True)
class Route:
    """A matched route; `argument` is the rest of the path where the route has one."""

    endpoint: Endpoint
    argument: str = ""


_POST, _GET, _READ = (b"POST",), (b"GET",), (b"GET", b"HEAD")
_EXACT = {
    b"/v1/chat/completions": (_POST, Route(Endpoint.CHAT_COMPLETIONS)),
    b"/v1/models": (_GET, Route(Endpoint.LIST_MODELS)),
    b"/v1/usage": (_GET, Route(Endpoint.GET_USAGE)),
}
DOCUMENTATION = b"/docs"
# Routes with an argument: how it is written, what it is (group 1 is the argument), what it does.
_LONGER = (
    ("/v1/models/*", re.compile(rb"/v1/models/([^/]+)"), _GET, Endpoint.GET_MODEL),
    ("/docs/*", re.compile(rb"/docs(|/.*)", re.DOTALL), _READ, Endpoint.DOCUMENTATION),
)


def listed() -> list[tuple[str, str]]:
    """Return the method and path of every route; `*` stands for an argument."""
    found: list[tuple[tuple[bytes, ...], str]] = [
        *((methods, path.decode()) for path, (methods, _) in _EXACT.items()),
        *((methods, written) for written, _, methods, _ in _LONGER),
    ]
    return [(method.decode(), path) for methods, path in found for method in methods]


def match(method: bytes, path: bytes, *, has_documentation: bool = False) -> Route:
    """Return the route of `method` and `path` (without a query).

    Errors:  UnknownUrl; MethodNotAllowed with the methods the path does have.
    """
    found = _EXACT.get(path) or _with_argument(path, has_documentation=has_documentation)
    if found is None:
        raise UnknownUrl(f"Unknown request URL: {_shown(method)} {_shown(path)}.")
    allowed, route = found
    if method not in allowed:
        names = [_shown(each) for each in allowed]
        raise MethodNotAllowed(
            f"Not allowed to {_shown(method)} on {_shown(path)}. Use {' or '.join(names)}.",
            allow=", ".join(names),
        )
    return route


def _with_argument(
    path: bytes, *, has_documentation: bool
) -> tuple[tuple[bytes, ...], Route] | None:
    for _, pattern, methods, endpoint in _LONGER:
        found = pattern.fullmatch(path)
        if found and (has_documentation or endpoint is not Endpoint.DOCUMENTATION):
            return methods, Route(endpoint, found[1].decode("latin-1"))
    return None


def _shown(text: bytes) -> str:
    """Return caller text for a message: printable and short."""
    return "".join(chr(char) if 0x21 <= char <= 0x7E else "?" for char in text[:128])
