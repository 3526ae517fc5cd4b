"""Which settings does routing take from the file? `[routing]`, as the pool's policy."""

from typing import Annotated

from msgspec import Struct, structs

from arkway.routing.policy import RoutingPolicy
from arkway.store.fields import Duration, LongDuration, about

_USUAL = RoutingPolicy()  # the defaults, and the reasons for them, are the policy's


class Routing(Struct, frozen=True, kw_only=True):
    """How accounts are chosen, spared and tried again (docs/routing.md)."""

    affinity_ttl_s: Annotated[
        LongDuration,
        about(
            "How long a conversation's account is remembered after its last call.",
            "an upstream's prompt cache lives minutes to an hour",
        ),
    ] = _USUAL.affinity_ttl_s
    cache_minimum_tokens: Annotated[
        int,
        about(
            "Prompts shorter than this are not followed by their content.",
            "the upstream caches blocks of 1 024 tokens and more",
            ge=0,
            le=1_000_000,
        ),
    ] = _USUAL.cache_minimum_tokens
    max_keys: Annotated[
        int,
        about(
            "Entries of the table of prompts and conversations.",
            "about 200 bytes each; the least recently used go first",
            ge=1000,
            le=10_000_000,
        ),
    ] = _USUAL.max_keys
    conversation_share: Annotated[
        float,
        about(
            "Part of an account's limit that one conversation id may fill.",
            "a caller that sends one constant id must not pin an account",
            ge=0.01,
            le=1.0,
        ),
    ] = _USUAL.conversation_share
    learns_whether_affinity_pays: Annotated[
        bool,
        about(
            "Let affinity count less where no cached tokens are ever seen.",
            "some models have no cache: then only balance matters",
        ),
    ] = _USUAL.learns_whether_affinity_pays
    limit_margin: Annotated[
        float,
        about(
            "Part of an account's limits that is used.",
            "the upstream deducts its own estimate on arrival, which may be above ours",
            ge=0.1,
            le=1.0,
        ),
    ] = _USUAL.limit_margin
    home_wait_s: Annotated[
        Duration,
        about(
            "Longest wait for the account that has the cache, when it is full.",
            "and never longer than reading the cached part again would take",
        ),
    ] = _USUAL.home_wait_s
    queue_wait_s: Annotated[
        LongDuration,
        about(
            "Longest wait for any account, when all are full.",
            "a short burst passes; beyond it callers get 429 with the real reset",
        ),
    ] = _USUAL.queue_wait_s
    max_waiting: Annotated[
        int,
        about(
            "Calls of one model that may wait.",
            "each holds its request in memory",
            ge=0,
            le=100_000,
        ),
    ] = _USUAL.max_waiting
    failures_in_a_row: Annotated[
        int,
        about("Failures in a row that eject an account.", "as Envoy", ge=1, le=1000),
    ] = _USUAL.failures_in_a_row
    failure_share: Annotated[
        float,
        about(
            "Part of at least 10 calls in 30 s that has to fail to eject an account; 1: never.",
            "an account that fails every other call never fails five in a row",
            ge=0.0,
            le=1.0,
        ),
    ] = _USUAL.failure_share
    ejection_s: Annotated[
        LongDuration,
        about("Length of the first ejection; the n-th is n times as long.", "as Envoy"),
    ] = _USUAL.ejection_s
    max_ejection_s: Annotated[
        LongDuration,
        about("Longest ejection.", "an account that heals is found within it"),
    ] = _USUAL.max_ejection_s
    max_ejected_share: Annotated[
        float,
        about(
            "Part of the pool that may be ejected; beyond it health is ignored.",
            "when most accounts fail, the cause is elsewhere",
            ge=0.0,
            le=1.0,
        ),
    ] = _USUAL.max_ejected_share
    slow_start_s: Annotated[
        float,
        about(
            "Time after an ejection until an account has its whole share again; 0: at once.",
            "what has just healed should not get everything that waits",
            ge=0.0,
            le=3600.0,
        ),
    ] = _USUAL.slow_start_s
    overload_backoff_s: Annotated[
        Duration,
        about(
            "First pause of a model whose compute pool says that it is overloaded.",
            "other accounts share the pool: hopping does not help",
        ),
    ] = _USUAL.overload_backoff_s
    max_overload_backoff_s: Annotated[
        LongDuration,
        about("Longest such pause; each in a row is twice as long.", "recovery takes minutes"),
    ] = _USUAL.max_overload_backoff_s
    retry_share: Annotated[
        float,
        about(
            "Retries as a part of calls.",
            "retries must not multiply an outage",
            ge=0.0,
            le=1.0,
        ),
    ] = _USUAL.retry_share
    retries_per_s: Annotated[
        float,
        about(
            "Retries a second besides.",
            "a quiet gateway may retry too",
            ge=0.0,
            le=1000.0,
        ),
    ] = _USUAL.retries_per_s
    hedges: Annotated[
        bool,
        about(
            "Send a streamed call to a second account when its first token is late.",
            "it costs an answer's prompt upstream that nobody pays you for",
        ),
    ] = _USUAL.hedges
    hedge_share: Annotated[
        float,
        about(
            "Calls sent twice, as a part of calls.",
            "the latest few are worth it, and a slow upstream must not get twice the load",
            ge=0.0,
            le=1.0,
        ),
    ] = _USUAL.hedge_share


def routing_policy(settings: Routing) -> RoutingPolicy:
    """Return the pool's policy with these settings."""
    return structs.replace(_USUAL, **structs.asdict(settings))
