"""What do the steps of one call share? The plane they run on, and the call under way. Hot path.

`pipeline` reads these top to bottom; `runtime.plane` builds the plane. No I/O of its own.
"""

from typing import Protocol

import msgspec

from arkway.admission.estimate import Estimator
from arkway.admission.limits import Limits, Reservation
from arkway.booking import Booking, Ended, Ledger, Result
from arkway.ledger.entry import Intent
from arkway.ledger.read_io import UsageLine
from arkway.listener.documents import Documents
from arkway.listener.exchange_io import Exchange
from arkway.model.call import Call, Caller, Target
from arkway.model.catalogue import AccountSpec, Dialect, DisconnectPolicy, Snapshot
from arkway.model.errors import GatewayError, InvalidJson
from arkway.model.ids import KeyId
from arkway.model.outcome import AttemptFailed, Ending
from arkway.model.usage import Usage
from arkway.parking import Parking
from arkway.routing.ask import Ask
from arkway.routing.lease import Ejected, Lease
from arkway.routing.pool import Pool
from arkway.telemetry.events import AttemptFinished
from arkway.upstream.accounts_io import Upstream
from arkway.upstream.attempt_io import Attempt
from arkway.upstream.dialects import encode_call
from arkway.wire.openai import Envelope

_FOREVER = float("inf")
OUR_DOING = (Ending.ABORTED, Ending.HEDGE_LOST)
_LOCAL = Dialect.LOCAL  # bound once: Python 3.11 finds an enum's member by a slow path


class PipelineLimits(msgspec.Struct, frozen=True):
    """Bounds of a call."""

    max_in_flight: int = 4096
    max_choices: int = 16
    max_attempts: int = 3
    max_event_bytes: int = 1024 * 1024
    # Answers whose caller has left, of keys that drain: so long, so much and so many at once. An
    # answer of 12 288 tokens is about 64 KiB and takes a few minutes at most.
    drain_s: float = 120.0
    drain_bytes: int = 1024 * 1024
    max_drains: int = 256


class Plane(Protocol):
    """What the pipeline needs; `runtime.plane` builds it."""

    snapshot: Snapshot
    limits: PipelineLimits
    pool: Pool
    parking: Parking
    upstream: Upstream
    ledger: Ledger
    estimator: Estimator
    key_limits: Limits
    documents: Documents | None  # served without a key; None: they are not
    is_draining: bool
    logs_debug: bool
    propagates: bool  # upstreams are told of the caller's trace
    calls: int  # calls in progress
    drains: int  # of them, those whose caller has left

    def time(self) -> float:
        """Monotonic seconds."""

    def unix_ms(self) -> int:
        """Milliseconds since the epoch."""

    def usage(self, key_id: KeyId, days: tuple[str, str]) -> list[UsageLine]:
        """What a key has used, by day and model. Shapes: days: the first and the last, UTC."""

    def settle(self, held: Reservation, tokens: int, cost_nano: int) -> None:
        """Put what a call used in the place of what was held of its key's limits."""

    def on_encoded(self, call: Call, dialect: Dialect) -> None:
        """Tell developers which of a call's parameters were left out."""

    def on_attempt_failed(
        self, exchange: Exchange, target: Target, failure: AttemptFailed, ejected: Ejected | None
    ) -> None:
        """Tell operators that an attempt failed, and whether it cost the account its place."""

    def on_error(self, exchange: Exchange, error: GatewayError) -> None:
        """Tell whoever counts that a caller is given an error."""

    def on_call(self, work: "Work") -> None:
        """Tell whoever counts that a call is over; once for each that was admitted."""

    def trace_lines(self, exchange: Exchange, attempt: int) -> bytes:
        """Return the header lines that make an attempt a part of its caller's trace."""


class Race(Protocol):
    """Two attempts of one call, as each of them sees it (`hedging`)."""

    def claim(self, lease: Lease) -> bool:
        """Whether the caller's answer is this attempt's; the first that asks has it."""


