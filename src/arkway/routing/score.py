"""Which account is best for this prompt? The score of every usable account. Pure, hot path.

    score = s r - balance (u - mean u) / mean u - long (v - mean v) / mean v
                - latency (slowness - mean) / mean

Without limits, use of few calls a minute counts for less: it is one caller's turns, not load.

`r` is the part of the prompt believed to be cached there, `s` what that counts, `u` how full the
account is now, `v` how used it was over many minutes. Ties go by rendezvous weight: nodes that know
nothing agree, and an empty table means consistent hashing.
"""

from hashlib import blake2b
from math import inf, log

from arkway.routing.beliefs import Beliefs
from arkway.routing.lease import Slot
from arkway.routing.policy import RoutingPolicy

Scored = tuple[Slot, float, float, float]  # slot, believed, fullness, score
# Of each account, the mean, whether of known limits, and what differences count: 1, or less where
# few calls made them.
Uses = tuple[list[float], float, bool, float]
_SCALE = 2.0**64
_TIE = 1e-9
_LEAST_USE = 0.02  # of a limit: below it, differences in use are noise
# A minute at each account: with fewer, use says who calls, and not which account is full.
# One caller's turns are all at his home; a quick one (a turn each 2 s) must not lose it for that.
_FEW_CALLS = 4.0
_MOST_SLOW = 3.0
# Of what a prompt should need to its first token: below it, differences are noise.
_LEAST_SLOW = 0.5
# What an account was like so long ago says nothing: a slow one is tried again.
_SLOW_KNOWN_S = 30.0
_UNPAID_YIELD = 0.05
_TELLING_SAMPLES = 50


def uses(slots: list[Slot], tokens: int, now_s: float) -> Uses:
    """Return how used each account is.

    With known limits a minute it is the part of the fullest one. Otherwise it is tokens a minute
    over weight; calls that pile up unanswered count as the mean call.
    """
    for slot in slots:
        slot.gauge.window.forget(now_s)
    if all(slot.gauge.is_rated for slot in slots):
        found = []
        for slot in slots:
            used = slot.gauge.fullness(tokens, now_s)
            if not (slot.health.is_plain and slot.model_health.is_plain):
                used /= min(slot.health.share(now_s), slot.model_health.share(now_s))
            found.append(used)
        return found, sum(found) / len(found), True, 1.0
    calls = sum([slot.gauge.window.requests for slot in slots])
    mean_tokens = sum([slot.gauge.window.tokens for slot in slots]) / calls if calls else 0.0
    found = []
    for slot in slots:
        gauge = slot.gauge
        used = max(gauge.window.tokens, gauge.in_flight * mean_tokens) / slot.target.account.weight
        if not (slot.health.is_plain and slot.model_health.is_plain):
            share = min(slot.health.share(now_s), slot.model_health.share(now_s))
            used = (used + tokens) / share
        found.append(used)
    telling = min(1.0, (calls + 1) / (_FEW_CALLS * len(slots)))
    return found, sum(found) / len(found), False, telling


def score(  # noqa: PLR0913 - the terms of one formula
    slots: list[Slot],
    beliefs: Beliefs,
    strength: float,
    used: Uses,
    policy: RoutingPolicy,
    now_s: float,
    *,
    explores: bool = False,
) -> list[Scored]:
    """Return every account with its score, the best first."""
    shares, home = beliefs.shares, beliefs.home
    uses_, mean, is_limits, telling = used
    least = _LEAST_USE if is_limits else 1.0
    balance = telling * policy.balance_weight / (mean if mean > least else least)
    slows, slow_mean = _slownesses(slots, now_s)
    latency = policy.latency_weight / (slow_mean if slow_mean > _LEAST_SLOW else _LEAST_SLOW)
    long_uses, long_mean = _long_uses(slots, now_s, is_limits=is_limits)
    long_balance = telling * policy.long_balance_weight / long_mean if long_mean else 0.0
    scored: list[Scored] = []
    for slot, use, long_use, slowness in zip(slots, uses_, long_uses, slows, strict=True):
        believed = shares.get(slot.number, 0.0) if shares else 0.0
        worth = strength * believed
        if slot.number == home:
            worth = max(worth, beliefs.courtesy) if believed < 1.0 else worth
        if worth and not explores and is_unpaid(slot, policy):
            worth *= policy.unpaid_affinity
        slow = slowness - slow_mean
        points = worth - balance * (use - mean) - long_balance * (long_use - long_mean)
        if slow > 0:
            points -= latency * (slow if slow < _MOST_SLOW * slow_mean else _MOST_SLOW * slow_mean)
        scored.append((slot, believed, use if is_limits else 0.0, points))
    scored.sort(key=_points, reverse=True)
    return scored


