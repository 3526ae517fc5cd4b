"""What does the store say to a serving process? Read by the standard library's SQLite alone.

SQLAlchemy would cost every worker 27 MiB for six statements in portable SQL. One connection stays
open: `PRAGMA data_version` on it tells in microseconds whether anybody else has committed. After
the first read only keys that changed are read again, so a change costs the same with ten keys as
with a hundred thousand.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import msgspec

from arkway.model.catalogue import (
    BudgetPeriod,
    DisconnectPolicy,
    KeyLimits,
    KeySpec,
    Price,
)
from arkway.model.ids import KeyId, TenantId
from arkway.store.builtin import BUILTIN_MODELS
from arkway.store.credentials import CannotOpenError, unseal
from arkway.store.entries import Account, Model
from arkway.store.rows import from_row
from arkway.store.secret_io import Secrets
from arkway.store.version import (
    SECRET_CHECK,
    StoreRefused,
    check_schema,
    other_secret,
    store_file,
)

_BUSY_TIMEOUT_S = 10.0
_CACHE_KIB = 512  # SQLite's own is 2 MiB: a reader of small changes needs no more

_KEYS = """
SELECT t.digest, t.expires_unix_s, k.expires_unix_s, k.id, k.name, k.tenant, k.enabled, k.models,
  k.allowed_networks, k.denied_networks, k.requests_per_min, k.tokens_per_min, k.concurrency,
  k.total_tokens, k.budget_nano, k.budget_period, k.on_disconnect
FROM api_keys k JOIN api_key_digests t ON t.key_id = k.id
WHERE k.revoked_unix_ms IS NULL AND k.revision > ?
"""
_CHANGED_IDS = "SELECT id FROM api_keys WHERE revision > ?"
_PRICES = """
SELECT model, version, currency, input_nano, cached_input_nano, output_nano, cache_creation_nano
FROM prices WHERE version IN (SELECT max(version) FROM prices GROUP BY model)
"""
_ACCOUNTS = """
SELECT a.*, c.sealed FROM accounts a LEFT JOIN account_credentials c ON c.account = a.name
ORDER BY a.created_unix_ms, a.name
"""
_MODELS = "SELECT * FROM models ORDER BY created_unix_ms, name"


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account; its sealed credential opened, or what was wrong with that."""

    account: Account
    credential: str | None = field(default=None, repr=False)  # None: none is stored
    problem: str = ""


@dataclass(frozen=True, slots=True)
class StoreView:
    """One state of the store, as far as a worker cares."""

    revision: int = 0
    changed_unix_ms: int = 0
    models: tuple[Model, ...] = BUILTIN_MODELS
    prices: dict[str, Price] = field(default_factory=dict)  # by model
    accounts: tuple[StoredAccount, ...] = ()
    keys: dict[bytes, KeySpec] = field(default_factory=dict, repr=False)  # by digest
    digests: dict[str, tuple[bytes, ...]] = field(default_factory=dict, repr=False)  # by key id
    was_ever_keyed: bool = False  # whether a key was ever made


