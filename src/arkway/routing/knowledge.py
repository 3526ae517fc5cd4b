"""What has been learned of prompts and caches? Homes, how long caches live, how fast they fill."""

import msgspec

from arkway.model.ids import AccountId
from arkway.model.usage import Usage
from arkway.routing.ask import Ask
from arkway.routing.beliefs import Survival
from arkway.routing.lease import Lease
from arkway.routing.policy import RoutingPolicy
from arkway.routing.table import Table

_PREFILL_TOKENS_PER_S = 10_000.0  # before any long prompt was answered
_TELLING_TOKENS = 4096  # of a prompt that was not cached: a shorter one's time is mostly overhead
_BASE_TTFT_S = 0.2
_MEMORY = 0.05
_WORKS = 0.1  # of what was believed: an account whose cache gives less says nothing about ages


class Remembered(msgspec.Struct, frozen=True):
    """Keys that an account has become a home of: what nodes tell each other."""

    account: AccountId
    shard: int
    identity: bytes | None
    keys: tuple[bytes, ...]
    at_s: float


class Used(msgspec.Struct, frozen=True):
    """What a node has reserved at an account: the others count it too."""

    account: AccountId
    model: str
    tokens: int
    at_s: float


class Knowledge:
    """What the pool has learned that is not about one account."""

    def __init__(self, policy: RoutingPolicy) -> None:
        self.policy = policy
        self.table = Table(policy.max_keys, policy.max_homes)
        self.prefill_tokens_per_s = _PREFILL_TOKENS_PER_S
        self._survivals: dict[str, Survival] = {}  # bounded by the models ever configured
        self.deaf_since_s = 0.0
        self.deaf_nodes = 0  # so many nodes cannot hear each other; 0: they can, or there is one

    def survival(self, model: str) -> Survival:
        """Return how long caches of a model live."""
        survival = self._survivals.get(model)
        if survival is None:
            survival = self._survivals[model] = Survival()
        return survival

    def remember(self, ask: Ask, account: int, now_s: float) -> None:
        """`account` has answered the prompt: it is a home of its beginnings."""
        self.add(ask.shard, ask.conversation, ask.chain.kept, account, now_s)

    def add(
        self,
        shard: int,
        identity: bytes | None,
        keys: tuple[bytes, ...],
        account: int,
        now_s: float,
    ) -> None:
        """Add homes, of this node's calls or of another's."""
        if identity is not None:
            self._remember_identity(shard, identity, account, now_s, is_short=not keys)
        if keys:
            self.table.add(shard, keys, account, now_s)

    def _remember_identity(
        self, shard: int, key: bytes, account: int, now_s: float, *, is_short: bool
    ) -> None:
        """An identity has one home: where it was answered last."""
        entry = self.table.find(shard, key)
        if entry is not None:
            entry.account = account
        self.table.add(shard, (key,), account, now_s)
        entry = entry or self.table.find(shard, key)
        if entry is not None:  # a small table may have let go of it at once
            entry.is_short = is_short

    def learn(self, lease: Lease, usage: Usage | None, ttft_s: float | None, now_s: float) -> None:
        """Take one answer into account."""
        gauge, ask = lease.slot.gauge, lease.ask
        cached = 0 if usage is None else usage.cached_input_tokens
        input_tokens = ask.input_tokens if usage is None else usage.input_tokens
        if usage is not None and input_tokens >= self.policy.cache_minimum_tokens:
            gauge.learn_cache(lease.believed, input_tokens, cached)
            if lease.believed and gauge.yielded > _WORKS:
                found = cached / input_tokens
                self.survival(ask.model.name).learn(lease.age_s, lease.believed, found)
        fresh = input_tokens - cached
        if ttft_s is not None and ttft_s > 0:
            if fresh >= _TELLING_TOKENS:
                rate = fresh / ttft_s
                self.prefill_tokens_per_s += (rate - self.prefill_tokens_per_s) * _MEMORY
            lease.slot.ttfts.learn(ttft_s)
        expected_s = _BASE_TTFT_S + fresh / self.prefill_tokens_per_s
        gauge.learn_answer(ttft_s, now_s - lease.began_s, expected_s, now_s)
