"""Which upstream accounts serve the calls? Their parameters, and their credentials, sealed."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, insert, select, update

from arkway.store import models, tables
from arkway.store.changes import Change
from arkway.store.credentials import CREDENTIAL_RULE, is_credential, seal, unseal
from arkway.store.entries import Account
from arkway.store.paging import Found, Page, read_page
from arkway.store.problems import NotFound, Problem, Refused, did_you_mean
from arkway.store.rows import Row, from_row, to_row
from arkway.store.schema import ENV_PREFIX, read_entry
from arkway.store.secret_io import Secrets
from arkway.store.urls import is_encrypted, is_loopback, normalise_base_url


class AccountRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An account, and whether the store holds a credential of it."""

    account: Account
    is_sealed: bool
    created_unix_ms: int

    def shown(self) -> dict[str, object]:
        """Return the account as scripts see it."""
        return {
            **msgspec.to_builtins(self.account),
            "credential": self.source,
            "created_unix_ms": self.created_unix_ms,
        }

    @property
    def source(self) -> str:
        """Return where the credential comes from: `env`, `store` or `none`."""
        return "env" if self.account.key_env else "store" if self.is_sealed else "none"


def create(
    change: Change, raw: Mapping[str, object], credential: str | None = None
) -> AccountRecord:
    """Make an account; a `credential` is sealed into the store.

    Errors:  Refused, with every problem.
    """
    problems: list[Problem] = []
    account = read_entry(Account, _with_plain_url(raw, problems), None, problems)
    credential = _checked(credential, problems)
    if account is not None:
        account = _agreeing(change.connection, account, credential is not None, problems)
        if account.name in names(change.connection):
            problems.append(Problem("name", f'"{account.name}" exists already'))
    if account is None or problems:
        raise Refused(*problems)
    row = {**to_row(account), "created_unix_ms": change.now_ms}
    change.connection.execute(insert(tables.accounts).values(row))
    if credential is not None:
        _keep(change, account.name, credential)
    record = get(change.connection, account.name)
    change.record("create", ("account", account.name), {}, record.shown())
    return record


def edit(
    change: Change, name: str, raw: Mapping[str, object], credential: str | None = None
) -> AccountRecord:
    """Change the parameters in `raw`, and the sealed credential when one is given.

    A credential takes the place of `key_env`, and `key_env` that of a credential.
    Errors:  Refused, with every problem.
    """
    before = get(change.connection, name)
    problems = [Problem("name", "cannot be changed: health and affinity follow it")]
    problems = problems if "name" in raw else []
    if credential is not None and "key_env" not in raw:
        raw = {**raw, "key_env": None}
    account = read_entry(Account, _with_plain_url(raw, problems), before.account, problems)
    assert account is not None, "an entry laid over another one is whole"
    credential = _checked(credential, problems)
    is_sealed = credential is not None or (before.is_sealed and not raw.get("key_env"))
    account = _agreeing(change.connection, account, is_sealed, problems)
    if problems:
        raise Refused(*problems)
    there = tables.accounts.c.name == account.name
    change.connection.execute(update(tables.accounts).where(there).values(to_row(account)))
    if credential is not None or not is_sealed:
        _forget(change, account.name)
    if credential is not None:
        _keep(change, account.name, credential)
    record = get(change.connection, account.name)
    after = record.shown() | ({"credential": "store (new)"} if credential is not None else {})
    change.record("edit", ("account", account.name), before.shown(), after)
    return record


def remove(change: Change, name: str) -> AccountRecord:
    """Remove an account and its credential; calls under way finish.

    Errors:  Refused when there is none of this name.
    """
    before = get(change.connection, name)
    _forget(change, name)
    change.connection.execute(delete(tables.accounts).where(tables.accounts.c.name == name))
    change.record("remove", ("account", name), before.shown(), {})
    return before


def get(connection: Connection, name: str) -> AccountRecord:
    """Return the account of this name.

    Errors:  NotFound, with the nearest name.
    """
    row = connection.execute(_all().where(tables.accounts.c.name == name)).mappings().first()
    if row is None:
        hint = did_you_mean(name, names(connection))
        raise NotFound(Problem("account", "is not an account here", hint))
    return _record(row)


