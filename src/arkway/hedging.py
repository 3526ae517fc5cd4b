"""May a late call be sent twice? A second attempt beside the first; one answer, one bill.

    first ... no token after the account's 95th percentile -> second, at another account
    the first valid event of either -> claims the caller; the other is thrown `HedgeLost`

Only where the operator wants it (`routing.hedges`), for streamed calls of one choice that nothing
has befallen yet, and for few of them (`routing.retries.Hedges`). The first attempt runs on the
call's own strand, the second on one of its own, which the race never outlives. Until the second
has claimed the caller it is the operator's affair: it is booked as `hedge_lost`, also if the
caller leaves, and its failure costs the caller nothing.
"""

import types
from collections.abc import Coroutine, Generator
from typing import Any, Protocol

from arkway.answering import Branch
from arkway.model.errors import GatewayError, forget_frames
from arkway.model.ids import AccountId
from arkway.model.outcome import RETRIED, AttemptFailed, ErrorClass, HedgeLost
from arkway.parking import Timer
from arkway.routing.lease import Lease
from arkway.strand import Strand
from arkway.work import Work

Trying = Coroutine[Any, Any, Branch | AttemptFailed]
_NONE_EXPECTED = (HedgeLost, GatewayError)  # they end a second attempt and nothing else


class Attempting(Protocol):
    """What makes an attempt: the pipeline's."""

    def __call__(
        self, work: Work, lease: Lease, index: int, strand: Strand, *, wants_new: bool
    ) -> Trying:
        """Make it, on `strand`."""


async def hedged(
    work: Work,
    lease: Lease,
    strand: Strand,
    failures: list[AttemptFailed],
    tried: list[AccountId],
    attempt: Attempting,
) -> Branch | AttemptFailed:
    """Make a call's first attempt, and a second beside it if it is late.

    Returns how the call fared. A second that failed before it had claimed the caller is added to
    `failures` and `tried`, as if it had been made before the first.
    """
    plane = work.plane
    first = attempt(work, lease, 0, strand, wants_new=False)
    after_s = plane.pool.hedge_after_s(lease)
    if after_s is None or plane.limits.max_attempts < 2:
        return await first
    hedge = Hedge(work=work, first=lease, call=strand, attempt=attempt, after_s=after_s)
    came = await hedge.race(first)
    other, second = hedge.result, hedge.second
    if type(other) is AttemptFailed and other is not came and second is not None:
        failures.append(other)
        if other.error_class is not ErrorClass.POOL_LIMITED:  # every account would say the same
            tried.append(second.slot.target.account.id)
    return came


class Hedge(Strand, kw_only=True):
    """The strand of a second attempt, and the race with the first."""

    work: Work
    first: Lease
    call: Strand  # the call's own; the first attempt is on it
    attempt: Attempting
    after_s: float
    began_s: float = 0.0
    timer: Timer | None = None
    is_first_over: bool = False
    is_awaited: bool = False  # by the call's strand, once the first is over
    second: Lease | None = None
    owner: Lease | None = None  # whose answer the caller gets
    result: Branch | AttemptFailed | None = None  # of the second
    error: BaseException | None = None  # that ended it instead

    async def race(self, first: Trying) -> Branch | AttemptFailed:
        """Make the first attempt, and a second if it is late; return how the call fared.

        The second's failure is in `result`, and in no case what is returned before it had claimed
        the caller. Whatever is thrown in ends both.
        """
        plane = self.work.plane
        self.work.race, self.began_s = self, plane.time()
        self.timer = plane.parking.after(self.after_s, self._on_late)
        try:
            came = await self._first(first)
            if type(came) is Branch or (
                type(came) is AttemptFailed and came.error_class not in RETRIED
            ):
                self._lose()
            await self._ended()
        finally:
            self.work.race = None
        if self.error is not None and not isinstance(self.error, _NONE_EXPECTED):
            raise self.error
        if came is not None and (self.second is None or self.owner is not self.second):
            return came
        if self.error is not None:
            raise self.error
        assert self.result is not None, "who has the caller has an end"
        return self.result

    def claim(self, lease: Lease) -> bool:
        """Whether the caller's answer is this attempt's; the first that asks has it."""
        if self.owner is None:
            self.owner = lease
            self._call_off()
            if lease is self.first:
                self._lose()
            elif not self.is_first_over:
                # What it took is not known, but it is among the longest: the percentile counts it.
                waited_s = self.work.plane.time() - self.began_s
                self.first.slot.ttfts.learn(waited_s)
                self.call.throw(HedgeLost())
        return self.owner is lease

    def on_end(self, error: BaseException | None) -> None:
        """The second attempt is over."""
        if isinstance(error, _NONE_EXPECTED):
            forget_frames(error)
        self.error = error
        if self.is_awaited:
            self.is_awaited = False
            self.call.resume()

    async def _first(self, first: Trying) -> Branch | AttemptFailed | None:
        """Make the first attempt; None: it has lost."""
        try:
            return await first
        except HedgeLost:
            return None
        except BaseException:
            self._lose()
            raise
        finally:
            self.is_first_over = True
            self._call_off()

    @types.coroutine
    def _ended(self) -> Generator[None, None, None]:
        """Wait until no second attempt is under way.

        What is thrown in is thrown into it, and raised once it is over: it may read on to its
        counts for a caller who has left.
        """
        thrown: BaseException | None = None
        while self.steps is not None:
            self.is_awaited = True
            try:
                yield
            except BaseException as error:  # noqa: BLE001 - raised below
                self.is_awaited = False
                thrown = error
                self.throw(error)
        if thrown is not None:
            raise thrown

    def _on_late(self) -> None:
        """No token has come in time."""
        self.timer = None
        lease = self._place()
        if lease is not None:
            self.second = lease
            self.work.attempts += 1
            self.steps = self._run(lease).__await__()
            self.resume()

    def _place(self) -> Lease | None:
        """Reserve a place at another account. It may not be one that another call waits for."""
        work, pool = self.work, self.work.plane.pool
        if pool.waiting(work.ask.model.name) or not pool.hedges.take():
            return None
        tried = (self.first.slot.target.account.id,)
        lease = pool.choose(work.ask, work.accounts, work.plane.time(), tried, may_wait=False)
        if type(lease) is Lease:
            return lease
        pool.hedges.give_back()
        return None

    async def _run(self, lease: Lease) -> None:
        self.result = await self.attempt(self.work, lease, 0, self, wants_new=False)

    def _lose(self) -> None:
        """End the second attempt, if there is one."""
        self.throw(HedgeLost())

    def _call_off(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
