"""How is an attempt booked that ended so? The rules, as one function of what is known.

Who pays for what (docs/ledger.md has the whole table, and a test reads it):

- Counts of the upstream are taken as they are; an explicit zero is a count.
- Without counts, what was delivered is estimated: the prompt by the learned tokens a byte, the
  answer by its bytes.
- The prompt is owed once the upstream accepted it: its head said 200. Before that nothing is.
- A caller that got nothing of an accepted prompt pays for the prompt. One that got a part pays for
  that part, whoever broke off.
- A call that was sent twice pays for one. The other is unknown: the operator's, accepted or not.
- A failure that left no verdict may have cost something upstream. It is unknown, and nobody's.
"""

import msgspec

from arkway.ledger.entry import Kind, Outcome, UsageSource
from arkway.model.outcome import Ending
from arkway.model.usage import Usage

_OUTCOMES = {
    Ending.REFUSED: Outcome.REFUSED,
    Ending.NOT_SENT: Outcome.NOT_SENT,
    Ending.AMBIGUOUS: Outcome.AMBIGUOUS,
    Ending.INTERRUPTED: Outcome.INTERRUPTED,
    Ending.ABORTED: Outcome.CALLER_LEFT,
    Ending.HEDGE_LOST: Outcome.HEDGE_LOST,
}
NOTHING = Usage()
# A finished answer whose counts the upstream told is booked so: nearly every one.
COUNTED = (Kind.SETTLE, Outcome.COMPLETED, UsageSource.UPSTREAM)


class Known(msgspec.Struct, frozen=True):
    """What is known of an attempt at its end."""

    ending: Ending
    was_sent: bool  # the request, or a part of it, left us
    was_accepted: bool  # the upstream's head said 200
    usage: Usage | None  # the upstream's counts; None: it told none
    text_bytes: int  # of the prompt
    delivered_bytes: int  # of the answer's text, to the caller
    tokens_per_byte: float


class Verdict(msgspec.Struct, frozen=True):
    """What is booked."""

    kind: Kind
    outcome: Outcome
    source: UsageSource
    usage: Usage


def verdict(known: Known) -> Verdict:
    """Return how an attempt is booked."""
    ending = known.ending
    if ending is Ending.COMPLETED:
        return _settled(known, Outcome.COMPLETED)
    outcome = _OUTCOMES[ending]
    if known.was_accepted and (ending is Ending.INTERRUPTED or ending is Ending.ABORTED):
        return _settled(known, outcome)
    if not known.was_sent or ending is Ending.REFUSED or ending is Ending.NOT_SENT:
        return Verdict(Kind.VOID, outcome, UsageSource.NONE, NOTHING)
    return Verdict(Kind.UNKNOWN, outcome, UsageSource.NONE, NOTHING)


def _settled(known: Known, outcome: Outcome) -> Verdict:
    if known.usage is not None:
        return Verdict(Kind.SETTLE, outcome, UsageSource.UPSTREAM, known.usage)
    return Verdict(Kind.SETTLE, outcome, UsageSource.ESTIMATE, estimated(known))


def estimated(known: Known) -> Usage:
    """Return what was probably used: rounded up for the prompt, and for an answer that began."""
    return Usage(
        input_tokens=_tokens(known.text_bytes, known.tokens_per_byte),
        output_tokens=_tokens(known.delivered_bytes, known.tokens_per_byte),
    )


def _tokens(text_bytes: int, tokens_per_byte: float) -> int:
    return -int(-text_bytes * tokens_per_byte // 1) if text_bytes else 0
