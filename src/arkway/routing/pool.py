"""Which account takes this attempt? The pool's state and its decisions. Hot path.

`choose` decides and reserves in one step; it gives a lease, a place in the queue or a refusal, and
is called again, with the accounts already tried, after a failure. A lease ends once: by `succeed`,
`fail` or `release`. While calls wait, the driver calls `wake` when a lease has ended and at
`wake_at_s`.

State is keyed by stable ids and survives every change of accounts. Pure: the caller brings the
clock and the randomness. One process, one thread.
"""

from collections.abc import Callable, Collection
from math import inf

from arkway.model.call import Call
from arkway.model.catalogue import AccountLimits, AccountSpec
from arkway.model.ids import AccountId, TenantId
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.model.usage import Usage
from arkway.routing.ask import Ask, Asker, Size
from arkway.routing.choice import Chosen, Turn, choose_among, sort_out
from arkway.routing.keys import answer_key
from arkway.routing.knowledge import Knowledge, Remembered, Used
from arkway.routing.lease import Affinity, Ejected, Lease, Refusal, Slot, Wait
from arkway.routing.limited import which_limit
from arkway.routing.overload import Overloads
from arkway.routing.policy import RoutingPolicy
from arkway.routing.report import AccountReport, report
from arkway.routing.retries import Hedges, RetryBudget
from arkway.routing.score import is_unpaid
from arkway.routing.slots import Slots
from arkway.routing.waits import Waits

NO_LIMITS = AccountLimits()
_NONE = Affinity.NONE  # bound once: Python 3.11 finds an enum's member by a slow path


def has_limits(account: AccountSpec) -> bool:
    """Whether an operator has set a limit for any model of the account."""
    return account.limits != NO_LIMITS or bool(account.model_limits)


