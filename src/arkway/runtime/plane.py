"""What does one worker hold? The data plane, composed: snapshot, pool, upstream, clocks."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Coroutine
from math import inf
from typing import Any

from arkway.admission.estimate import Estimator
from arkway.admission.limits import Limits, Reservation, UsageAlert
from arkway.admission.rules import shorten
from arkway.booking import Ledger
from arkway.ledger.read_io import UsageLine
from arkway.listener.documents import Documents
from arkway.listener.exchange_io import Exchange
from arkway.model.call import Call, Target
from arkway.model.catalogue import Dialect, Snapshot
from arkway.model.errors import BadRequest, GatewayError, InternalError
from arkway.model.ids import BLOCK_BYTES, KeyId, RequestId, uuid7_head, uuid7_tails
from arkway.model.outcome import AttemptFailed
from arkway.parking import Parking
from arkway.pipeline import serve
from arkway.routing.lease import Ejected
from arkway.routing.pool import Pool
from arkway.runtime.ledger_reader_io import LedgerReader
from arkway.telemetry import families
from arkway.telemetry.events import (
    CALLER_LEFT,
    COMPLETED,
    CRASHED,
    FAILED,
    INTERRUPTED,
    CallFinished,
)
from arkway.telemetry.faults import Faults
from arkway.telemetry.framing import kind_of
from arkway.telemetry.log_io import Log, where_of
from arkway.telemetry.meter import Meter
from arkway.telemetry.spans import trace_lines
from arkway.upstream.accounts_io import Upstream
from arkway.upstream.classify import counted_code
from arkway.upstream.dialects import unsent_parameters
from arkway.work import OUR_DOING, PipelineLimits, Work

# Names of parameters are the callers' to choose: the debug log names so many and no more.
MAX_NAMED = 1000


class WorkerPlane:
    """The state of one worker, and the front that turns exchanges into running calls."""

    def __init__(
        self,
        snapshot: Snapshot,
        limits: PipelineLimits,
        pool: Pool,
        upstream: Upstream,
        ledger: Ledger,
        log: Log,
    ) -> None:
        self.snapshot = snapshot
        self.limits = limits
        self.pool = pool
        self.upstream = upstream
        self.ledger = ledger
        self.log = log
        self.is_draining = False
        self.calls = 0
        self.drains = 0
        loop = asyncio.get_running_loop()
        self.time = loop.time
        self.parking = Parking(pool, loop)
        self.counts: Counter[str] = Counter()
        self.logs_debug = log.logs("debug")
        self.meter = Meter()
        self.faults = Faults()
        self.propagates = False
        self.sample_ratio = 0.0  # of the calls whose spans are exported
        self._named: set[str] = set()  # parameters that the debug log has named
        self._id_ms, self._id_head = 0, ""
        self._id_tails: list[str] = []
        self.estimator = Estimator()
        self.reader: LedgerReader | None = None
        self.key_limits = Limits()
        self.documents: Documents | None = None
        upstream.apply(snapshot.accounts)
        pool.apply(snapshot.accounts, self.time())

    def apply(self, snapshot: Snapshot) -> None:
        """Serve `snapshot` from now on; calls under way keep what they began with."""
        self.upstream.apply(snapshot.accounts)
        self.pool.apply(snapshot.accounts, self.time())
        self.snapshot = snapshot

    def close(self) -> None:
        """Let go of what has threads."""
        if self.documents is not None:
            self.documents.close()

    def unix_ms(self) -> int:
        """Return milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def new_id(self) -> RequestId:
        """Return a fresh request id: unique, in the order of time, and no secret."""
        now_ms = time.time_ns() // 1_000_000
        if now_ms != self._id_ms:
            self._id_ms, self._id_head = now_ms, uuid7_head(now_ms)
        if not self._id_tails:
            self._id_tails = uuid7_tails(os.urandom(BLOCK_BYTES))
        return self._id_head + self._id_tails.pop()  # type: ignore[return-value]  # NewType is a call

    def usage(self, key_id: KeyId, days: tuple[str, str]) -> list[UsageLine]:
        """Return what a key has used, by day and model."""
        assert self.reader is not None, "set before anything is served"
        return self.reader.usage(key_id, days)

    def settle(self, held: Reservation, tokens: int, cost_nano: int) -> None:
        """Put what a call used in the place of what was held of its key's limits."""
        limits = self.key_limits
        if tokens or cost_nano:
            limits.settle(held, tokens, cost_nano, self.time())
        else:
            limits.release(held)
        while limits.alerts:
            self._warn(limits.alerts.popleft())

    def _warn(self, alert: UsageAlert) -> None:
        self.log.event(
            "warning",
            "key_usage",
            key=alert.key_id,
            quota=alert.quota._value_,
            percent=alert.percent,
            used=alert.used,
            limit=alert.limit,
        )

    def count(self, kind: str) -> None:
        """Count an event by its kind, a name from our own closed lists."""
        self.counts[kind] += 1
        if kind == "write_stalled":
            self.meter.count(families.STALLED)

    def serve(self, exchange: Exchange) -> Coroutine[Any, None, None]:
        """Return the pipeline's work on one exchange."""
        return serve(exchange, self)

    def on_encoded(self, call: Call, dialect: Dialect) -> None:
        """Name each parameter that a dialect leaves out, once, at level debug."""
        for name in unsent_parameters(call, dialect):
            if name not in self._named and len(self._named) < MAX_NAMED:
                self._named.add(name)
                self.log.event("debug", "parameter_dropped", dialect="ark", parameter=shorten(name))

    def on_attempt_failed(
        self, exchange: Exchange, target: Target, failure: AttemptFailed, ejected: Ejected | None
    ) -> None:
        """Tell operators that an attempt failed, and whether it cost the account its place."""
        self.count(f"attempt_{failure.ending}")
        self._count_fault(target, failure)
        fields = {
            "request_id": exchange.request_id,
            "account": target.account.id,
            "ending": failure.ending.value,
            "class": failure.error_class.value,
            "reason": failure.reason,
        }
        self.log.event("warning", "attempt_failed", **fields)
        if ejected is not None:
            self.meter.on_ejected(target.account.id)
            self.log.event(
                "warning",
                "account_ejected",
                account=target.account.id,
                model=target.upstream_model if ejected.is_model_wide else "",
                ejected_s=None if ejected.for_s == inf else round(ejected.for_s, 3),
                needs_operator=ejected.for_s == inf,
                reason=ejected.reason,
            )

    def _count_fault(self, target: Target, failure: AttemptFailed) -> None:
        """Count what went wrong at an account; what our side ended says nothing of it."""
        if failure.ending not in OUR_DOING and not failure.is_stale:
            account = self.meter.account(target.account.id)
            fault = account, failure.error_class._value_, counted_code(failure)
            self.faults.add(fault, self.time())

    def on_error(self, exchange: Exchange, error: GatewayError) -> None:
        """Count an error that a caller is given."""
        if not exchange.is_over:
            self._count_error(200 if exchange.has_started else error.status, error)

    def on_refused(self, error: GatewayError) -> None:
        """Count a request that was refused before it became one."""
        self._count_error(error.status, error)

    def _count_error(self, status: int, error: GatewayError) -> None:
        self.meter.on_error(status, error.code, error.reason)
        if type(error) is BadRequest:
            self.meter.add(families.FRAMING, (kind_of(str(error)),))

    def on_call(self, work: Work) -> None:
        """Count a call that is over."""
        meter, ended = self.meter, work.ended
        if not work.is_answered or len(ended) != 1:
            meter.on_call(self._finished(work))
            return
        only = ended[0]
        received_s, is_stream = work.exchange.received_s, work.call.stream
        if not meter.on_ordinary(only.intent, only.end, is_stream, received_s, self.time()):
            meter.on_call(self._finished(work))
        elif meter.subscribers:
            meter.tell(self._finished(work))

    def _finished(self, work: Work) -> CallFinished:
        """Return the event of a call that is over."""
        exchange, call, key = work.exchange, work.call, work.caller.key
        outcome, status, code = (COMPLETED, 200, "") if work.is_answered else _without_answer(work)
        return CallFinished(
            exchange.request_id,
            key.id or key.name,
            key.tenant,
            call.model.name,
            call.stream,
            call.n,
            exchange.received_s,
            self.time(),
            outcome,
            status,
            code,
            work.ended,
            exchange.request.traceparent,
        )

    def trace_lines(self, exchange: Exchange, attempt: int) -> bytes:
        """Return the header lines that make an attempt a part of its caller's trace."""
        return trace_lines(
            exchange.request.traceparent, exchange.request_id, attempt, self.sample_ratio
        )

    def on_crash(self, exchange: Exchange, error: BaseException) -> None:
        """Answer a crash of our own; where it happened goes to the log, its text does not."""
        self.count("internal_error")
        self.meter.on_error(500, InternalError.code, "")
        self.log.event(
            "error",
            "internal_error",
            request_id=exchange.request_id,
            kind=type(error).__name__,
            where=where_of(error),
        )
        exchange.fail(InternalError("The gateway failed on this request; it has been logged."))


def _without_answer(work: Work) -> tuple[str, int, str]:
    """Return outcome, status and code of a call whose caller does not have the whole answer."""
    error, exchange = work.error, work.exchange
    if exchange.is_over:
        return CALLER_LEFT, 0, ""
    if error is None:
        return CRASHED, InternalError.status, InternalError.code
    if exchange.has_started:
        return INTERRUPTED, 200, error.code
    return FAILED, error.status, error.code
