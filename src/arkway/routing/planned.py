"""Which accounts may take a call, in which order? The pool's state and its one decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from arkway.model.call import Call, Target
from arkway.model.catalogue import AccountSpec, ModelSpec
from arkway.model.ids import AccountId, TenantId
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.routing.affinity import by_home, conversation_key
from arkway.routing.outlier import OutlierDetector, OutlierPolicy


class Affinity(StrEnum):
    """Where a call was served, seen from its conversation; a response header says it."""

    HOME = "home"
    SPILL = "spill"
    NONE = "none"  # the call named no conversation


_NONE = Affinity.NONE  # bound once: Python 3.11 finds an enum's member by a slow path


@dataclass(slots=True)
class _AccountState:
    """What outlives a snapshot: keyed by account id."""

    outlier: OutlierDetector
    in_flight: int = 0


class Plan(msgspec.Struct, frozen=True):
    """The targets of one call, best first, and the home if the call belongs to a conversation."""

    targets: Sequence[Target]
    home: AccountId | None = None

    def affinity(self, served_by: AccountId) -> Affinity:
        """Return what the response header says when `served_by` answered."""
        if self.home is None:
            return _NONE
        return Affinity.HOME if served_by == self.home else Affinity.SPILL


class Pool:
    """Health and load of every account, and the order in which a call tries them."""

    def __init__(self, secret: bytes, policy: OutlierPolicy | None = None) -> None:
        self._secret = secret
        self._policy = policy or OutlierPolicy()
        self._states: dict[AccountId, _AccountState] = {}
        self._accounts: tuple[AccountSpec, ...] = ()
        self._targets: dict[str, tuple[ModelSpec, tuple[Target, ...]]] = {}  # of `_accounts`
        self._model_outliers: dict[tuple[AccountId, str], OutlierDetector] = {}
        self._turn = 0  # breaks ties between equally used accounts

    def plan(
        self,
        call: Call,
        tenant: TenantId,
        accounts: tuple[AccountSpec, ...],
        now_s: float,
        max_attempts: int,
    ) -> Plan:
        """Return up to `max_attempts` targets for `call`, each account at most once.

        A conversation's accounts come in its rendezvous order, the others least utilised first.
        Ejected accounts come last: when nothing else is left, trying one beats refusing.
        """
        targets = self._serving(call.model, accounts)
        if call.conversation is None:
            if len(targets) > 1:
                targets = self._least_utilised(targets)
            home = None
        else:
            if len(targets) > 1:
                targets = by_home(
                    targets, conversation_key(self._secret, tenant, call.conversation)
                )
            home = targets[0].account.id if targets else None
        if len(targets) > 1:
            targets = sorted(targets, key=lambda target: self.is_ejected(target, now_s))
        return Plan(targets[:max_attempts], home)

    def begin(self, target: Target) -> None:
        """Count an attempt under way."""
        self._state(target.account.id).in_flight += 1

    def end(self, target: Target, failure: AttemptFailed | None, now_s: float) -> float | None:
        """Count an attempt's end; return the length of an ejection it caused, or None. Unit: s.

        Our own doing (the caller left) says nothing about the account.
        """
        state = self._state(target.account.id)
        state.in_flight -= 1
        assert state.in_flight >= 0, "an attempt ended twice"
        if failure is None:
            state.outlier.on_success()
            if self._model_outliers:
                self._model_outliers.pop((target.account.id, target.upstream_model), None)
            return None
        if failure.ending is Ending.ABORTED:
            return None
        match failure.error_class:
            case ErrorClass.BROKEN:
                return state.outlier.eject(now_s)
            case ErrorClass.MODEL_BROKEN:
                return self._model_outlier(target).eject(now_s)
            case ErrorClass.TRANSIENT:
                return state.outlier.on_failure(now_s)
            case _:
                return None

    def in_flight(self, account_id: AccountId) -> int:
        """Attempts under way at an account."""
        return self._state(account_id).in_flight

    def is_ejected(self, target: Target, now_s: float) -> bool:
        """Whether an account, or this model of it, is out for now."""
        if self._state(target.account.id).outlier.is_ejected(now_s):
            return True
        if not self._model_outliers:
            return False
        outlier = self._model_outliers.get((target.account.id, target.upstream_model))
        return outlier is not None and outlier.is_ejected(now_s)

    def _state(self, account_id: AccountId) -> _AccountState:
        state = self._states.get(account_id)
        if state is None:  # bounded by the accounts that ever were in a configuration
            state = self._states[account_id] = _AccountState(OutlierDetector(self._policy))
        return state

    def _model_outlier(self, target: Target) -> OutlierDetector:
        """Return the health of one model of an account; only kept while it has failed."""
        key = (target.account.id, target.upstream_model)
        return self._model_outliers.setdefault(key, OutlierDetector(self._policy))

    def _serving(self, model: ModelSpec, accounts: tuple[AccountSpec, ...]) -> Sequence[Target]:
        """Return the targets of a model; remembered for as long as both stay the same objects."""
        if accounts is not self._accounts:
            self._accounts = accounts
            self._targets.clear()
        known = self._targets.get(model.name)
        if known is not None and known[0] is model:
            return known[1]
        targets = tuple(
            Target(account, account.models.get(model.name, model.upstream_model))
            for account in accounts
            if serves(account, model.name)
        )
        self._targets[model.name] = (model, targets)
        return targets

    def _least_utilised(self, targets: Sequence[Target]) -> list[Target]:
        self._turn += 1
        turn = self._turn % len(targets)
        rotated = [*targets[turn:], *targets[:turn]]
        return sorted(rotated, key=lambda t: self._state(t.account.id).in_flight / t.account.weight)


def serves(account: AccountSpec, model: str) -> bool:
    """Whether `account` serves the public model `model`."""
    return not account.only_listed_models or model in account.models
