"""How did a call or an attempt end? Named endings, and the event of a caller who leaves."""

from enum import StrEnum

from arkway.model.errors import GatewayError


class CallerGone(Exception):
    """The caller closed its connection; thrown into the call's strand at its wait."""


class HedgeLost(Exception):
    """The call's other attempt began to answer first; thrown into the one that did not."""


class Ending(StrEnum):
    """How an attempt ended, as the pool and the ledger see it."""

    COMPLETED = "completed"
    REFUSED = "refused"  # a whole error answer came before any byte
    NOT_SENT = "not_sent"  # the request never left: connect, TLS or DNS failed
    AMBIGUOUS = "ambiguous"  # sent, and no verdict came: reset or timeout before the answer
    INTERRUPTED = "interrupted"  # the answer had begun
    ABORTED = "aborted"  # our side ended it: the caller left, or we drain
    HEDGE_LOST = "hedge_lost"  # our side ended it: the call's other attempt was first


class ErrorClass(StrEnum):
    """What an upstream's error means for routing (reference: Ark error codes)."""

    CALLER = "caller"  # the request is at fault: returned, never retried
    MODERATION = "moderation"  # content was refused: returned, never retried
    ACCOUNT_LIMITED = "account_limited"  # a limit of that account: hop, cool it
    POOL_LIMITED = "pool_limited"  # one compute pool behind all accounts: hopping does not help
    BROKEN = "broken"  # the account cannot serve until an operator acts: eject, hop
    MODEL_BROKEN = "model_broken"  # the same, for one model of the account
    MODEL_DOUBTFUL = "model_doubtful"  # a 404 that nothing explains: eject for a while, hop
    TRANSIENT = "transient"  # hop


# After these a call may be sent again: to another account, or, where one compute pool is behind
# them all, after a while.
RETRIED = frozenset(
    {
        ErrorClass.POOL_LIMITED,
        ErrorClass.ACCOUNT_LIMITED,
        ErrorClass.BROKEN,
        ErrorClass.MODEL_BROKEN,
        ErrorClass.MODEL_DOUBTFUL,
        ErrorClass.TRANSIENT,
    }
)


class AttemptFailed(Exception):
    """An attempt that gave no answer, with what to tell the caller if no other does.

    `reason` is for operators' logs: it may name codes, never prompts or credentials.
    """

    def __init__(
        self,
        ending: Ending,
        error_class: ErrorClass,
        error: GatewayError,
        reason: str,
        out_for_s: float | None = None,
        *,
        is_stale: bool = False,
    ) -> None:
        super().__init__(reason)
        self.ending = ending
        self.error_class = error_class
        self.error = error
        self.reason = reason
        self.retry_after_s: float | None = None  # as the upstream said it
        self.status = 0  # of the upstream's error answer; 0: none came
        self.upstream_code = ""  # the upstream's own code for it, made printable; empty: none
        self.is_stale = is_stale  # a reused connection closed as the request was on its way
        self.out_for_s = out_for_s  # what is broken mends itself then, as the upstream says
