"""Does an account answer? One tiny call to it, for its operator, whatever routing thinks of it.

    intent durable -> one attempt on a new connection -> end durable -> what came of it

It goes past routing: no lease, no waiting, no other account, no second attempt. It is an attempt
like any other all the same: nothing is sent before its intent is durable, it has one end, and what
it used is booked to OPERATOR, who is nobody's tenant. The answer's text is thrown away; of the
upstream's words nothing is kept but its error code.
"""

from typing import Protocol

import msgspec

from arkway.answering import unusable
from arkway.booking import Booking, Ended, Ledger, Result
from arkway.ledger.entry import End, Intent
from arkway.model.call import Target
from arkway.model.catalogue import AccountSpec, Clocks, ModelSpec
from arkway.model.errors import UpstreamError, forget_frames
from arkway.model.ids import OPERATOR, RequestId
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.relay.answer import BadAnswer, read_answer, text_size
from arkway.strand import Strand
from arkway.upstream.accounts_io import Upstream
from arkway.upstream.attempt_io import Attempt
from arkway.upstream.classify import classify
from arkway.wire.openai import encode

PROMPT = "Hi"
MAX_TOKENS = 1
# A person waits for it. A model that thinks first may take this long to one token.
CLOCKS = Clocks(connect_s=5.0, first_token_s=20.0, plain_answer_s=20.0, total_s=25.0)
_ABORTED = AttemptFailed(
    Ending.ABORTED, ErrorClass.CALLER, UpstreamError("The test was aborted."), "aborted"
)


class Learned(Protocol):
    """What the gateway has learned of a model's tokens; `admission.estimate.Estimator` tells it."""

    @property
    def tokens_per_byte(self) -> float: ...  # noqa: D102


class Estimating(Protocol):
    """Who estimates what an upstream does not count."""

    def ratio(self, model: ModelSpec) -> Learned: ...  # noqa: D102


class Plane(Protocol):
    """What a test needs of the data plane; `runtime.plane` has it."""

    @property
    def upstream(self) -> Upstream: ...  # noqa: D102
    @property
    def ledger(self) -> Ledger: ...  # noqa: D102
    @property
    def estimator(self) -> Estimating: ...  # noqa: D102
    def time(self) -> float:
        """Monotonic seconds."""

    def unix_ms(self) -> int:
        """Milliseconds since the epoch."""

    def new_id(self) -> RequestId:
        """A fresh request id."""


class Trial(msgspec.Struct, frozen=True):
    """What came of it. `end` is what the ledger has."""

    intent: Intent
    end: End
    failure: AttemptFailed | None  # None: it answered
    connected_ms: int  # until the request left us; 0: it never did
    took_ms: int

    @property
    def upstream_code(self) -> str:
        """Return the upstream's error code; empty: it gave none, or there was no error."""
        return "" if self.failure is None else self.failure.upstream_code


async def trial(plane: Plane, account: AccountSpec, model: ModelSpec, strand: Strand) -> Trial:
    """Ask `account` for one token of `model`; return what came of it, once that is durable.

    Errors:  LedgerUnavailable: nothing was sent, or its end waits for the disk to work again.
    """
    target = Target(account, account.models.get(model.name, model.upstream_model))
    price, began_s = model.price, plane.time()
    intent = Intent(
        plane.new_id(), 1, plane.unix_ms(), OPERATOR, OPERATOR, account.id, model.name,
        target.upstream_model, 0 if price is None else price.version,
        "" if price is None else price.currency,
    )  # fmt: skip
    booking = Booking(plane.ledger, intent, price, Result())
    booking.hold()
    await booking.durable(strand)
    attempt: Attempt | None = None
    failure: AttemptFailed | None = _ABORTED
    try:
        attempt = plane.upstream.open(target, _body(target), b"", CLOCKS, False, wants_new=True)
        await attempt.response(strand)
        _read(attempt, booking.result, plane.unix_ms() / 1000)
        failure = None
    except AttemptFailed as failed:
        forget_frames(failed)
        failure = failed
    finally:
        if attempt is not None:
            attempt.close()
        took_ms = int((plane.time() - began_s) * 1000)
        end = booking.end(attempt, failure, _ended(plane, model, took_ms))
    assert end is not None, "it was held"
    await booking.durable(strand)
    sent_s = 0.0 if attempt is None else attempt.sent_s
    connected_ms = max(1, int((sent_s - began_s) * 1000)) if sent_s else 0
    return Trial(intent, end, failure, connected_ms, took_ms)


def _read(attempt: Attempt, result: Result, unix_s: float) -> None:
    """Take the whole answer.

    Errors:  AttemptFailed when it is none.
    """
    if attempt.status != 200:
        raise classify(attempt.status, attempt.body(), attempt.retry_after_s, unix_s)
    try:
        choice, usage = read_answer(attempt.body(), 0)
    except BadAnswer as bad:
        raise unusable(str(bad), bad.error_body) from None
    result.usage = usage
    if usage is None:
        result.delivered_bytes = text_size(choice)


def _body(target: Target) -> bytes:
    messages = [{"role": "user", "content": PROMPT}]
    return encode({"model": target.upstream_model, "messages": messages, "max_tokens": MAX_TOKENS})


def _ended(plane: Plane, model: ModelSpec, took_ms: int) -> Ended:
    tokens_per_byte = plane.estimator.ratio(model).tokens_per_byte
    text_bytes = len(PROMPT.encode())
    return Ended(plane.unix_ms(), text_bytes, tokens_per_byte, 0, took_ms, "", has_caller=True)
