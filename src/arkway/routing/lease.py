"""What does a decision give? A lease of an account, a place in the queue, or a refusal."""

from collections.abc import Collection
from enum import StrEnum

import msgspec

from arkway.model.call import Target
from arkway.model.catalogue import AccountSpec
from arkway.model.ids import AccountId
from arkway.routing.ask import Ask
from arkway.routing.gauge import Gauge
from arkway.routing.health import Health
from arkway.routing.retries import Percentile
from arkway.routing.window import Bucket

# Accounts named in an explanation: it is kept with every call for ever.
MOST_TOLD = 6


class Affinity(StrEnum):
    """Where a call was served, seen from its conversation; a response header says it."""

    HOME = "home"  # an account that is believed to have its beginning cached
    SPILL = "spill"  # another, though there is such an account
    NEW = "new"  # nothing is known of this conversation yet
    NONE = "none"  # the call belongs to none that could be told


class Slot(msgspec.Struct, eq=False):
    """One account for one model: what a call can be sent to, and its state."""

    target: Target
    number: int  # the pool's number of the account
    health: Health  # of the account
    model_health: Health  # of the account for this model
    gauge: Gauge
    ttfts: Percentile


class Considered(msgspec.Struct, frozen=True, eq=False):
    """One account as a decision saw it."""

    account: AccountId
    verdict: str  # "chosen", or why not
    believed: float = 0.0  # the part of the prompt believed to be cached there
    fullness: float = 0.0  # of its fullest limit, with this call
    score: float = 0.0


class Lease(msgspec.Struct, eq=False):
    """One attempt's place at an account. It ends once: `succeed`, `fail` or `release`."""

    ask: Ask
    slot: Slot
    bucket: Bucket
    tokens: int  # reserved
    began_s: float
    affinity: Affinity
    believed: float = 0.0
    age_s: float = 0.0  # since the account last used what is believed to be cached
    probed: Health | None = None  # what this attempt tries again: one of the slot's two
    has_answered: bool = False
    is_over: bool = False
    scores: tuple[tuple[Slot, float, float, float], ...] = ()  # slot, believed, fullness, score
    left_out: tuple[tuple[Slot, str], ...] = ()  # slot, why

    def why(self) -> str:
        """Return the decision in words, for `arkway explain`: the account, and why no other.

        Cost: a few microseconds; of a pool of many accounts the first few are named.
        """
        return "; ".join(map(_told, self.considered()[:MOST_TOLD]))

    @property
    def target(self) -> Target:
        """The account and its model id."""
        return self.slot.target

    def considered(self) -> list[Considered]:
        """Return every account as the decision saw it, the best first; for `arkway explain`."""
        chosen, found = self.slot, []
        for slot, believed, fullness, score in self.scores:
            verdict = "chosen" if slot is chosen else "lower score"
            if fullness > 1.0 and slot is not chosen:
                verdict = "full"
            account = slot.target.account.id
            found.append(Considered(account, verdict, believed, fullness, score))
        if not found:
            verdict = "chosen: the only one" if self.probed is None else "chosen: a probe"
            found.append(Considered(chosen.target.account.id, verdict, self.believed))
        found.sort(key=lambda one: -one.score)
        return found + [Considered(it.target.account.id, why) for it, why in self.left_out]


def _told(seen: Considered) -> str:
    """Return one account as a decision saw it: `north chosen, 93 % cached, 41 % full`."""
    text = f"{seen.account} {seen.verdict}"
    if seen.believed:
        text += f", {seen.believed * 100:.0f} % cached"
    return f"{text}, {seen.fullness * 100:.0f} % full" if seen.fullness else text


class Wait(msgspec.Struct, eq=False):
    """A place in the queue: for the account with the cache, or for any.

    `Pool.wake` ends it with a lease or a refusal; `Pool.leave` when the caller has left.
    """

    ask: Ask
    accounts: tuple[AccountSpec, ...]
    tried: Collection[AccountId]
    since_s: float
    until_s: float  # by then it is over
    home: Slot | None = None  # the account it waits for, until `home_until_s`
    home_until_s: float = 0.0
    is_over: bool = False


class Why(StrEnum):
    """Why a call cannot be sent."""

    UNSERVED = "unserved"  # no account serves the model
    UNHEALTHY = "unhealthy"  # those that do are out
    LIMITED = "limited"  # all are at their limits, and waiting would take too long
    OVERLOADED = "overloaded"  # the compute pool behind all accounts is
    TRIED = "tried"  # every account that may be tried was


class Refusal(msgspec.Struct, frozen=True):
    """Nobody can take the call; `retry_after_s` is the soonest real reset, where one is known."""

    why: Why
    retry_after_s: float
    waited_s: float = 0.0


class Ejected(msgspec.Struct, frozen=True):
    """What a failure cost an account."""

    for_s: float  # inf: until an operator acts
    reason: str
    is_model_wide: bool = False  # only for this model of the account