def names(connection: Connection) -> set[str]:
    """Return the names that are taken."""
    return set(connection.scalars(select(tables.accounts.c.name)))


def list_all(connection: Connection) -> list[AccountRecord]:
    """Return the accounts in the order they were made."""
    columns = tables.accounts.c
    rows = connection.execute(_all().order_by(columns.created_unix_ms, columns.name))
    return [_record(row) for row in rows.mappings()]


def page(connection: Connection, part: Page) -> Found[AccountRecord]:
    """Return a part of `list_all`."""
    columns = tables.accounts.c
    rows, after = read_page(connection, _all(), (columns.created_unix_ms, columns.name), part)
    return Found([_record(row) for row in rows], after)


def _all() -> Select[Any]:
    table, sealed = tables.accounts, tables.account_credentials
    return select(table, sealed.c.account.label("sealed_for")).join_from(
        table, sealed, sealed.c.account == table.c.name, isouter=True
    )


def _record(row: Row) -> AccountRecord:
    return AccountRecord(
        account=from_row(Account, row),
        is_sealed=row["sealed_for"] is not None,
        created_unix_ms=row["created_unix_ms"],
    )


def credential(connection: Connection, secrets: Secrets, name: str) -> str | None:
    """Return the credential that is sealed in the store for `name`; None: there is none.

    Errors:  CannotOpenError.
    """
    table = tables.account_credentials
    sealed = connection.scalar(select(table.c.sealed).where(table.c.account == name))
    return None if sealed is None else unseal(secrets.credentials, name, sealed)


def _with_plain_url(raw: Mapping[str, object], problems: list[Problem]) -> Mapping[str, object]:
    """Return `raw` with its base_url in normal form; a bad one is a problem and a harmless text."""
    url = raw.get("base_url")
    if not isinstance(url, str):
        return raw
    try:
        return {**raw, "base_url": normalise_base_url(url)}
    except ValueError as error:
        problems.append(Problem("base_url", str(error)))
        return {**raw, "base_url": "http://127.0.0.1"}


def _checked(credential: str | None, problems: list[Problem]) -> str | None:
    if credential is None:
        return None
    if not is_credential(credential.strip()):
        problems.append(Problem("credential", CREDENTIAL_RULE))
    return credential.strip()


def _agreeing(
    connection: Connection, account: Account, is_sealed: bool, problems: list[Problem]
) -> Account:
    """Return `account` with aliases of models resolved; append where it disagrees with itself."""
    if (account.key_env or "").upper().startswith(ENV_PREFIX):
        problems.append(Problem("key_env", "is a variable of the gateway itself"))
    if account.key_env and is_sealed:
        problems.append(Problem("key_env", "comes with a credential of its own", "keep one"))
    if not account.key_env and not is_sealed and not is_loopback(account.base_url):
        hint = "name its variable with key_env, or give the credential itself"
        problems.append(Problem("credential", "is required", hint))
    if account.only_listed_models and not account.models:
        problems.append(Problem("only_listed_models", "needs an entry in `models`"))
    if account.ca_file and not is_encrypted(account.base_url):
        problems.append(Problem("ca_file", "needs an https:// base_url"))
    known = models.list_all(connection)
    for parameter in ("models", "model_limits"):
        listed = getattr(account, parameter)
        full = models.named(known, listed, parameter, problems)
        if set(full) != set(listed) and len(full) == len(listed):
            renamed = dict(zip(full, listed.values(), strict=True))
            account = msgspec.structs.replace(account, **{parameter: renamed})
    return account


def _keep(change: Change, name: str, credential: str) -> None:
    sealed = seal(change.secrets.credentials, name, credential)
    change.connection.execute(
        insert(tables.account_credentials).values(
            account=name, sealed=sealed, created_unix_ms=change.now_ms
        )
    )


def _forget(change: Change, name: str) -> None:
    table = tables.account_credentials
    change.connection.execute(delete(table).where(table.c.account == name))
