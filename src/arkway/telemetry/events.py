"""What is told of a call when it is over? One event, which metrics, logs and traces read. Hot path.

The pipeline makes one `CallFinished` for each call that was admitted, when all is over, with an
`AttemptFinished` for each attempt: the two entries that the ledger has of it, and what its error
meant. An event holds names, counts and times, and no text of a prompt or an answer.
"""

from enum import Enum
from typing import Protocol

import msgspec

COMPLETED = "completed"  # the caller has the whole answer
FAILED = "error"  # it was told of an error instead
INTERRUPTED = "interrupted"  # the answer had begun, and ended with an error event
CALLER_LEFT = "caller_left"
CRASHED = "crashed"  # a bug of ours
OUTCOMES = (COMPLETED, FAILED, INTERRUPTED, CALLER_LEFT, CRASHED)


class Intent(Protocol):
    """What an attempt was to be; `ledger.entry.Intent` is one."""

    @property
    def request_id(self) -> str: ...  # noqa: D102
    @property
    def attempt(self) -> int: ...  # noqa: D102
    @property
    def at_ms(self) -> int: ...  # noqa: D102
    @property
    def account(self) -> str: ...  # noqa: D102
    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def upstream_model(self) -> str: ...  # noqa: D102
    @property
    def currency(self) -> str: ...  # noqa: D102


class End(Protocol):
    """How it ended; `ledger.entry.End` is one. The five classes of tokens add up."""

    @property
    def at_ms(self) -> int: ...  # noqa: D102
    @property
    def kind(self) -> Enum: ...  # noqa: D102
    @property
    def outcome(self) -> Enum: ...  # noqa: D102
    @property
    def source(self) -> Enum: ...  # noqa: D102
    @property
    def uncached(self) -> int: ...  # noqa: D102
    @property
    def cached(self) -> int: ...  # noqa: D102
    @property
    def created(self) -> int: ...  # noqa: D102
    @property
    def output(self) -> int: ...  # noqa: D102
    @property
    def reasoning(self) -> int: ...  # noqa: D102
    @property
    def cost_nano(self) -> int: ...  # noqa: D102
    @property
    def first_token_ms(self) -> int: ...  # noqa: D102
    @property
    def affinity(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> int: ...  # noqa: D102
    @property
    def code(self) -> str: ...  # noqa: D102


class AttemptFinished(msgspec.Struct, frozen=True, gc=False):
    """One attempt, from its intent to its one end."""

    intent: Intent
    end: End
    error_class: str = ""  # of `model.outcome.ErrorClass`; empty: it served


class CallFinished(msgspec.Struct, frozen=True, gc=False):
    """One call that was admitted, at its end. (No cycles: nothing for the collector to find.)"""

    request_id: str
    key: str  # its id
    tenant: str
    model: str  # the public name
    is_stream: bool
    choices: int
    received_s: float  # monotonic, as is the next
    ended_s: float
    outcome: str  # one of OUTCOMES
    status: int  # that the caller saw; 0: it had left
    code: str  # our error code; empty: none
    attempts: tuple[AttemptFinished, ...]
    traceparent: bytes = b""  # the caller's


class Subscriber(Protocol):
    """Who learns of calls beside the metrics; called with a batch, in the event loop's thread."""

    def take(self, calls: list[CallFinished]) -> None:
        """Take calls that are over, oldest first. Must not raise and must not wait."""
