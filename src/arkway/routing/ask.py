"""What does routing need to know of a call? Its keys, its size, its patience. Hot path.

A short prompt needs no chain of keys: the upstream caches none of it. Without an identity either,
an ask is a handful of fields.
"""

from math import inf

import msgspec

from arkway.model.call import Call
from arkway.model.catalogue import ModelSpec
from arkway.model.ids import TenantId
from arkway.routing.keys import NO_CHAIN, Chain, chain_of, conversation_key, seed_of
from arkway.routing.table import shard_of

# Seeds of tenants and models, 200 bytes each; all are forgotten together when there are more.
MAX_SEEDS = 4096
# Calls this small are tried first at an account that comes back: little is lost with them.
LOW_VALUE_TOKENS = 2048


class Size(msgspec.Struct, frozen=True):
    """What a call will likely use (unit: token)."""

    input_tokens: int
    output_tokens: int


class Ask(msgspec.Struct, frozen=True, eq=False):
    """One call, as routing sees it."""

    model: ModelSpec
    tenant: TenantId
    input_tokens: int
    output_tokens: int
    conversation: bytes | None = None  # the key of the identity the caller gave
    chain: Chain = NO_CHAIN
    shard: int = 0  # of the table
    patient_until_s: float = inf  # when its caller stops waiting
    is_low_value: bool = False

    @property
    def root(self) -> bytes | None:
        """What the call goes by where nothing is known of it; None: nothing."""
        return self.conversation or self.chain.root or None


class Asker:
    """Makes asks of calls; remembers the seeds of tenants."""

    def __init__(self, secret: bytes, cache_minimum_tokens: int) -> None:
        self._secret = secret
        self._minimum = cache_minimum_tokens
        self._seeds: dict[tuple[TenantId, str], bytes] = {}

    def ask(
        self, call: Call, tenant: TenantId, size: Size, patient_until_s: float, has_choice: bool
    ) -> Ask:
        """Return the ask of a validated call. Pure but for the seeds it remembers.

        Without a choice of accounts no chain is made: nothing would be decided by it.
        """
        input_tokens, identity = size.input_tokens, call.conversation
        has_chain = has_choice and input_tokens >= self._minimum
        is_low = identity is None and input_tokens < LOW_VALUE_TOKENS
        if identity is None and not has_chain:
            return Ask(
                call.model,
                tenant,
                input_tokens,
                size.output_tokens,
                patient_until_s=patient_until_s,
                is_low_value=is_low,
            )
        seed = self.seed(tenant, call.model.name)
        return Ask(
            call.model,
            tenant,
            input_tokens,
            size.output_tokens,
            None if identity is None else conversation_key(seed, identity),
            chain_of(seed, call.params) if has_chain else NO_CHAIN,
            shard_of(seed),
            patient_until_s,
            is_low,
        )

    def seed(self, tenant: TenantId, model: str) -> bytes:
        """Return the seed of a tenant's keys for a model."""
        seed = self._seeds.get((tenant, model))
        if seed is None:
            if len(self._seeds) >= MAX_SEEDS:
                self._seeds.clear()
            seed = self._seeds[tenant, model] = seed_of(self._secret, tenant, model)
        return seed
