"""What does the door say without a key? The documentation, where the operator wants it there.

Whoever has the pages is behind `Documents`. A page that is kept is answered at once; what must be
made is made elsewhere, and the strand waits for it as for anything else.
Back-pressure: one answer a connection is on its way; the next waits until the caller has read it.
"""

import types
from collections.abc import Callable, Generator
from typing import Protocol

import msgspec

from arkway.listener.exchange_io import Exchange
from arkway.listener.routes import DOCUMENTATION


class Asked(msgspec.Struct, frozen=True):
    """What of a request matters to a document."""

    path: str  # behind /docs, with its slash
    query: str
    accept: str
    if_none_match: str


class Document(msgspec.Struct, frozen=True):
    """An answer: status, rendered header lines, body."""

    status: int
    headers: bytes
    body: bytes


class Documents(Protocol):
    """The pages, as the door sees them; `runtime.documents_io` has them."""

    def kept(self, asked: Asked) -> Document | None:
        """Return a document that needs no work; None when it must be made."""

    def make(self, asked: Asked, told: Callable[[Document | Exception], None]) -> None:
        """Make a document, or a refusal where there is too much to do; tell it once.

        `told` is called from the loop, now or later; it must not raise. An exception is a bug.
        """

    def close(self) -> None:
        """Make nothing more."""


_HOME = Document(307, b"location: %b/\r\n" % DOCUMENTATION, b"")


async def send_document(exchange: Exchange, documents: Documents, path: str) -> None:
    """Answer GET or HEAD of `path`, the part behind /docs."""
    request = exchange.request
    asked = Asked(
        path,
        request.query.decode("latin-1"),
        request.accept.decode("latin-1"),
        request.if_none_match.decode("latin-1"),
    )
    found = documents.kept(asked) if path else _HOME
    if found is None:
        found = await _made(exchange, documents, asked)
    await _has_read(exchange)
    exchange.respond_document(found.status, found.headers, found.body)


@types.coroutine
def _made(
    exchange: Exchange, documents: Documents, asked: Asked
) -> Generator[None, None, Document]:
    made: list[Document | Exception] = []
    waits = False

    def told(outcome: Document | Exception) -> None:
        made.append(outcome)
        if waits:  # neither before the first wait nor after the caller has left
            exchange.resume()

    documents.make(asked, told)
    try:
        while not made:
            waits = True
            yield
    finally:
        waits = False
    if isinstance(made[0], Exception):
        raise made[0]
    return made[0]


@types.coroutine
def _has_read(exchange: Exchange) -> Generator[None, None, None]:
    """Return once the caller has read what it was sent before."""
    try:
        while exchange.is_paused:
            exchange.on_resume = exchange.resume
            yield
    finally:
        exchange.on_resume = None
