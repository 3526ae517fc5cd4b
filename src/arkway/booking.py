"""What is booked of an attempt, and when may it go on? The pipeline's side of the ledger. Hot path.

    hold -> durable -> ... -> end -> durable

Before an attempt is sent its intent is durable; before the last byte of its answer leaves, its end
is. Between the two, `Booking` collects what the end needs: whether the request left us, whether the
upstream accepted it, what it counted and what the caller was given. The rules of who pays are
`ledger.settle`'s.
"""

import types
from collections.abc import Callable, Generator
from typing import Protocol

import msgspec
from msgspec.structs import replace

from arkway.ledger.entry import End, Intent, Outcome
from arkway.ledger.price import FREE, priced
from arkway.ledger.settle import COUNTED, Known, Verdict, verdict
from arkway.model.catalogue import Price
from arkway.model.errors import LedgerUnavailable
from arkway.model.outcome import AttemptFailed, Ending
from arkway.model.usage import Usage
from arkway.strand import Strand
from arkway.upstream.attempt_io import Attempt

_HEDGE_LOST = Ending.HEDGE_LOST  # bound once: Python 3.11 finds an enum's member by a slow path
Told = Callable[[bool], None]  # learns whether an entry is durable


class Ledger(Protocol):
    """The book, as the pipeline sees it; `ledger.book_io.Book` is one."""

    def append(self, entry: Intent | End, told: Told | None = None) -> bool:
        """Take an entry; False when the book is closed."""


class Result(msgspec.Struct):
    """What an attempt came to, as far as its booking needs it."""

    usage: Usage | None = None  # the upstream's own counts
    delivered_bytes: int = 0  # of the answer's text
    first_token_s: float = 0.0  # monotonic; 0: there was none
    answer: str | None = None  # the text of a plain answer, for routing; never written down


class Booking(msgspec.Struct, eq=False):
    """The two entries of one attempt."""

    ledger: Ledger
    intent: Intent
    price: Price | None
    result: Result
    is_durable: bool | None = None  # the entry asked for last; None: not told yet
    is_held: bool = False  # the intent may be in the book
    waiter: Strand | None = None

    def hold(self) -> None:
        """Ask for the intent to be written; `durable` waits for it.

        Errors:  LedgerUnavailable: nothing is sent that could not be accounted for.
        """
        if not self.ledger.append(self.intent, self.told):
            raise _unavailable()
        self.is_held = True

    @types.coroutine
    def durable(self, strand: Strand) -> Generator[None, None, None]:
        """Wait until the entry asked for last is on the disk.

        Errors:  LedgerUnavailable when the disk refused it.
        """
        while self.is_durable is None:
            self.waiter = strand
            try:
                yield
            except BaseException:
                self.waiter = None
                raise
        is_durable, self.is_durable = self.is_durable, None
        if not is_durable:
            self.is_held = False
            raise _unavailable()

    def told(self, is_durable: bool) -> None:
        """Learn whether the entry is durable."""
        self.is_durable = is_durable
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            waiter.resume()

    def end(
        self, attempt: Attempt | None, failure: AttemptFailed | None, end: "Ended"
    ) -> End | None:
        """Write down how the attempt ended; `durable` waits for it. None if it was never held."""
        if not self.is_held:
            return None
        self.is_held = False
        result, price = self.result, self.price or FREE
        usage = result.usage
        if failure is None and usage is not None:
            kind, outcome, source = COUNTED  # what `verdict` would say
        else:
            booked = self._verdict(attempt, failure, end)
            kind, outcome, source, usage = booked.kind, booked.outcome, booked.source, booked.usage
        uncached, cached, created, output, reasoning, cost_nano = priced(usage, price)
        entry = End(
            self.intent.request_id,
            self.intent.attempt,
            end.at_ms,
            kind,
            outcome,
            source,
            uncached,
            cached,
            created,
            output,
            reasoning,
            cost_nano,
            price.version,
            result.delivered_bytes,
            end.first_token_ms,
            end.total_ms,
            end.affinity,
            0 if attempt is None else attempt.status,
            "" if failure is None or failure.ending is _HEDGE_LOST else failure.error.code,
        )
        if self.is_durable is not None:  # the intent was told while nobody waited
            self.is_durable = None
        self.ledger.append(entry, self.told)
        return entry

    def _verdict(
        self, attempt: Attempt | None, failure: AttemptFailed | None, end: "Ended"
    ) -> Verdict:
        """Return how to book an attempt that failed, or whose counts nobody told."""
        booked = verdict(
            Known(
                Ending.COMPLETED if failure is None else failure.ending,
                attempt is not None and attempt.sent_s > 0,
                attempt is not None and attempt.status == 200,
                self.result.usage,
                end.text_bytes,
                self.result.delivered_bytes,
                end.tokens_per_byte,
            )
        )
        if booked.outcome is Outcome.CALLER_LEFT and end.has_caller:
            return replace(booked, outcome=Outcome.REVOKED)
        return booked


class Ended(msgspec.Struct, frozen=True):
    """When and how a booking ends: what only the call knows."""

    at_ms: int
    text_bytes: int
    tokens_per_byte: float
    first_token_ms: int
    total_ms: int
    affinity: str
    has_caller: bool  # the caller is still there: if the attempt was aborted, it was by us


def _unavailable() -> LedgerUnavailable:
    return LedgerUnavailable("The ledger cannot be written now; try again.", retry_after_s=2.0)
