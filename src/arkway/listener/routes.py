"""Which route is this? The closed table of the public listener.

Authorisation hangs on the matched `Route`, never on the path's text; every route needs a key.
Paths match byte for byte: no decoding, no dot segments, no trailing slashes.
"""

from dataclasses import dataclass
from enum import Enum, auto

from arkway.model.errors import MethodNotAllowed, UnknownUrl


class Endpoint(Enum):
    """What a route does."""

    CHAT_COMPLETIONS = auto()
    LIST_MODELS = auto()
    GET_MODEL = auto()
    GET_USAGE = auto()


@dataclass(frozen=True, slots=True)
class Route:
    """A matched route; `argument` is the rest of the path where the route has one."""

    endpoint: Endpoint
    argument: str = ""


_EXACT = {
    b"/v1/chat/completions": (b"POST", Route(Endpoint.CHAT_COMPLETIONS)),
    b"/v1/models": (b"GET", Route(Endpoint.LIST_MODELS)),
    b"/v1/usage": (b"GET", Route(Endpoint.GET_USAGE)),
}
_MODEL_PREFIX = b"/v1/models/"


def match(method: bytes, path: bytes) -> Route:
    """Return the route of `method` and `path` (without a query).

    Errors:  UnknownUrl; MethodNotAllowed with the methods the path does have.
    """
    found = _EXACT.get(path)
    if found is None and path.startswith(_MODEL_PREFIX) and len(path) > len(_MODEL_PREFIX):
        argument = path[len(_MODEL_PREFIX) :]
        if b"/" not in argument:
            found = (b"GET", Route(Endpoint.GET_MODEL, argument.decode("latin-1")))
    if found is None:
        raise UnknownUrl(f"Unknown request URL: {_shown(method)} {_shown(path)}.")
    allowed, route = found
    if method != allowed:
        raise MethodNotAllowed(
            f"Not allowed to {_shown(method)} on {_shown(path)}. Use {_shown(allowed)}.",
            allow=_shown(allowed),
        )
    return route


def _shown(text: bytes) -> str:
    """Return caller text for a message: printable and short."""
    return "".join(chr(char) if 0x21 <= char <= 0x7E else "?" for char in text[:128])
