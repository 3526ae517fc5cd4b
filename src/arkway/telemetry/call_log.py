"""What does the log say of a call? One line each, if the operator wants them; names and numbers.

Off by default: a line for each call is the largest thing a gateway writes, most collectors bill by
it, and the ledger already has every attempt. (docs/operations.md says what is in a line.)
"""

from typing import Any

from arkway.telemetry.events import CallFinished
from arkway.telemetry.log_io import Log


class CallLog:
    """Writes a line for every call that is over."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def take(self, calls: list[CallFinished]) -> None:
        """Write a batch."""
        for call in calls:
            self._log.event("info", "call", **fields(call))


def fields(call: CallFinished) -> dict[str, Any]:
    """Return the fields of a call's line: of all of its attempts together."""
    ends = [attempt.end for attempt in call.attempts]
    firsts = [end.first_token_ms for end in ends if end.first_token_ms]
    return {
        "request_id": call.request_id,
        "key": call.key,
        "tenant": call.tenant,
        "model": call.model,
        "stream": call.is_stream,
        "choices": call.choices,
        "outcome": call.outcome,
        "status": call.status,
        "code": call.code,
        "account": call.attempts[-1].intent.account if ends else "",
        "affinity": ends[-1].affinity if ends else "",
        "attempts": len(ends),
        "input_tokens": sum(end.uncached + end.cached + end.created for end in ends),
        "cached_input_tokens": sum(end.cached for end in ends),
        "output_tokens": sum(end.output + end.reasoning for end in ends),
        "cost_nano": sum(end.cost_nano for end in ends),
        "first_token_ms": min(firsts, default=0),
        "total_ms": int((call.ended_s - call.received_s) * 1000),
    }
