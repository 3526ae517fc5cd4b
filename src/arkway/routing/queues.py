"""Which calls of a model wait, and for what? One queue for any account, one for each home."""

from collections.abc import Iterator
from math import inf

from arkway.routing.lease import Slot, Wait
from arkway.routing.waiting import FairQueue, cost


class ModelQueue:
    """The calls of one model that wait."""

    def __init__(self, quantum_tokens: int) -> None:
        self._quantum = quantum_tokens
        self.any = FairQueue(quantum_tokens)
        self.homes: dict[int, FairQueue] = {}  # by account number; only those that are not empty
        self.soonest_end_s = inf  # no wait ends of itself before; a lower bound

    def __len__(self) -> int:
        return len(self.any) + sum(map(len, self.homes.values()))

    def __iter__(self) -> Iterator[Wait]:
        yield from self.any
        for queue in self.homes.values():
            yield from queue

    def push(self, wait: Wait) -> None:
        """Queue a call: for its home, or for any account."""
        home = wait.home
        if home is None:
            self.any.push(wait)
            ends_s = wait.until_s
        else:
            queue = self.homes.get(home.number)
            if queue is None:
                queue = self.homes[home.number] = FairQueue(self._quantum)
            queue.push(wait)
            home.gauge.queued += 1
            home.gauge.queued_tokens += cost(wait.ask)
            ends_s = min(wait.until_s, wait.home_until_s)
        if ends_s < self.soonest_end_s:
            self.soonest_end_s = ends_s

    def remove(self, wait: Wait, *, is_served: bool) -> None:
        """Take a call out of its queue."""
        home = wait.home
        if home is None:
            self.any.remove(wait, is_served=is_served)
            return
        queue = self.homes[home.number]
        queue.remove(wait, is_served=is_served)
        home.gauge.queued -= 1
        home.gauge.queued_tokens -= cost(wait.ask)
        if not queue:
            del self.homes[home.number]

    def ended(self, now_s: float) -> list[Wait]:
        """Return the calls whose wait, or whose wait for a home, is over by now."""
        if now_s < self.soonest_end_s:
            return []
        over, soonest_s = [], inf
        for wait in self:
            ends_s = wait.until_s if wait.home is None else min(wait.until_s, wait.home_until_s)
            if ends_s <= now_s:
                over.append(wait)
            elif ends_s < soonest_s:
                soonest_s = ends_s
        self.soonest_end_s = soonest_s
        return over


def homes_of(queue: ModelQueue) -> list[tuple[Slot, FairQueue]]:
    """Return each account that calls wait for, with its queue."""
    found = []
    for waiting in list(queue.homes.values()):
        wait = waiting.head()
        assert wait is not None, "an empty queue was kept"
        assert wait.home is not None, "a call waits for a home it has not"
        found.append((wait.home, waiting))
    return found