class Work(msgspec.Struct, eq=False):
    """One call under way: what its branches share."""

    exchange: Exchange
    plane: Plane
    caller: Caller
    call: Call
    held: Reservation
    ask: Ask  # the same call, as routing sees it
    accounts: tuple[AccountSpec, ...]  # that served when the call began
    envelope: Envelope
    wait_s: float | None = None  # how long the caller waits, where it says so
    attempts: int = 0  # the most that any one branch needed
    booked: int = 0  # attempts of all branches
    billed_tokens: int = 0
    billed_nano: int = 0
    first_lease: Lease | None = None  # the first choice's: the others go to the same account
    bodies: dict[tuple[Dialect, str], bytes] = {}
    ended: tuple[AttemptFinished, ...] = ()  # its attempts
    is_answered: bool = False  # the whole answer is on its way
    error: GatewayError | None = None  # that the caller is given instead
    race: Race | None = None  # while a second attempt may be made beside the first
    followed: list[Attempt] = []  # those that the caller's reading speed governs

    def learn(self, usage: Usage | None) -> None:
        """Take one choice's usage into account for later estimates."""
        if usage is not None:
            self.plane.estimator.learn(
                None if self.held.state is None else self.held.key_id,  # None: it has no limits
                self.call,
                usage.input_tokens,
                usage.output_tokens,
            )

    def body(self, target: Target) -> bytes:
        """Return the upstream request body, encoded once for all branches and retries."""
        key = (target.account.dialect, target.upstream_model)
        body = self.bodies.get(key)
        if body is None:
            body = self.bodies[key] = self._encode(target)
        return body

    def _encode(self, target: Target) -> bytes:
        dialect = target.account.dialect
        try:
            body = encode_call(self.call, dialect, target.upstream_model)
        except RecursionError:  # it takes a little more stack than decoding did
            raise InvalidJson("The request body is nested too deeply.") from None
        if self.plane.logs_debug:
            self.plane.on_encoded(self.call, dialect)
        return body

    def answer_headers(self, lease: Lease) -> bytes:
        """Return the header lines that say how the call was served."""
        exchange, now_s = self.exchange, self.plane.time()
        lines = (
            b"openai-processing-ms: %d\r\nx-arkway-affinity: %b\r\nx-arkway-attempts: %d\r\n"
            % (
                (now_s - exchange.received_s) * 1000,
                lease.affinity._value_.encode(),
                self.attempts,
            )
        )
        lines += self.plane.key_limits.headers(self.caller.key, now_s)
        if lease.slot.target.account.dialect is _LOCAL:
            lines += b"x-arkway-upstream: local\r\n"
        return lines

    def booking(self, lease: Lease, index: int) -> Booking:
        """Return the booking of the call's next attempt."""
        target = lease.slot.target
        call, key, plane, price = self.call, self.caller.key, self.plane, self.call.model.price
        self.booked += 1
        intent = Intent(
            self.exchange.request_id,
            self.booked,
            plane.unix_ms(),
            key.id or key.name,
            key.tenant,
            target.account.id,
            call.model.name,
            target.upstream_model,
            0 if price is None else price.version,
            "" if price is None else price.currency,
            index,
            call.stream,
            self.held.most_tokens,
            self.held.most_nano,
            lease.why() if lease.scores or lease.left_out else "",
        )
        return Booking(plane.ledger, intent, price, Result())

    def end_booking(
        self,
        booking: Booking,
        lease: Lease,
        attempt: Attempt | None,
        failure: AttemptFailed | None,
    ) -> None:
        """Book how an attempt ended."""
        plane, call, received_s = self.plane, self.call, self.exchange.received_s
        result, tokens_per_byte = booking.result, 0.0
        if result.usage is None:  # else nothing has to be estimated
            tokens_per_byte = plane.estimator.ratio(call.model).tokens_per_byte
        first_s = result.first_token_s
        end = booking.end(
            attempt,
            failure,
            Ended(
                plane.unix_ms(),
                call.text_bytes,
                tokens_per_byte,
                max(1, int((first_s - received_s) * 1000)) if first_s else 0,
                int((plane.time() - received_s) * 1000),
                lease.affinity._value_,
                not self.exchange.is_over,
            ),
        )
        if end is not None:
            self.billed_tokens += end.tokens
            self.billed_nano += end.cost_nano
            error_class = (
                ""
                if failure is None or failure.ending in OUR_DOING
                else failure.error_class._value_
            )
            self.ended += (AttemptFinished(booking.intent, end, error_class),)

    def end_lease(
        self, lease: Lease, attempt: Attempt | None, failure: AttemptFailed | None, result: Result
    ) -> Ejected | None:
        """Give a place at an account back, and let the pool learn from how the attempt ended."""
        plane = self.plane
        pool, now_s, ejected = plane.pool, plane.time(), None
        if failure is None:
            sent_s = 0.0 if attempt is None else attempt.sent_s
            first_s = result.first_token_s
            ttft_s = first_s - sent_s if first_s and sent_s else None
            pool.succeed(lease, result.usage, ttft_s, now_s, result.answer)
        elif failure.ending in OUR_DOING or failure.is_stale:
            pool.release(lease, was_sent=attempt is not None and attempt.sent_s > 0)
        else:
            ejected = pool.fail(lease, failure, now_s)
        plane.parking.look()
        return ejected

    def left_s(self) -> float:
        """Return how long the caller still waits for a first byte. Unit: s; inf: it did not say."""
        if self.wait_s is None or self.exchange.has_started:
            return _FOREVER
        return self.wait_s - (self.plane.time() - self.exchange.received_s)

    def may_drain(self) -> bool:
        """Whether the upstream may finish an answer that nobody waits for any more.

        Of one choice only: the branches of several end together.
        """
        return (
            self.caller.key.on_disconnect is DisconnectPolicy.DRAIN
            and self.call.n == 1
            and self.plane.drains < self.plane.limits.max_drains
        )

    def follow(self, attempt: Attempt) -> None:
        """Let the caller's reading speed govern the attempt."""
        self.followed.append(attempt)
        self.exchange.on_pause = self.pause
        self.exchange.on_resume = self.resume
        if self.exchange.is_paused:
            attempt.pause()

    def unfollow(self, attempt: Attempt) -> None:
        """Let go of an attempt that has ended."""
        self.followed.remove(attempt)

    def pause(self) -> None:
        """The caller has stopped reading."""
        for attempt in self.followed:
            attempt.pause()

    def resume(self) -> None:
        """The caller reads again."""
        now_s = self.plane.time()
        for attempt in self.followed:
            attempt.resume(now_s)