class StoreReader:
    """A store, opened for reading. Not for two threads at once."""

    def __init__(self, home: Path, secrets: Secrets) -> None:
        """Open the store of `home`.

        Errors:  StoreRefused for another schema, another secret, or what is no store.
        """
        self.path = store_file(home)
        self._secrets = secrets
        self._shared = _Shared()
        self._seen: int | None = None
        try:
            self._connection = _connect(self.path)
            self._check()
        except sqlite3.Error as error:
            raise StoreRefused(f"{self.path} cannot be read: {error}") from None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def key_secret(self) -> bytes:
        """Return the key of the digests by which callers' keys are found."""
        return self._secrets.api_keys

    def has_changed(self) -> bool:
        """Return whether somebody has committed since the last `read`.

        Cost:    one look at shared memory; no lock is waited for.
        """
        return self._data_version() != self._seen

    def read(self, since: StoreView | None = None) -> StoreView:
        """Return the store as it is; given an earlier view, only what changed since is read.

        `since` itself when nothing that is in a view has changed.
        Errors:  StoreRefused when it has another schema by now; OSError.
        """
        try:
            self._seen = self._data_version()
            self._connection.execute("BEGIN")
            try:
                return self._read(since)
            finally:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise OSError(f"{self.path}: {error}") from None

    def _read(self, since: StoreView | None) -> StoreView:
        check_schema(self.path, _schema_of(self._connection))
        ask = self._connection.execute
        number, changed_ms = ask("SELECT number, changed_unix_ms FROM revision").fetchone()
        if since is not None and since.revision == number:
            return since
        keys, digests = self._keys(since)
        return StoreView(
            revision=number,
            changed_unix_ms=changed_ms,
            models=tuple(from_row(Model, row) for row in self._rows(_MODELS)),
            prices={model: Price(*columns) for model, *columns in ask(_PRICES)},
            accounts=tuple(self._account(row) for row in self._rows(_ACCOUNTS)),
            keys=keys,
            digests=digests,
            was_ever_keyed=bool(keys)
            or ask("SELECT 1 FROM api_keys LIMIT 1").fetchone() is not None,
        )

    def _keys(
        self, since: StoreView | None
    ) -> tuple[dict[bytes, KeySpec], dict[str, tuple[bytes, ...]]]:
        ask, after = self._connection.execute, since.revision if since else 0
        changed = [key_id for (key_id,) in ask(_CHANGED_IDS, (after,))] if since else []
        if since is not None and not changed:
            return since.keys, since.digests
        keys = dict(since.keys) if since else {}
        digests = dict(since.digests) if since else {}
        for key_id in changed:
            for digest in digests.pop(key_id, ()):
                del keys[digest]
        for row in ask(_KEYS, (after,)):
            spec = self._shared.key(row)
            keys[spec.sha256] = spec
            digests[spec.id] = (*digests.get(spec.id, ()), spec.sha256)
        return keys, digests

    def _account(self, row: Mapping[str, Any]) -> StoredAccount:
        account = from_row(Account, row)
        if row["sealed"] is None:
            return StoredAccount(account)
        try:
            credential = unseal(self._secrets.credentials, account.name, row["sealed"])
        except CannotOpenError as error:
            return StoredAccount(account, "", str(error))
        return StoredAccount(account, credential)

    def _rows(self, query: str) -> list[dict[str, Any]]:
        found = self._connection.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def _data_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _check(self) -> None:
        check_schema(self.path, _schema_of(self._connection))
        query = "SELECT value FROM settings WHERE name = ?"
        found = self._connection.execute(query, (SECRET_CHECK,)).fetchone()
        if found is None or found[0] != self._secrets.check:
            raise StoreRefused(other_secret(self.path))


class _Shared:
    """Equal parts of keys, made once: a hundred thousand keys have few different rules."""

    def __init__(self) -> None:
        self._limits: dict[tuple[Any, ...], KeyLimits] = {}
        self._models: dict[str, frozenset[str] | None] = {"[]": None}
        self._networks: dict[str, tuple[IPv4Network | IPv6Network, ...]] = {"[]": ()}
        self._tenants: dict[str, TenantId] = {}

    def key(self, row: tuple[Any, ...]) -> KeySpec:
        """Return the key of one row of `_KEYS`. A text that was rotated out expires by itself."""
        (digest, text_ends, ends, key_id, name, tenant, enabled, models, allowed, denied, *rest) = (
            row
        )
        *limits, period, policy = rest
        if (rules := (*limits, period)) not in self._limits:
            rpm, tpm, concurrency, total_tokens, budget_nano = limits
            self._limits[rules] = KeyLimits(
                rpm, tpm, concurrency, total_tokens, budget_nano, BudgetPeriod(period)
            )
        if models not in self._models:
            self._models[models] = frozenset(msgspec.json.decode(models))
        for networks in (allowed, denied):
            if networks not in self._networks:
                listed = msgspec.json.decode(networks)
                self._networks[networks] = tuple(ip_network(each) for each in listed)
        return KeySpec(
            sha256=digest,
            name=name,
            tenant=self._tenants.setdefault(tenant, TenantId(tenant)),
            enabled=bool(enabled),
            models=self._models[models],
            id=KeyId(key_id),
            expires_unix_s=min((end for end in (text_ends, ends) if end is not None), default=None),
            allowed_networks=self._networks[allowed],
            denied_networks=self._networks[denied],
            limits=self._limits[rules],
            on_disconnect=_POLICIES[policy],
        )


_POLICIES = {policy.value: policy for policy in DisconnectPolicy}


def _connect(path: Path) -> sqlite3.Connection:
    # Not `mode=ro`: a reader of a WAL may have to make the file of its shared memory.
    connection = sqlite3.connect(
        f"file:{_quoted(path)}?mode=rw",
        uri=True,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA query_only=ON")
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    return connection


def _quoted(path: Path) -> str:
    text = str(path.absolute())
    return text.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _schema_of(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    return row[0] if row else None
