"""Which models, accounts and keys does a configuration mean? Credentials found, names resolved.

`build` turns a checked `Config` into the `Snapshot` calls use. What it reads from outside (the
environment, files) comes in as parameters.
"""

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from arkway.control.config import Account, Config, Key, Model
from arkway.control.files_io import FileText
from arkway.control.problems import Problem
from arkway.control.toml_text import entry_path
from arkway.control.urls import is_encrypted, is_loopback
from arkway.model.catalogue import (
    AccountSpec,
    Clocks,
    Dialect,
    KeySpec,
    ModelSpec,
    Secret,
    Snapshot,
)
from arkway.model.ids import AccountId, TenantId

# A credential travels in one request header, for whose line nginx allows 8 KiB.
_CREDENTIAL = re.compile(r"[\x21-\x7e]{1,8000}")
_CREDENTIAL_RULE = "it must be one line of 1 to 8000 visible ASCII characters"

ReadFile = Callable[[Path], FileText]


@dataclass(frozen=True, slots=True)
class Built:
    """A snapshot, or why there is none."""

    snapshot: Snapshot | None  # None exactly when there are problems
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def build(config: Config, environ: Mapping[str, str], read_file: ReadFile) -> Built:
    """Return the snapshot of `config`.

    Accounts that are switched off are left out and their credentials not looked for.
    Errors:  none raised: a missing credential or unreadable file is a problem.
    """
    sources = _Sources(environ, read_file)
    models = {model.name: _model(model, config) for model in config.models}
    by_any_name = models | {alias: spec for spec in models.values() for alias in spec.aliases}
    accounts = tuple(sources.account(each) for each in config.accounts if each.enabled)
    keys = [_key(key, by_any_name) for key in config.keys]
    if not sources.problems:
        sources.warnings += _unserved(models, accounts)
    snapshot = Snapshot(
        models=by_any_name, accounts=accounts, keys={key.sha256: key for key in keys}
    )
    return Built(
        snapshot=None if sources.problems else snapshot,
        problems=tuple(sources.problems),
        warnings=tuple(sources.warnings),
    )


def _model(model: Model, config: Config) -> ModelSpec:
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
    )


def _first(own_s: float | None, usual_s: float) -> float:
    return usual_s if own_s is None else own_s


def _key(key: Key, models: Mapping[str, ModelSpec]) -> KeySpec:
    """Return the key with aliases in its allow-list replaced by the models they mean."""
    allowed = frozenset(models[name].name for name in key.models if name in models)
    return KeySpec(
        sha256=bytes.fromhex(key.hash.removeprefix("sha256:")),
        name=key.name,
        tenant=TenantId(key.tenant),
        enabled=key.enabled,
        models=allowed if key.models else None,
    )


def _unserved(models: Mapping[str, ModelSpec], accounts: tuple[AccountSpec, ...]) -> list[Problem]:
    """Return a warning for each model that every account leaves out."""
    if not accounts:
        return []  # the embedded model will serve them all
    return [
        Problem(entry_path("models", name), "is served by no account")
        for name in models
        if all(each.only_listed_models and name not in each.models for each in accounts)
    ]


class _Sources:
    """The outside world of one build, and what was wrong with it."""

    def __init__(self, environ: Mapping[str, str], read_file: ReadFile) -> None:
        self._environ = environ
        self._read_file = read_file
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def account(self, account: Account) -> AccountSpec:
        """Return the account with its credential; what is missing is recorded."""
        path = entry_path("accounts", account.name)
        credential = self._credential(path, account)
        sends_in_clear = credential and not is_encrypted(account.base_url)
        if sends_in_clear and not is_loopback(account.base_url):
            message = "sends its credential unencrypted"
            self.warnings.append(Problem(f"{path}.base_url", message, "use https://"))
        if account.ca_file:
            self._check_authorities(f"{path}.ca_file", account.ca_file)
        return AccountSpec(
            id=AccountId(account.name),
            dialect=Dialect(account.dialect),
            base_url=account.base_url,
            credential=Secret(credential),
            models=dict(account.models),
            only_listed_models=account.only_listed_models,
            weight=account.weight,
            ca_file=account.ca_file,
        )

    def _credential(self, path: str, account: Account) -> str:
        """Return the account's credential; empty when there is none (see `problems`)."""
        text: str | None
        if account.key_env:
            path, text = f"{path}.key_env", self._environ.get(account.key_env, "")
            absent = f"{account.key_env} is not set in the environment"
        elif account.key_file:
            path, text = f"{path}.key_file", self._text_of(f"{path}.key_file", account.key_file)
            absent = "the file is empty"
        else:
            return ""
        if text is None:
            return ""
        text = text.strip()
        if text and not _CREDENTIAL.fullmatch(text):
            self.problems.append(Problem(path, "leads to no credential", _CREDENTIAL_RULE))
        elif not text and is_loopback(account.base_url):
            hint = "none is sent, as the server is on this machine"
            self.warnings.append(Problem(path, absent, hint))
        elif not text:
            self.problems.append(Problem(path, absent))
        return text

    def _text_of(self, path: str, name: str) -> str | None:
        """Return the text of a credential's file; None, and a problem, when it cannot be read."""
        try:
            found = self._read_file(Path(name))
        except (OSError, ValueError) as error:
            self.problems.append(_unreadable(path, error))
            return None
        if found.is_shared:
            hint = "chmod 600 makes it private"
            self.warnings.append(Problem(path, "others may read the file", hint))
        return found.text

    def _check_authorities(self, path: str, name: str) -> None:
        try:
            pem = self._read_file(Path(name)).text
            pem = pem.encode("ascii", "replace").decode()  # comments may hold any language
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
        except ssl.SSLError:
            self.problems.append(Problem(path, "holds no certificate in PEM form"))
        except (OSError, ValueError) as error:
            self.problems.append(_unreadable(path, error))


def _unreadable(path: str, error: OSError | ValueError) -> Problem:
    reason = getattr(error, "strerror", None) or str(error)
    return Problem(path, f"cannot be read: {reason}")
