"""What is known of every account and model? State by stable ids, laid out for decisions.

A slot is one account for one model. Slots of a set of accounts are made once and found again by
identity: snapshots are immutable, and few are alive at a time.
"""

import msgspec

from arkway.model.call import Target
from arkway.model.catalogue import AccountSpec, ModelSpec
from arkway.model.ids import AccountId
from arkway.routing.gauge import Gauge
from arkway.routing.health import Health
from arkway.routing.lease import Slot
from arkway.routing.policy import RoutingPolicy
from arkway.routing.retries import Percentile

_ALIVE = 4  # snapshots that calls may still hold; an older one is laid out again for each call


class _Laid(msgspec.Struct, eq=False):
    accounts: tuple[AccountSpec, ...]
    by_model: dict[str, tuple[ModelSpec, list[Slot]]]


class Slots:
    """State of accounts; bounded by the accounts and models that ever were configured."""

    def __init__(self, policy: RoutingPolicy) -> None:
        self._policy = policy
        self._laid: list[_Laid] = []  # the newest first
        self._specs: dict[AccountId, AccountSpec] = {}
        self._numbers: dict[AccountId, int] = {}
        self._healths: dict[AccountId, Health] = {}
        self._slots: dict[tuple[AccountId, str], Slot] = {}

    @property
    def accounts(self) -> tuple[AccountSpec, ...]:
        """The newest accounts."""
        return self._laid[0].accounts if self._laid else ()

    def of(self, model: ModelSpec, accounts: tuple[AccountSpec, ...], now_s: float) -> list[Slot]:
        """Return the slots of the accounts that serve `model` and do not drain."""
        for laid in self._laid:
            if laid.accounts is accounts:
                known = laid.by_model.get(model.name)
                if known is not None and known[0] is model:
                    return known[1]
                break
        else:
            laid = self.apply(accounts, now_s)
        slots = [
            self._slot(account, model)
            for account in accounts
            if not account.is_draining and serves(account, model.name)
        ]
        laid.by_model[model.name] = (model, slots)
        return slots

    def apply(self, accounts: tuple[AccountSpec, ...], now_s: float) -> _Laid:
        """Take new accounts: an edited one may be right now, whatever was wrong with it.

        So may one that was disabled or removed, and is there again as it was.
        """
        for account in accounts:
            if self._specs.get(account.id) != account:
                self._edited(account, now_s)
        self._specs = {account.id: account for account in accounts}
        laid = _Laid(accounts, {})
        self._laid = [laid, *self._laid[: _ALIVE - 1]]
        return laid

    def called_back(self, account_id: AccountId, now_s: float, only: str | None = None) -> None:
        """Let an account be tried again, and its models that are out: all, or `only` one."""
        if account_id in self._healths:
            self._healths[account_id].on_operator(now_s)
        for (of_account, model), slot in self._slots.items():
            if of_account == account_id and only in (None, model):
                slot.model_health.on_operator(now_s)

    def _edited(self, account: AccountSpec, now_s: float) -> None:
        self.called_back(account.id, now_s)
        for (account_id, model), slot in self._slots.items():
            if account_id == account.id:
                limits = account.model_limits.get(model, account.limits)
                if limits != slot.gauge.configured:
                    slot.gauge.apply(limits)

    def number(self, account_id: AccountId) -> int:
        """Return the pool's number of an account: small, and its own for ever."""
        return self._numbers.setdefault(account_id, len(self._numbers))

    def health(self, account_id: AccountId) -> Health:
        """Return the health of an account as a whole."""
        health = self._healths.get(account_id)
        if health is None:
            health = self._healths[account_id] = Health(self._policy)
        return health

    def _slot(self, account: AccountSpec, model: ModelSpec) -> Slot:
        """Return the slot of an account: new where its target is, with the state it had."""
        key = (account.id, model.name)
        target = Target(account, account.models.get(model.name, model.upstream_model))
        slot = self._slots.get(key)
        if slot is None:
            limits = account.model_limits.get(model.name, account.limits)
            slot = Slot(
                target,
                self.number(account.id),
                self.health(account.id),
                Health(self._policy),
                Gauge(limits, self._policy),
                Percentile(),
            )
        else:
            slot = Slot(target, slot.number, slot.health, slot.model_health, slot.gauge, slot.ttfts)
        self._slots[key] = slot
        return slot

    def find(self, account_id: AccountId, model: str) -> Slot | None:
        """Return the slot of an account for a model, if it was ever asked for."""
        return self._slots.get((account_id, model))

    def forget_guesses(self) -> None:
        """Forget what other nodes were guessed to use."""
        for slot in self._slots.values():
            slot.gauge.elsewhere_tokens = slot.gauge.elsewhere_requests = 0.0

    def all(self) -> list[tuple[str, Slot]]:
        """Return every slot of the newest accounts, with its model's public name."""
        newest = {account.id for account in self.accounts}
        return [(key[1], slot) for key, slot in self._slots.items() if key[0] in newest]


def serves(account: AccountSpec, model: str) -> bool:
    """Whether `account` serves the public model `model`."""
    return not account.only_listed_models or model in account.models
