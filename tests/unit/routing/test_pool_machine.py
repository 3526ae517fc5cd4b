"""Calls in any order, beside plain counts: limits hold, leases end once, waits end."""

from collections import Counter, deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from arkway.model.catalogue import AccountLimits
from arkway.model.outcome import Ending, ErrorClass
from arkway.model.usage import Usage
from arkway.routing.ask import Size
from arkway.routing.lease import Lease, Refusal, Wait
from support import strategies  # noqa: F401 - its profile
from support.pool_lab import Lab, account, failed, name

LIMITS = st.builds(
    AccountLimits,
    st.none() | st.integers(1, 6),
    st.none() | st.integers(200, 2000),
    st.none() | st.integers(1, 3),
)


class Machine(RuleBasedStateMachine):
    """Calls of two tenants over a few small accounts."""

    @initialize(limits=st.lists(LIMITS, min_size=1, max_size=4))
    def begin(self, limits):
        self.lab = Lab(tuple(account(f"a{at}", limits=it) for at, it in enumerate(limits)))
        self.under_way = Counter()
        self.sent = {f"a{at}": deque() for at in range(len(limits))}
        self.waiting = {}
        self.open = []

    def take(self, lease):
        it = name(lease)
        limits = lease.target.account.limits
        window = [tokens for at_s, tokens, _ in self.sent[it] if at_s > self.lab.now_s - 60.0]
        if limits.requests_per_min is not None:
            assert len(window) < limits.requests_per_min
        if limits.tokens_per_min is not None:
            assert sum(window) + lease.tokens <= limits.tokens_per_min
        if limits.in_flight is not None:
            assert self.under_way[it] < limits.in_flight
        self.sent[it].append([self.lab.now_s, lease.tokens, lease])
        self.under_way[it] += 1
        self.open.append(lease)

    def wake(self):
        for wait, decision in self.lab.pool.wake(self.lab.now_s):
            del self.waiting[id(wait)]
            assert wait.is_over
            if isinstance(decision, Lease):
                self.take(decision)
            else:
                assert decision.retry_after_s > 0

    @rule(
        tenant=st.sampled_from(["t", "u"]),
        conversation=st.sampled_from([None, "c", "d"]),
        tokens=st.integers(10, 150),
    )
    def call(self, tenant, conversation, tokens):
        ask = self.lab.ask(conversation=conversation, tenant=tenant, size=Size(tokens, tokens))
        decision = self.lab.choose(ask)
        if isinstance(decision, Lease):
            self.take(decision)
        elif isinstance(decision, Wait):
            self.waiting[id(decision)] = decision
        else:
            assert isinstance(decision, Refusal)
            assert decision.retry_after_s > 0

    @rule(data=st.data(), what=st.sampled_from(["succeed", "release", "fail"]))
    def end(self, data, what):
        if not self.open:
            return
        lease = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        pool, now_s = self.lab.pool, self.lab.now_s
        self.under_way[name(lease)] -= 1
        (entry,) = (one for one in self.sent[name(lease)] if one[2] is lease)
        if what == "succeed":
            # Not more than was reserved: what is used beyond it cannot be taken back.
            entry[1] = lease.ask.input_tokens + 1
            pool.succeed(lease, Usage(lease.ask.input_tokens, 0, 1), 0.1, now_s)
        elif what == "release":
            pool.release(lease)
        else:
            classes = [it for it in ErrorClass if it is not ErrorClass.ACCOUNT_LIMITED]
            kind, ending = data.draw(st.sampled_from(classes)), data.draw(st.sampled_from(Ending))
            if ending is Ending.NOT_SENT:  # nothing of it counts
                self.sent[name(lease)].remove(entry)
            elif ending is Ending.REFUSED:  # as a request at most
                entry[1] = 0
            pool.fail(lease, failed(kind, ending), now_s)
        self.wake()

    @rule(data=st.data())
    def leave(self, data):
        if self.waiting:
            key = data.draw(st.sampled_from(sorted(self.waiting)))
            self.lab.pool.leave(self.waiting.pop(key))

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, 31.0, 61.0]))
    def pass_time(self, seconds):
        self.lab.now_s += seconds
        self.wake()

    @invariant()
    def counts_agree(self):
        for one in self.lab.accounts:
            assert self.lab.pool.in_flight(one.id) == self.under_way[one.id]
        assert self.lab.pool.waiting("M") == len(self.waiting)
        assert self.lab.pool.has_waiting is bool(self.waiting)
        assert (self.lab.pool.wake_at_s < float("inf")) is bool(self.waiting)


Machine.TestCase.settings = settings(max_examples=25, stateful_step_count=30)
TestMachine = Machine.TestCase
