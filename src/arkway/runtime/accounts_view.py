"""How is each account doing? What metrics and status say of the pool, in one place.

The pool reports on an account for each of its models (`routing.report`); operators first ask about
the account. This is the only reader of those reports for `/metrics` and `/status`.
"""

from collections.abc import Iterator

import msgspec

from arkway.model.catalogue import AccountSpec
from arkway.routing.health import State
from arkway.routing.pool import Pool
from arkway.routing.report import AccountReport

UP, PARTLY, EJECTED, BROKEN, DRAINING = "up", "partly", "ejected", "broken", "draining"
_OUT = (State.EJECTED, State.BROKEN)


class AccountState(msgspec.Struct, frozen=True):
    """One account, now."""

    account: str
    state: str  # partly: out for some of its models; broken: an operator has to act
    in_flight: int = 0
    utilisation: float | None = None  # of its fullest limit; None: no limit is known
    waiting: int = 0  # calls that wait for it
    reason: str = ""  # why it is out
    returns_in_s: float | None = None  # None: it is not out, or until an operator acts
    limits: dict[str, float] = {}  # share used of each that is known, of the fullest model's
    cached_share: float | None = None  # of recent input, from its cache; None: none in a minute
    models: tuple[AccountReport, ...] = ()  # for each that it was asked for

    @property
    def is_out(self) -> bool:
        """Whether it gets no calls because it has failed."""
        return self.state in (EJECTED, BROKEN)


def account_states(
    pool: Pool, accounts: tuple[AccountSpec, ...], now_s: float
) -> list[AccountState]:
    """Return the state of each of `accounts`, over all the models it was asked for."""
    reports: dict[str, list[AccountReport]] = {account.id: [] for account in accounts}
    for each in pool.health(now_s):
        if each.account in reports:
            reports[each.account].append(each)
    return [_state(account, reports[account.id]) for account in accounts]


def _state(account: AccountSpec, reports: list[AccountReport]) -> AccountState:
    out = [each for each in reports if each.state in _OUT]
    if account.is_draining:
        state = DRAINING
    elif not out:
        state = UP
    elif len(out) < len(reports):
        state = PARTLY
    else:
        state = BROKEN if all(each.state is State.BROKEN for each in out) else EJECTED
    limits: dict[str, float] = {}
    for name, share in (pair for each in reports for pair in _shares(each)):
        limits[name] = max(limits.get(name, 0.0), share)
    return AccountState(
        account.id,
        state,
        sum(each.in_flight.used for each in reports),
        max(limits.values(), default=None),
        sum(each.waiting for each in reports),
        out[0].reason if out else "",
        out[0].returns_in_s if out else None,
        limits,
        _cached_share(reports),
        tuple(reports),
    )


def _shares(report: AccountReport) -> Iterator[tuple[str, float]]:
    """Yield how much of each limit is used."""
    uses = (("requests", report.requests), ("tokens", report.tokens))
    for name, use in (*uses, ("in_flight", report.in_flight)):
        if use.limit:
            yield name, round(use.used / use.limit, 4)


def _cached_share(reports: list[AccountReport]) -> float | None:
    """Return the share over all models, each as heavy as its tokens of the last minute."""
    tokens = sum(each.tokens.used for each in reports)
    if not tokens:
        return None
    return round(sum(each.cached_share * each.tokens.used for each in reports) / tokens, 4)
