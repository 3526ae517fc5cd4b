"""When does a waiting call's wait end? Queues of every model, and who may go now."""

from math import inf
from typing import Protocol

from arkway.routing.ask import Ask
from arkway.routing.choice import Chosen
from arkway.routing.lease import Lease, Refusal, Slot, Wait, Why
from arkway.routing.policy import RoutingPolicy
from arkway.routing.queues import ModelQueue, homes_of
from arkway.routing.waiting import FairQueue

_SOON_S = 0.02  # a guess of a reset that has passed is looked at again no sooner
# The head of a queue is looked at so often at least: guesses err. At limits of 1.3 times the demand
# 0.25 cost 0.05 s of every call's time to its first token; a look is one decision, 0.1 ms.
_LOOK_S = 0.05

Done = list[tuple[Wait, Lease | Refusal]]


class Decider(Protocol):
    """What decides and reserves: the pool."""

    def decide(self, wait: Wait, now_s: float, waited_for: Slot | None = None) -> Chosen:
        """Decide anew about a call that waits."""

    def lease(self, ask: Ask, chosen: Chosen, now_s: float) -> Lease:
        """Reserve what was chosen."""

    def overloaded_until_s(self, model: str, now_s: float) -> float:
        """Return until when no call of a model should be sent."""


class Waits:
    """The calls that wait, by model."""

    def __init__(self, policy: RoutingPolicy, decider: Decider) -> None:
        self._policy = policy
        self._decider = decider
        self.queues: dict[str, ModelQueue] = {}  # only of models that calls wait for
        self.wake_at_s = inf

    def count(self, model: str) -> int:
        """Count the calls of a model that wait."""
        queue = self.queues.get(model)
        return 0 if queue is None else len(queue)

    def has_any(self, model: str) -> bool:
        """Whether calls of a model wait for any account."""
        queue = self.queues.get(model)
        return queue is not None and bool(queue.any)

    def enter(self, wait: Wait, look_at_s: float, *, may_wait: bool) -> Wait | Refusal:
        """Queue a call; refuse it where it would wait for nothing, or too many wait."""
        now_s, model = wait.since_s, wait.ask.model.name
        if (
            not may_wait
            or look_at_s > wait.until_s
            or self.count(model) >= self._policy.max_waiting
        ):
            why = Why.LIMITED
            if self._decider.overloaded_until_s(model, now_s) > now_s:
                why = Why.OVERLOADED
            return Refusal(why, max(look_at_s - now_s, _SOON_S))
        self._push(wait, look_at_s)
        return wait

    def leave(self, wait: Wait) -> None:
        """Take out a call that waits no more."""
        if not wait.is_over:
            model = wait.ask.model.name
            self._take_out(self.queues[model], wait, is_served=False)
            if not self.queues[model]:
                del self.queues[model]
            if not self.queues:
                self.wake_at_s = inf

    def wake(self, now_s: float) -> Done:
        """End the waits that can end now."""
        done: Done = []
        self.wake_at_s = inf
        for model, queue in list(self.queues.items()):
            for wait in queue.ended(now_s):
                self._end(queue, wait, now_s, done)
            until_s = self._decider.overloaded_until_s(model, now_s)
            if until_s > now_s:
                self._look_at(until_s)
            else:
                for slot, waiting in homes_of(queue):
                    self._serve_home(queue, slot, waiting, now_s, done)
                self._serve_any(queue, now_s, done)
            if queue:
                self._look_at(queue.soonest_end_s)
            else:
                del self.queues[model]
        return done

    def _end(self, queue: ModelQueue, wait: Wait, now_s: float, done: Done) -> None:
        """End a wait whose time is over; that for a home goes on as one for any account."""
        had_home = wait.home is not None
        self._take_out(queue, wait, is_served=False)
        decider, model = self._decider, wait.ask.model.name
        if decider.overloaded_until_s(model, now_s) > now_s:
            chosen, why = Chosen(), Why.OVERLOADED
        else:
            chosen, why = decider.decide(wait, now_s), Why.LIMITED
        if chosen.slot is not None and (had_home or not queue.any):
            done.append((wait, decider.lease(wait.ask, chosen, now_s)))
        elif had_home and now_s < wait.until_s:
            self._go_on(wait, now_s + chosen.room_in_s)
        else:
            if chosen.refusal is not None:
                why = chosen.refusal.why
            reset_s = max(chosen.room_in_s, _SOON_S)
            done.append((wait, Refusal(why, reset_s, now_s - wait.since_s)))

    def _serve_home(
        self, queue: ModelQueue, slot: Slot, waiting: FairQueue, now_s: float, done: Done
    ) -> None:
        gauge, decider = slot.gauge, self._decider
        while (wait := waiting.head()) is not None:
            tokens = wait.ask.input_tokens + wait.ask.output_tokens
            is_out = slot.health.is_out or slot.model_health.is_out
            if not is_out and not gauge.has_room(tokens, now_s):
                self._look_at(now_s + max(gauge.room_in_s(tokens, now_s), _SOON_S))
                return
            # Its home is free, or is out by now: either way it is decided anew.
            self._take_out(queue, wait, is_served=not is_out)
            chosen = decider.decide(wait, now_s, slot)
            if chosen.slot is not None:
                done.append((wait, decider.lease(wait.ask, chosen, now_s)))
            else:
                self._go_on(wait, now_s + chosen.room_in_s)

    def _serve_any(self, queue: ModelQueue, now_s: float, done: Done) -> None:
        decider = self._decider
        while (wait := queue.any.head()) is not None:
            chosen = decider.decide(wait, now_s)
            if chosen.slot is None:
                self._look_at(now_s + max(min(chosen.room_in_s, _LOOK_S), _SOON_S))
                return
            self._take_out(queue, wait, is_served=True)
            done.append((wait, decider.lease(wait.ask, chosen, now_s)))

    def _go_on(self, wait: Wait, look_at_s: float) -> None:
        """Let a call that waited for its home wait for any account."""
        wait.home, wait.is_over = None, False
        self._push(wait, look_at_s)

    def _push(self, wait: Wait, look_at_s: float) -> None:
        model = wait.ask.model.name
        queue = self.queues.get(model)
        if queue is None:
            queue = self.queues[model] = ModelQueue(self._policy.waiting_tokens_quantum)
        queue.push(wait)
        self._look_at(min(look_at_s, queue.soonest_end_s))

    @staticmethod
    def _take_out(queue: ModelQueue, wait: Wait, *, is_served: bool) -> None:
        queue.remove(wait, is_served=is_served)
        wait.is_over = True

    def _look_at(self, at_s: float) -> None:
        if at_s < self.wake_at_s:
            self.wake_at_s = at_s