class Pool:
    """Health, limits and warmth of every account, and who waits for them."""

    def __init__(
        self,
        secret: bytes,
        policy: RoutingPolicy | None = None,
        draw: Callable[[], float] = lambda: 0.5,
    ) -> None:
        self.policy = policy = policy or RoutingPolicy()
        self._draw = draw  # uniform from 0 to 1
        self._asker = Asker(secret, policy.cache_minimum_tokens)
        self._slots = Slots(policy)
        self.knowledge = Knowledge(policy)
        self.retries = RetryBudget(policy)
        self.hedges = Hedges(policy)
        self._overloads = Overloads(policy)
        self._waits = Waits(policy, self)
        self._looked_at: tuple[AccountSpec, ...] = ()
        self._needs_size = True
        self.on_remembered: Callable[[Remembered], None] | None = None  # to tell other nodes
        self.on_used: Callable[[Used], None] | None = None

    # Before an attempt.

    def apply(self, accounts: tuple[AccountSpec, ...], now_s: float) -> None:
        """Take new accounts; an edited account that was out comes back."""
        if accounts is not self._slots.accounts:
            self._slots.apply(accounts, now_s)

    def called_back(self, account_id: AccountId, model: str, now_s: float) -> None:
        """Let an account that is out be tried again: it has answered an operator for `model`."""
        self._slots.called_back(account_id, now_s, model)

    def needs_size(self, accounts: tuple[AccountSpec, ...]) -> bool:
        """Whether anything depends on what a call will likely use: a choice, or a limit.

        A limit that is learned later counts what calls did use.
        """
        if accounts is not self._looked_at:
            self._looked_at = accounts
            self._needs_size = len(accounts) != 1 or has_limits(accounts[0])
        return self._needs_size

    def ask(
        self,
        call: Call,
        tenant: TenantId,
        size: Size,
        accounts: tuple[AccountSpec, ...],
        patient_until_s: float = inf,
    ) -> Ask:
        """Return what routing needs to know of a call. Cost: 1 us for a short prompt."""
        return self._asker.ask(call, tenant, size, patient_until_s, len(accounts) > 1)

    def choose(
        self,
        ask: Ask,
        accounts: tuple[AccountSpec, ...],
        now_s: float,
        tried: Collection[AccountId] = (),
        may_wait: bool = True,
    ) -> Lease | Wait | Refusal:
        """Decide where a call goes, and reserve it there.

        A call's first choice has nothing in `tried`. Later ones, after a failure, pass the queue:
        the call has had its turn.
        """
        slots = self._slots.of(ask.model, accounts, now_s)
        is_first = not tried
        if is_first:
            self.retries.on_call()
            self.hedges.on_call()
        only_home = False
        if self._overloads or self._waits.queues:
            until_s = self._overloads.until_s(ask.model.name, now_s)
            if until_s > now_s:
                wait = Wait(ask, accounts, tried, now_s, self._end_s(ask, now_s))
                return self._waits.enter(wait, until_s, may_wait=may_wait)
            only_home = is_first and self._waits.has_any(ask.model.name)
        if len(slots) == 1 and is_first and not only_home and ask.root is None:
            lease = self._at_once(ask, slots[0], now_s)
            if lease is not None:
                return lease
        among = sort_out(slots, tried, now_s, self.policy, is_low_value=ask.is_low_value)
        turn = Turn(self._draw, is_first, waits=is_first and may_wait, only_home=only_home)
        chosen = choose_among(self.knowledge, ask, among, now_s, turn)
        if chosen.slot is not None:
            return self.lease(ask, chosen, now_s)
        wait = Wait(ask, accounts, tried, now_s, self._end_s(ask, now_s))
        return self._wait(wait, chosen, may_wait=may_wait)

    def beside(self, lease: Lease, now_s: float) -> Lease | None:
        """Reserve a place for another choice of the same call, at the same account.

        None: it has no room, or is out by now; `choose` as for a call of its own.
        """
        ask, slot = lease.ask, lease.slot
        tokens = ask.input_tokens + ask.output_tokens
        is_out = slot.health.is_out or slot.model_health.is_out
        if self._overloads and self._overloads.until_s(ask.model.name, now_s) > now_s:
            return None
        if is_out or slot.gauge.queued or not slot.gauge.has_room(tokens, now_s):
            return None
        self.retries.on_call()
        return Lease(
            ask,
            slot,
            slot.gauge.reserve(tokens, now_s),
            tokens,
            now_s,
            lease.affinity,
            lease.believed,
            lease.age_s,
        )

    def _wait(self, wait: Wait, chosen: Chosen, *, may_wait: bool) -> Wait | Refusal:
        """Queue a call for its home, or for any account; refuse what cannot be cured by waiting."""
        if chosen.refusal is not None:
            return chosen.refusal
        room_in_s = chosen.room_in_s
        if chosen.home is not None:
            wait.home, wait.home_until_s = chosen.home, wait.since_s + chosen.home_patience_s
            room_in_s = chosen.home_wait_s
        return self._waits.enter(wait, wait.since_s + room_in_s, may_wait=may_wait)

    def _at_once(self, ask: Ask, slot: Slot, now_s: float) -> Lease | None:
        """The shortest way: one healthy account with room, and no conversation."""
        tokens = ask.input_tokens + ask.output_tokens
        gauge = slot.gauge
        if (
            slot.health.is_plain
            and slot.model_health.is_plain
            and not gauge.queued
            and gauge.has_room(tokens, now_s)
        ):
            return Lease(ask, slot, gauge.reserve(tokens, now_s), tokens, now_s, _NONE)
        return None

    def lease(self, ask: Ask, chosen: Chosen, now_s: float) -> Lease:
        """Reserve what was chosen."""
        slot = chosen.slot
        assert slot is not None, "a choice without an account has no lease"
        tokens = ask.input_tokens + ask.output_tokens
        lease = Lease(
            ask,
            slot,
            slot.gauge.reserve(tokens, now_s),
            tokens,
            now_s,
            chosen.affinity,
            chosen.believed,
            chosen.age_s,
            scores=chosen.scores,
            left_out=chosen.left_out,
        )
        if chosen.is_probe:
            health = slot.health if slot.health.is_out else slot.model_health
            health.begin_probe()
            lease.probed = health
        if self.on_used is not None:
            account = slot.target.account.id
            self.on_used(Used(account, ask.model.name, tokens, now_s))
        return lease

    # After it.

    def answered(self, lease: Lease, now_s: float) -> None:
        """The first token came: the prompt is cached there from now on. Called once at most."""
        lease.has_answered = True
        ask, slot = lease.ask, lease.slot
        self.knowledge.remember(ask, slot.number, now_s)
        if self.on_remembered is not None:
            account = slot.target.account.id
            self.on_remembered(
                Remembered(account, ask.shard, ask.conversation, ask.chain.kept, now_s)
            )

    def merge_use(self, it: Used) -> None:
        """Count what another node has reserved. Nodes share one clock, as far as seconds go."""
        slot = self._slots.find(it.account, it.model)
        if slot is not None:
            slot.gauge.window.add(it.at_s, it.tokens)

    def lose_others(self, nodes: int, now_s: float) -> None:
        """Nodes cannot hear each other any more: so many, this one included."""
        if not self.knowledge.deaf_nodes:
            self.knowledge.deaf_since_s = now_s
        self.knowledge.deaf_nodes = nodes

    def hear_others(self) -> None:
        """Nodes hear each other again."""
        self.knowledge.deaf_nodes = 0
        self._slots.forget_guesses()

    def merge(self, it: Remembered) -> None:
        """Take what another node has remembered. Nodes share one clock, as far as minutes go."""
        number = self._slots.number(it.account)
        self.knowledge.add(it.shard, it.identity, it.keys, number, it.at_s)

    def succeed(
        self,
        lease: Lease,
        usage: Usage | None,
        ttft_s: float | None,
        now_s: float,
        answer: str | None = None,
    ) -> None:
        """The attempt gave a whole answer: settle it and learn from it.

        Shapes:  usage None: the upstream told none, the reservation stands; ttft_s None: not
                 known; answer: the message's text, where it is at hand, so that the next turn is
                 known as far as it.
        """
        slot = lease.slot
        used = lease.tokens if usage is None else usage.input_tokens + usage.output_tokens
        self._end(lease)
        slot.gauge.settle(lease.bucket, lease.tokens, used)
        slot.gauge.answered()
        slot.health.on_success(lease.began_s, now_s)
        slot.model_health.on_success(lease.began_s, now_s)
        ask = lease.ask
        if not lease.has_answered and ask.root is not None:
            self.answered(lease, now_s)
        if answer is not None and ask.chain.keys:
            key = answer_key(ask.chain, answer)
            if key is not None:
                self.knowledge.table.add(ask.shard, (key,), slot.number, now_s)
        if self._overloads:
            self._overloads.on_success(ask.model.name)
        self.knowledge.learn(lease, usage, ttft_s, now_s)

    def fail(self, lease: Lease, failure: AttemptFailed, now_s: float) -> Ejected | None:
        """The attempt failed; return what that cost the account, if anything."""
        if failure.ending is Ending.ABORTED:
            self.release(lease)
            return None
        slot, gauge = lease.slot, lease.slot.gauge
        self._end(lease)
        if failure.ending is Ending.NOT_SENT:
            gauge.give_back(lease.bucket, lease.tokens)
        elif failure.ending is Ending.REFUSED:  # counted as a request at most
            gauge.settle(lease.bucket, lease.tokens, 0)
        else:
            gauge.settle(lease.bucket, lease.tokens, lease.tokens)
        began_s, reason = lease.began_s, failure.reason
        match failure.error_class:
            case ErrorClass.BROKEN:
                return Ejected(slot.health.on_broken(now_s, reason, failure.out_for_s), reason)
            case ErrorClass.MODEL_BROKEN:
                for_s = slot.model_health.on_broken(now_s, reason, failure.out_for_s)
                return Ejected(for_s, reason, is_model_wide=True)
            case ErrorClass.MODEL_DOUBTFUL:
                for_s = slot.model_health.eject(now_s, reason, self._draw())
                return Ejected(for_s, reason, is_model_wide=True)
            case ErrorClass.TRANSIENT:
                # A model's probe that fails says that the model is not back.
                health = lease.probed or slot.health
                length_s = health.on_failure(began_s, now_s, reason, self._draw())
                return None if length_s is None else Ejected(length_s, reason)
            case ErrorClass.ACCOUNT_LIMITED:
                is_alone = self.on_used is None and not self.knowledge.deaf_nodes
                after_s = failure.retry_after_s
                gauge.on_limited(which_limit(reason), after_s, now_s, is_alone=is_alone)
            case ErrorClass.POOL_LIMITED:
                self._overloads.on_overload(
                    lease.ask.model.name, failure.error.retry_after_s, now_s, self._draw()
                )
            case _:  # the request's own fault: the account works
                slot.health.on_success(began_s, now_s)
        return None

    def release(self, lease: Lease, *, was_sent: bool = True) -> None:
        """The attempt ended by our own doing: it says nothing of the account.

        What it reserved stands if it was sent: the upstream may have counted it.
        """
        self._end(lease)
        gauge = lease.slot.gauge
        if was_sent:
            gauge.settle(lease.bucket, lease.tokens, lease.tokens)
        else:
            gauge.give_back(lease.bucket, lease.tokens)

    @staticmethod
    def _end(lease: Lease) -> None:
        assert not lease.is_over, "a lease ended twice"
        lease.is_over = True
        if lease.probed is not None:
            lease.probed.end_probe()

    def hedge_after_s(self, lease: Lease) -> float | None:
        """Return after how long without a first token a call may be sent twice. None: never.

        The account's 95th percentile. Then `hedges.take()`, and `choose` with this account tried.
        """
        return lease.slot.ttfts.p95_s() if self.policy.hedges else None

    # For operators.

    def health(self, now_s: float) -> list[AccountReport]:
        """Return how every account does for every model that was asked for, or is asked first."""
        return [
            report(model, slot, now_s, affinity_pays=not is_unpaid(slot, self.policy))
            for model, slot in self._slots.all()
        ]

    def in_flight(self, account_id: AccountId) -> int:
        """Count the attempts under way at an account."""
        return sum(
            slot.gauge.in_flight
            for _, slot in self._slots.all()
            if slot.target.account.id == account_id
        )

    # Waiting.

    @property
    def wake_at_s(self) -> float:
        """When `wake` has to be called though no lease has ended; inf: never."""
        return self._waits.wake_at_s

    @property
    def has_waiting(self) -> bool:
        """Whether calls wait."""
        return bool(self._waits.queues)

    def waiting(self, model: str) -> int:
        """Count the calls of a model that wait."""
        return self._waits.count(model)

    def leave(self, wait: Wait) -> None:
        """The caller of a waiting call has left, or has stopped waiting."""
        self._waits.leave(wait)

    def wake(self, now_s: float) -> list[tuple[Wait, Lease | Refusal]]:
        """End the waits that can end now, in the order of turns; return how each did.

        Sets `wake_at_s`. Cost: a decision for each that ends, and one a queue.
        """
        return self._waits.wake(now_s)

    def decide(self, wait: Wait, now_s: float, waited_for: Slot | None = None) -> Chosen:
        """Decide anew about a call that waits; it waits for no home again."""
        ask = wait.ask
        slots = self._slots.of(ask.model, wait.accounts, now_s)
        among = sort_out(slots, wait.tried, now_s, self.policy, is_low_value=ask.is_low_value)
        has_waited_long = now_s - wait.since_s > self.policy.overtaken_s
        turn = Turn(self._draw, waited_for=waited_for, overtakes=has_waited_long)
        return choose_among(self.knowledge, ask, among, now_s, turn)

    def overloaded_until_s(self, model: str, now_s: float) -> float:
        """Return until when no call of a model should be sent."""
        return self._overloads.until_s(model, now_s)

    def _end_s(self, ask: Ask, now_s: float) -> float:
        return min(now_s + self.policy.queue_wait_s, ask.patient_until_s)
