"""What may an operator want to set about routing? Every setting, its default and the reason.

One frozen struct; arkway.toml's `[routing]` is it (docs/routing.md). Units are in the names.
"""

import msgspec


class RoutingPolicy(msgspec.Struct, frozen=True):
    """How accounts are chosen, spared and tried again."""

    # Affinity.
    affinity_ttl_s: float = 3600.0  # longer than any implicit cache is known to live
    max_keys: int = 200_000  # the table's entries: about 40 MiB
    max_homes: int = 64  # of one key; a prompt everybody sends lives everywhere
    cache_minimum_tokens: int = 1024  # a shorter prompt is not cached upstream (Ark: 1 024)
    balance_weight: float = 0.1  # at twice the mean load an account gives up 0.1 of a prompt
    long_balance_weight: float = 0.08  # the same of use over many minutes: evens out chance
    latency_weight: float = 0.05  # of the pool's mean slowness, up to three times over it
    branch_half_life_s: float = 300.0  # how fast a hot prompt is forgotten
    new_conversation_ceiling: float = 0.7  # above it an account's room is for follow-up turns
    conversation_share: float = 0.25  # of an account's limit, for one id, before it is spread
    learns_whether_affinity_pays: bool = True
    unpaid_affinity: float = 0.2  # weight of affinity where caches are not seen to work
    exploration: float = 0.01  # share of calls that test again whether they do

    # Limits.
    limit_margin: float = 0.97  # of a limit is used: an upstream's estimates may be above ours
    limit_decrease: float = 0.95  # of what was in use when an account said 429
    limit_increase: float = 0.02  # a minute, back towards the configured limit

    # Waiting.
    home_wait_s: float = 10.0  # for the account with the cache, never longer than it saves
    overtaken_s: float = 3.0  # then room that is kept for others is a waiting call's own too
    queue_wait_s: float = 30.0  # for any account, when none has room
    max_waiting: int = 1000  # calls of one model; a waiting call holds its body
    waiting_tokens_quantum: int = 16_384  # a tenant's turn in the queue: about one long prompt

    # Health.
    failures_in_a_row: int = 5
    failure_window_s: float = 30.0
    failure_window_calls: int = 10  # fewer say nothing about a share
    failure_share: float = 0.5
    ejection_s: float = 30.0  # times the number of ejections
    max_ejection_s: float = 300.0
    max_ejected_share: float = 0.5  # beyond it health is ignored: the cause is elsewhere
    probe_patience: float = 0.03  # of an ejection: so long a probe waits for a low-value call
    slow_start_s: float = 30.0  # after an ejection, until an account has its whole share again
    overload_backoff_s: float = 1.0  # of all accounts, doubling while the overload lasts
    max_overload_backoff_s: float = 30.0

    # Retries and hedging.
    retry_share: float = 0.2  # of traffic
    retries_per_s: float = 3.0  # besides: a quiet gateway may retry too
    hedges: bool = False
    hedge_share: float = 0.02  # of calls
