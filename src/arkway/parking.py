"""How does a call wait for an account? Its strand is parked until the pool says how that ended.

    pool.choose -> Wait -> parking.wait ... a lease ends, or time passes -> pool.wake -> resumed

The pool decides who may go on (`routing.waits`); this wakes it, once a turn of the loop however
many leases have ended in it, and by one timer. Bounded by the pool's own bound on waiting calls.
"""

import types
from collections.abc import Callable, Generator
from math import inf
from typing import Protocol

import msgspec

from arkway.routing.lease import Lease, Refusal, Wait
from arkway.routing.pool import Pool
from arkway.strand import Strand


class Timer(Protocol):
    """A call that the loop will make."""

    def cancel(self) -> None:
        """Do not make it."""


class Loop(Protocol):
    """What parking needs of the event loop."""

    def time(self) -> float:
        """Monotonic seconds."""

    def call_soon(self, callback: Callable[[], None], /) -> object:
        """Call at the end of this turn."""

    def call_later(self, delay_s: float, callback: Callable[[], None], /) -> Timer:
        """Call after `delay_s`."""


class _Parked(msgspec.Struct, eq=False):
    strand: Strand
    ended: Lease | Refusal | None = None
    is_gone: bool = False  # its caller has left


class Parking:
    """The strands of calls that wait for an account."""

    def __init__(self, pool: Pool, loop: Loop) -> None:
        self._pool, self._loop = pool, loop
        self._parked: dict[int, _Parked] = {}  # by the identity of the pool's `Wait`
        self._will_look = False
        self._timer: Timer | None = None
        self._timer_s = inf

    def __len__(self) -> int:
        return len(self._parked)

    @types.coroutine
    def wait(self, wait: Wait, strand: Strand) -> Generator[None, None, Lease | Refusal]:
        """Return how the wait ended. Whatever is thrown in meanwhile ends it, and is raised."""
        parked = self._parked[id(wait)] = _Parked(strand)
        self._set_timer()
        try:
            while parked.ended is None:
                yield
        except BaseException:
            parked.is_gone = True
            if self._parked.pop(id(wait), None) is not None:
                self._pool.leave(wait)
            elif type(parked.ended) is Lease:  # it came in the turn in which the caller left
                self._pool.release(parked.ended, was_sent=False)
            raise
        return parked.ended

    def look(self) -> None:
        """A lease has ended: somebody may go on."""
        if self._parked and not self._will_look:
            self._will_look = True
            self._loop.call_soon(self._look)

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call when a call has waited so long for something else, unless it is cancelled."""
        return self._loop.call_later(delay_s, callback)

    def _look(self) -> None:
        self._will_look = False
        woken = []
        for wait, ended in self._pool.wake(self._loop.time()):
            parked = self._parked.pop(id(wait))
            parked.ended = ended
            woken.append(parked)
        for parked in woken:
            if not parked.is_gone:
                parked.strand.resume()
        self._set_timer()

    def _set_timer(self) -> None:
        at_s = self._pool.wake_at_s
        if at_s == self._timer_s:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_s = at_s
        if at_s < inf:
            self._timer = self._loop.call_later(max(at_s - self._loop.time(), 0.0), self._on_time)

    def _on_time(self) -> None:
        self._timer, self._timer_s = None, inf
        self._look()
