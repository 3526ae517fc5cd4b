"""By which rule is a request routed? The real one, and four that it is compared with."""

from __future__ import annotations

import random
from hashlib import blake2b
from math import ceil, inf
from typing import Protocol

import msgspec

from arkway.model.outcome import ErrorClass
from arkway.simulate.trace.plan import Plan
from arkway.simulate.trace.rows import Row

WAITS = -1
REFUSED = -2


class SimCall(msgspec.Struct, eq=False):
    """One request on its way."""

    row: Row
    number: int
    tried: list[int] = []
    attempts: int = 0
    account: int = -1
    cached: int = 0
    began_s: float = 0.0  # of this attempt
    first_s: float = 0.0
    attempt_id: int = 0  # tells an event of an earlier attempt from one of this
    has_answered: bool = False
    waited: bool = False
    state: object = None  # the rule's own
    failed: list[ErrorClass] = []  # how its attempts failed, where the rule looks at it


class Rule(Protocol):
    """What chooses an account for each attempt."""

    @property
    def wake_at_s(self) -> float:
        """When `wake` is due; inf: not of itself."""

    def route(self, call: SimCall, now_s: float) -> int:
        """Return an account's number, WAITS or REFUSED."""

    def on_first_token(self, call: SimCall, now_s: float) -> None:
        """The attempt's first token came."""

    def on_end(self, call: SimCall, now_s: float) -> None:
        """The attempt's answer is whole."""

    def on_fail(self, call: SimCall, code: str, now_s: float) -> None:
        """The attempt failed: a limit's code, or `dead` or `cut` for an account that died."""

    def may_try_again(self, call: SimCall, now_s: float) -> bool:
        """Whether a call that failed, and was not answered, may be sent once more."""

    def wake(self, now_s: float) -> list[tuple[SimCall, int]]:
        """Return the calls whose wait is over, and where they go."""

    def on_accounts(self, alive: list[int], now_s: float) -> None:
        """There are other accounts now."""


class _Blind:
    """What the rules that only count have in common."""

    wake_at_s = inf

    def __init__(self, plan: Plan) -> None:
        self.alive = list(range(plan.accounts))
        self.in_flight: dict[int, int] = dict.fromkeys(self.alive, 0)
        self.draw = random.Random(plan.seed)  # noqa: S311 - a simulation
        self.max_attempts = plan.max_attempts

    def order(self, call: SimCall) -> list[int]:
        """Return the accounts, the best first."""
        raise NotImplementedError

    def route(self, call: SimCall, now_s: float) -> int:
        """Return the first account that was not tried."""
        del now_s
        for account in self.order(call):
            if account not in call.tried:
                self.in_flight[account] += 1
                return account
        return REFUSED

    def on_first_token(self, call: SimCall, now_s: float) -> None:
        """Counting needs no tokens."""
        del call, now_s

    def on_end(self, call: SimCall, now_s: float) -> None:
        """Count it off."""
        del now_s
        self.in_flight[call.account] -= 1

    def on_fail(self, call: SimCall, code: str, now_s: float) -> None:
        """Count it off."""
        del code, now_s
        self.in_flight[call.account] -= 1

    def may_try_again(self, call: SimCall, now_s: float) -> bool:
        """Count its attempts."""
        del now_s
        return call.attempts < self.max_attempts

    def wake(self, now_s: float) -> list[tuple[SimCall, int]]:
        """Nobody waits."""
        del now_s
        return []

    def on_accounts(self, alive: list[int], now_s: float) -> None:
        """Count the new ones too."""
        del now_s
        self.alive = alive
        for account in alive:
            self.in_flight.setdefault(account, 0)


class RoundRobin(_Blind):
    """Each account in its turn."""

    _turn = 0

    def order(self, call: SimCall) -> list[int]:
        """Return the accounts, the best first."""
        del call
        self._turn += 1
        at = self._turn % len(self.alive)
        return [*self.alive[at:], *self.alive[:at]]


class LeastInFlight(_Blind):
    """The account with the fewest calls under way."""

    def order(self, call: SimCall) -> list[int]:
        """Return the accounts, the best first."""
        del call
        return sorted(self.alive, key=lambda it: (self.in_flight[it], self.draw.random()))


class HeaderRendezvous(_Blind):
    """The account that the conversation's id hashes to; at random without an id."""

    has_header = True

    def order(self, call: SimCall) -> list[int]:
        """Return the accounts, the best first."""
        name = call.row.conversation if self.has_header else ""
        if not name:
            return self.draw.sample(self.alive, len(self.alive))

        def weight(account: int) -> bytes:
            return blake2b(f"{name}\0{account}".encode(), digest_size=8).digest()

        return sorted(self.alive, key=weight, reverse=True)


class BoundedRendezvous(HeaderRendezvous):
    """The same, passing over accounts with more than 1.25 times the mean of calls under way."""

    def order(self, call: SimCall) -> list[int]:
        """Return the accounts, the best first."""
        total = sum(self.in_flight[it] for it in self.alive) + 1
        most = ceil(1.25 * total / len(self.alive))
        order = super().order(call)
        below = [it for it in order if self.in_flight[it] < most]
        return below + [it for it in order if self.in_flight[it] >= most]


BLIND: dict[str, type[_Blind]] = {
    "round_robin": RoundRobin,
    "least_in_flight": LeastInFlight,
    "header_rendezvous": HeaderRendezvous,
    "bounded_rendezvous": BoundedRendezvous,
}
ELASTIC = "elastic"
NAMES = (ELASTIC, *BLIND)
