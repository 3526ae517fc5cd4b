"""Which models, accounts and keys are served? The store's, with clocks and credentials found.

`build` turns a view of the store and the process's settings into the `Snapshot` calls use. What it
reads from outside (the environment, files) comes in as parameters.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from arkway.control.config import Config
from arkway.control.files_io import FileText
from arkway.control.toml_text import entry_path
from arkway.model.catalogue import (
    AccountLimits,
    AccountSpec,
    Clocks,
    Dialect,
    ModelSpec,
    Price,
    Secret,
    Snapshot,
)
from arkway.model.ids import AccountId
from arkway.store.credentials import CREDENTIAL_RULE, is_credential
from arkway.store.entries import Account, Limits, Model
from arkway.store.problems import Problem
from arkway.store.read_io import StoredAccount, StoreView
from arkway.store.urls import is_encrypted, is_loopback

ReadFile = Callable[[Path], FileText]


@dataclass(frozen=True, slots=True)
class Built:
    """A snapshot, and what is wrong with it: accounts with a problem are not in it."""

    snapshot: Snapshot
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def build(
    config: Config,
    view: StoreView,
    key_secret: bytes,
    environ: Mapping[str, str],
    read_file: ReadFile,
) -> Built:
    """Return the snapshot of `view`.

    Models without a price and whatever is switched off are left out.
    Errors:  none raised: a missing credential or unreadable file is a problem.
    Cost:    models and accounts; the keys are those of the view.
    """
    sources = _Sources(environ, read_file)
    enabled = [model for model in view.models if model.enabled]
    served = [
        _model(each, view.prices[each.name], config) for each in enabled if each.name in view.prices
    ]
    by_any_name = {name: each for each in served for name in (each.name, *each.aliases)}
    found = [sources.account(each) for each in view.accounts if each.account.enabled]
    accounts = tuple(each for each in found if each is not None)
    unpriced = [
        Problem(
            entry_path("models", model.name),
            "has no price, so it is not served",
            "`arkway prices set` gives it one",
        )
        for model in enabled
        if model.name not in view.prices
    ]
    if not sources.problems:
        sources.warnings += _unserved(by_any_name, accounts)
    snapshot = Snapshot(
        models=by_any_name,
        accounts=accounts,
        keys=view.keys,
        key_secret=key_secret,
        revision=view.revision,
        changed_unix_ms=view.changed_unix_ms,
    )
    return Built(snapshot, tuple(sources.problems), (*unpriced, *sources.warnings))


def _model(model: Model, price: Price, config: Config) -> ModelSpec:
    usual = config.upstream
    clocks = Clocks(
        connect_s=_first(model.connect_s, usual.connect_s),
        first_token_s=_first(model.first_token_s, usual.first_token_s),
        plain_answer_s=_first(model.plain_answer_s, usual.plain_answer_s),
        between_chunks_s=_first(model.between_chunks_s, usual.between_chunks_s),
        total_s=_first(model.total_s, usual.total_s),
    )
    return ModelSpec(
        name=model.name,
        upstream_model=model.upstream_model,
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_output_tokens,
        aliases=model.aliases,
        clocks=clocks,
        price=price,
    )


def _first(own_s: float | None, usual_s: float) -> float:
    return usual_s if own_s is None else own_s


def _unserved(models: Mapping[str, ModelSpec], accounts: tuple[AccountSpec, ...]) -> list[Problem]:
    """Return a warning for each model that every account leaves out."""
    if not accounts:
        return []  # the embedded model will serve them all
    return [
        Problem(entry_path("models", name), "is served by no account")
        for name in dict.fromkeys(model.name for model in models.values())
        if all(each.only_listed_models and name not in each.models for each in accounts)
    ]


class _Sources:
    """The outside world of one build, and what was wrong with it."""

    def __init__(self, environ: Mapping[str, str], read_file: ReadFile) -> None:
        self._environ = environ
        self._read_file = read_file
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def account(self, stored: StoredAccount) -> AccountSpec | None:
        """Return the account with its credential; None, and what is missing recorded."""
        account, before = stored.account, len(self.problems)
        path = entry_path("accounts", account.name)
        credential = self._credential(path, stored)
        sends_in_clear = credential and not is_encrypted(account.base_url)
        if sends_in_clear and not is_loopback(account.base_url):
            message = "sends its credential unencrypted"
            self.warnings.append(Problem(f"{path}.base_url", message, "use https://"))
        if account.ca_file:
            self._check_authorities(f"{path}.ca_file", account.ca_file)
        if len(self.problems) > before:
            return None
        return AccountSpec(
            id=AccountId(account.name),
            dialect=Dialect(account.dialect),
            base_url=account.base_url,
            credential=Secret(credential),
            models=dict(account.models),
            only_listed_models=account.only_listed_models,
            weight=account.weight,
            ca_file=account.ca_file,
            limits=_limits(account),
            model_limits={name: _limits(each) for name, each in account.model_limits.items()},
            is_draining=account.is_draining,
        )

    def _credential(self, path: str, stored: StoredAccount) -> str:
        """Return the account's credential; empty when there is none (see `problems`)."""
        account = stored.account
        if stored.problem:
            hint = "give it again: `arkway accounts edit`"
            self.problems.append(Problem(f"{path}.credential", stored.problem, hint))
        if not account.key_env:
            return stored.credential or ""
        path, text = f"{path}.key_env", self._environ.get(account.key_env, "").strip()
        absent = f"{account.key_env} is not set in the environment"
        if text and not is_credential(text):
            self.problems.append(Problem(path, "leads to no credential", f"it {CREDENTIAL_RULE}"))
        elif not text and is_loopback(account.base_url):
            hint = "none is sent, as the server is on this machine"
            self.warnings.append(Problem(path, absent, hint))
        elif not text:
            self.problems.append(Problem(path, absent))
        return text

    def _check_authorities(self, path: str, name: str) -> None:
        try:
            pem = self._read_file(Path(name)).text
            pem = pem.encode("ascii", "replace").decode()  # comments may hold any language
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
        except ssl.SSLError:
            self.problems.append(Problem(path, "holds no certificate in PEM form"))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.problems.append(Problem(path, f"cannot be read: {reason}"))


def _limits(found: Account | Limits) -> AccountLimits:
    return AccountLimits(found.requests_per_min, found.tokens_per_min, found.in_flight)
