"""How does the real pool route a trace? The same code as in a worker, driven by simulated time."""

import random
import time
from collections.abc import Callable
from hashlib import sha256

from arkway.admission.answers import Answers
from arkway.model.catalogue import AccountLimits, AccountSpec, Dialect, ModelSpec, Secret
from arkway.model.errors import AccountsExhausted, UpstreamError
from arkway.model.ids import AccountId, KeyId, TenantId
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.model.usage import Usage
from arkway.routing.ask import Ask
from arkway.routing.keys import NO_CHAIN, Chain
from arkway.routing.knowledge import Remembered, Used
from arkway.routing.lease import Lease, Refusal, Wait
from arkway.routing.policy import RoutingPolicy
from arkway.routing.pool import Pool
from arkway.routing.retries import may_help
from arkway.simulate.trace.plan import Plan
from arkway.simulate.trace.rows import Row, Trace
from arkway.simulate.trace.rules import REFUSED, WAITS, SimCall

_MODEL = ModelSpec("trace", "trace", 1_000_000, 100_000)
_TENANT = TenantId("trace")
_KEY = KeyId("trace")
_GEOMETRIC = frozenset({1, *(4 << power for power in range(20))})


class Elastic:
    """The pools of one node or several, over the same accounts."""

    def __init__(self, trace: Trace, plan: Plan, policy: RoutingPolicy) -> None:
        self._plan = plan
        self._block = trace.block_tokens
        self._draw = random.Random(plan.seed)  # noqa: S311 - a simulation, repeatable on purpose
        self._answers = Answers()
        self._keys: dict[int, bytes] = {}
        self._waiting: dict[int, SimCall] = {}  # by the id of their Wait
        limits = plan.limits_of(trace)
        self._limits = [*limits, limits[0]]  # one more may be added
        self._accounts = tuple(self._spec(at) for at in range(plan.accounts))
        secret = b"trace" * 7
        self.pools = [Pool(secret, policy, self._draw.random) for _ in range(plan.nodes)]
        self.told: list[
            tuple[float, int, Remembered | Used]
        ] = []  # (when, by which node, what), in order
        self.decision_ns: list[int] = []
        self.ejections = 0
        self.labels: dict[str, int] = {}
        if plan.nodes > 1:
            for number, pool in enumerate(self.pools):
                pool.on_remembered = pool.on_used = self._teller(number)

    def _spec(self, number: int) -> AccountSpec:
        limits, part = self._limits[number], self._plan.told_factor

        def told(limit: int | None) -> int | None:
            return None if limit is None else max(int(limit * part), 1)

        return AccountSpec(
            AccountId(f"account-{number}"),
            Dialect.ARK,
            "https://simulated",
            Secret(""),
            limits=AccountLimits(
                told(limits.requests_per_min), told(limits.tokens_per_min), told(limits.in_flight)
            ),
        )

    def _teller(self, node: int) -> Callable[[Remembered | Used], None]:
        def tell(it: Remembered | Used) -> None:
            self.told.append((it.at_s, node, it))

        return tell

    @property
    def wake_at_s(self) -> float:
        """When a pool has to be woken."""
        return min(pool.wake_at_s for pool in self.pools)

    def share(self, now_s: float, lag_s: float) -> None:
        """Tell every node what the others learned a lag ago."""
        told = self.told
        count = 0
        while count < len(told) and told[count][0] <= now_s - lag_s:
            _, node, it = told[count]
            for number, pool in enumerate(self.pools):
                if number != node:
                    pool.merge_use(it) if isinstance(it, Used) else pool.merge(it)
            count += 1
        if count:
            del told[:count]

    def lose_shared(self, now_s: float) -> None:
        """Nodes hear nothing of each other any more."""
        self.told.clear()
        for pool in self.pools:
            pool.on_remembered = pool.on_used = None
            pool.lose_others(len(self.pools), now_s)

    def route(self, call: SimCall, now_s: float) -> int:
        """Decide by the pool of the call's node; measures how long that took."""
        node = call.number * 7919 % self._plan.nodes
        pool = self.pools[node]
        begin_ns = time.perf_counter_ns()
        if call.state is None:
            call.state = (node, self._ask(call.row), None)
        _, ask, _ = _state(call)
        tried = [self._accounts[at].id for at in call.tried]
        decision = pool.choose(ask, self._accounts, now_s, tried, self._plan.may_wait)
        self.decision_ns.append(time.perf_counter_ns() - begin_ns)
        return self._placed(call, node, decision)

    def _placed(self, call: SimCall, node: int, decision: Lease | Wait | Refusal) -> int:
        _, ask, _ = _state(call)
        if isinstance(decision, Lease):
            call.state = (node, ask, decision)
            self.labels[decision.affinity.value] = self.labels.get(decision.affinity.value, 0) + 1
            return int(decision.target.account.id.removeprefix("account-"))
        if isinstance(decision, Wait):
            self._waiting[id(decision)] = call
            return WAITS
        return REFUSED

    def _ask(self, row: Row) -> Ask:
        plan = self._plan
        error = 1.0 + plan.estimate_error * (2 * self._draw.random() - 1)
        output_tokens = self._answers.likely(_KEY, _MODEL.name)
        conversation = None
        if plan.has_header and row.conversation:
            conversation = sha256(row.conversation.encode()).digest()[:16]
        estimate = max(int(row.input_tokens * error), 1)
        return Ask(_MODEL, _TENANT, estimate, output_tokens, conversation, self._chain(row))

    def _chain(self, row: Row) -> Chain:
        blocks, block = row.blocks, self._block
        if not blocks or row.input_tokens < 1024:
            return NO_CHAIN
        keys = tuple([self._key(it) for it in blocks])
        full = min(row.input_tokens // block, len(blocks))  # some traces name fewer
        kept = [keys[at - 1] for at in range(1, full + 1) if at in _GEOMETRIC]
        if full and full not in _GEOMETRIC:
            kept.append(keys[full - 1])
        if len(keys) > full:
            kept.append(keys[-1])
        ends = tuple([min(at * block, row.input_tokens) for at in range(1, len(keys) + 1)])
        return Chain(keys, ends, tuple(kept), row.input_tokens, keys[min(1, len(keys) - 1)])

    def _key(self, block: int) -> bytes:
        key = self._keys.get(block)
        if key is None:
            key = self._keys[block] = sha256(b"%d" % block).digest()[:16]
        return key

    def on_first_token(self, call: SimCall, now_s: float) -> None:
        """Remember where the prompt is cached from now on."""
        node, _, lease = _state(call)
        assert lease is not None, "a token without a lease"
        self.pools[node].answered(lease, now_s)

    def on_end(self, call: SimCall, now_s: float) -> None:
        """Settle with what the account says it used."""
        node, _, lease = _state(call)
        assert lease is not None, "an answer without a lease"
        row = call.row
        usage = Usage(row.input_tokens, call.cached, row.output_tokens)
        self.pools[node].succeed(lease, usage, call.first_s - call.began_s, now_s)
        self._answers.learn(_KEY, _MODEL.name, row.output_tokens)

    def on_fail(self, call: SimCall, code: str, now_s: float) -> None:
        """Tell the pool what the account said."""
        node, _, lease = _state(call)
        assert lease is not None, "a failure without a lease"
        if code in ("dead", "cut"):
            ending = Ending.NOT_SENT if code == "dead" else Ending.AMBIGUOUS
            failure = AttemptFailed(ending, ErrorClass.TRANSIENT, UpstreamError(code), code)
        else:
            reason = f"status 429, code {code}"
            error = AccountsExhausted("limited")
            failure = AttemptFailed(Ending.REFUSED, ErrorClass.ACCOUNT_LIMITED, error, reason)
        call.failed.append(failure.error_class)
        if self.pools[node].fail(lease, failure, now_s) is not None:
            self.ejections += 1

    def may_try_again(self, call: SimCall, now_s: float) -> bool:
        """Ask what a worker asks: whether it may help, and whether the budget has it."""
        node, _, _ = _state(call)
        retries = self.pools[node].retries
        return may_help(call.failed, self._plan.max_attempts) and retries.take(now_s)

    def wake(self, now_s: float) -> list[tuple[SimCall, int]]:
        """Return the calls whose wait is over."""
        found = []
        for node, pool in enumerate(self.pools):
            if pool.has_waiting or pool.wake_at_s <= now_s:
                for wait, decision in pool.wake(now_s):
                    call = self._waiting.pop(id(wait))
                    found.append((call, self._placed(call, node, decision)))
        return found

    def on_accounts(self, alive: list[int], now_s: float) -> None:
        """An account was added: a new snapshot. One that died is found out by its failures."""
        count = max(alive) + 1
        if count > len(self._accounts):
            self._accounts = (*self._accounts, self._spec(count - 1))
            for pool in self.pools:
                pool.apply(self._accounts, now_s)


def _state(call: SimCall) -> tuple[int, Ask, Lease | None]:
    state = call.state
    assert isinstance(state, tuple), "the call was not routed"
    return state
