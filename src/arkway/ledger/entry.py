"""What is written down of an attempt? Two entries: the intent before it, and its one end.

An entry is one line of JSON, which is what the chain of hashes covers and what SQL reads
(`schema`). A field at its default is left out. Money is in nano-units, time in milliseconds since
the epoch (`_ms`). No prompt, no answer, no credential is ever in an entry.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What an entry says of its attempt."""

    INTENT = "intent"  # it may be sent now
    SETTLE = "settle"  # it was served, wholly or in part: this is owed
    VOID = "void"  # nothing was served: nothing is owed
    UNKNOWN = "unknown"  # the upstream may have charged for it; nobody is billed


class Outcome(StrEnum):
    """How an attempt ended, for people and reports."""

    COMPLETED = "completed"
    INTERRUPTED = "upstream_interrupted"  # the upstream broke off in the middle
    CALLER_LEFT = "caller_left"
    REVOKED = "revoked"  # its key was, or the node stopped, in the middle
    REFUSED = "refused"  # the upstream answered with an error
    NOT_SENT = "not_sent"  # it never reached the upstream
    AMBIGUOUS = "ambiguous"  # sent, and no verdict came
    HEDGE_LOST = "hedge_lost"  # the call was sent twice, and the other attempt was first
    CRASHED = "crash_recovered"  # the gateway died while it ran


class UsageSource(StrEnum):
    """Where the counts of an end come from."""

    UPSTREAM = "upstream"  # its own figures, explicit zeros included
    ESTIMATE = "estimate"  # learned ratios times the bytes of text
    NONE = "none"  # nothing is known, nothing is owed


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An attempt that may be sent from now on."""

    request_id: str
    attempt: int  # 1 and up within the call, over all of its choices
    at_ms: int
    key: str  # the API key's id
    tenant: str
    account: str
    model: str  # the public name
    upstream_model: str
    price: int = 0  # the version
    currency: str = ""
    choice: int = 0
    stream: bool = False
    hold_tokens: int = 0  # what limits were held for it
    hold_nano: int = 0
    why: str = ""  # the routing decision, as JSON, for `arkway explain`
    kind: Kind = Kind.INTENT


class End(msgspec.Struct, frozen=True, omit_defaults=True):
    """The one end of an attempt. The five classes of tokens add up; none contains another."""

    request_id: str
    attempt: int
    at_ms: int
    kind: Kind
    outcome: Outcome
    source: UsageSource
    uncached: int = 0  # input neither read from a cache nor written to one
    cached: int = 0
    created: int = 0  # input written to a cache
    output: int = 0  # without reasoning
    reasoning: int = 0
    cost_nano: int = 0
    price: int = 0
    delivered_bytes: int = 0  # of text, to the caller
    first_token_ms: int = 0  # since the call was received; 0: there was none
    total_ms: int = 0
    affinity: str = ""
    status: int = 0  # the upstream's; 0: none came
    code: str = ""  # our error code where it failed

    @property
    def tokens(self) -> int:
        """Return the tokens of all classes."""
        return self.uncached + self.cached + self.created + self.output + self.reasoning


def crashed_end(intent: Intent, now_ms: int) -> End:
    """Return the end of an attempt that a crash left open: what came of it is not known."""
    return End(
        intent.request_id,
        intent.attempt,
        max(now_ms, intent.at_ms),
        Kind.UNKNOWN,
        Outcome.CRASHED,
        UsageSource.NONE,
        price=intent.price,
    )


encode = msgspec.json.Encoder().encode
decode_intent = msgspec.json.Decoder(Intent).decode
decode_end = msgspec.json.Decoder(End).decode