def _long_uses(slots: list[Slot], now_s: float, *, is_limits: bool) -> tuple[list[float], float]:
    """Return how used each account was over many minutes, and the mean.

    An account to which nothing was sent yet owes nothing: it counts as the mean. So does one whose
    requests alone are limited: tokens say nothing of that.
    """
    found, total, count = [], 0.0, 0
    for slot in slots:
        gauge = slot.gauge
        if gauge.long_s is None or (is_limits and gauge.most_tokens == inf):
            found.append(-1.0)
            continue
        use = gauge.long_use(now_s)
        use /= gauge.most_tokens if is_limits else slot.target.account.weight
        found.append(use)
        total += use
        count += 1
    mean = total / count if count else 0.0
    return [mean if use < 0 else use for use in found], mean


def _slownesses(slots: list[Slot], now_s: float) -> tuple[list[float], float]:
    """Return how slow each account is, and the mean; one of which nothing is known is the mean."""
    known = [slot.gauge.slowness for slot in slots if now_s - slot.gauge.slow_s < _SLOW_KNOWN_S]
    mean = sum(known) / len(known) if known else 1.0
    if len(known) == len(slots):
        return known, mean
    return [
        slot.gauge.slowness if now_s - slot.gauge.slow_s < _SLOW_KNOWN_S else mean for slot in slots
    ], mean


def is_unpaid(slot: Slot, policy: RoutingPolicy) -> bool:
    """Whether an account's cache has given nothing where it was believed to."""
    gauge = slot.gauge
    return (
        gauge.yield_samples >= _TELLING_SAMPLES
        and gauge.yielded < _UNPAID_YIELD
        and policy.learns_whether_affinity_pays
    )


def _points(one: Scored) -> float:
    return one[3]


def settle_tie(scored: list[Scored], root: bytes | None, turn: int) -> None:
    """Put the account that wins a tie for the best in front."""
    best = scored[0][3] - _TIE
    if len(scored) < 2 or scored[1][3] < best:
        return
    count = 2
    while count < len(scored) and scored[count][3] >= best:
        count += 1
    if root is None:
        tied = sorted(scored[:count], key=lambda one: one[0].number)
        at = turn % count
    else:
        tied = scored[:count]
        at = max(range(count), key=lambda it: rendezvous(root, tied[it][0]))
    winner = tied[at]
    scored.remove(winner)
    scored.insert(0, winner)


def rendezvous(root: bytes, slot: Slot) -> float:
    """Return an account's weight for a key: the home has the highest.

    Weighted highest-random-weight hashing: each account is home to a share of keys proportional to
    its weight; when one joins or leaves, only the keys that it owns move.
    Source: Thaler and Ravishankar 1998; Schindelhauer and Schomaker 2005 for the weights.
    """
    account = slot.target.account
    digest = blake2b(account.id.encode(), key=root, digest_size=8).digest()
    # From 2**-65 to 1 - 2**-65 or the next float: never 0 or 1 on paper, so held below 1.
    part = min((int.from_bytes(digest, "big") + 0.5) / _SCALE, 1.0 - 2.0**-53)
    return -account.weight / log(part)
