"""What do tests of telemetry hold in their hands? Events of calls as the pipeline makes them."""

from arkway.ledger.entry import End, Intent, Kind, Outcome, UsageSource
from arkway.telemetry.events import COMPLETED, AttemptFinished, CallFinished

REQUEST_ID = "01a2141f-9d12-7aea-8371-946aeac83300"


def intent(account="a", model="Doubao", attempt=1, currency="CNY", at_ms=1_000):
    return Intent(
        REQUEST_ID, attempt, at_ms, "key_1", "t", account, model, "up-" + model, 1, currency
    )


def end(kind=Kind.SETTLE, outcome=Outcome.COMPLETED, source=UsageSource.UPSTREAM, **fields):
    counts = {"uncached": 100, "cached": 50, "output": 20, "reasoning": 5, "cost_nano": 7_000}
    fields = {"affinity": "home", "status": 200, "at_ms": 1_900} | counts | fields
    at_ms, attempt = fields.pop("at_ms"), fields.pop("attempt", 1)
    return End(REQUEST_ID, attempt, at_ms, kind, outcome, source, **fields)


NOTHING = {"uncached": 0, "cached": 0, "output": 0, "reasoning": 0, "cost_nano": 0}


def failed_attempt(account="a", error_class="transient", attempt=1, **fields):
    fields = NOTHING | {"status": 500, "code": "upstream_error"} | fields
    ended = end(Kind.VOID, Outcome.REFUSED, UsageSource.NONE, attempt=attempt, **fields)
    return AttemptFinished(intent(account, attempt=attempt), ended, error_class)


def served_attempt(account="a", model="Doubao", attempt=1, **fields):
    return AttemptFinished(intent(account, model, attempt), end(attempt=attempt, **fields))


def call(*attempts, model="Doubao", is_stream=False, outcome=COMPLETED, status=200, **fields):
    fields = {"received_s": 10.0, "ended_s": 10.3, "code": "", "traceparent": b""} | fields
    return CallFinished(
        REQUEST_ID,
        "key_1",
        "t",
        model,
        is_stream,
        1,
        fields["received_s"],
        fields["ended_s"],
        outcome,
        status,
        fields["code"],
        attempts,
        fields["traceparent"],
    )
