"""What is a route of the admin API? A path, a policy, parameters and an answer. Pure.

Everything else is made from this one list: routing, authorisation, validation, the OpenAPI
description, the documentation and the matrix of tests.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from sqlite3 import Connection as Book
from typing import Any

import msgspec
from sqlalchemy import Connection

from arkway.control.admin.credentials import Principal
from arkway.control.admin.throttle import LoginThrottle
from arkway.control.config import Config
from arkway.control.home import ledger_file
from arkway.control.load import Loaded
from arkway.ledger import read_io
from arkway.store import changes
from arkway.store.admin_tokens import Role
from arkway.store.changes import Change
from arkway.store.engine import Store

LEDGER_READ_S = 2.0  # a sum of a year takes a tenth of it; what takes longer is asked for less
_PARAMETER = re.compile(r"\{(\w+)\}")


class Credential(StrEnum):
    """What a request may be authorised by."""

    TOKEN = "token"  # noqa: S105 - the word, `Authorization: Bearer adm-...`
    SESSION = "session"  # a browser's cookie


BOTH = frozenset(Credential)


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may use a route."""

    role: Role | None  # the least role; None: open to everybody, see OPEN
    kinds: frozenset[Credential] = BOTH


VIEW, OPERATE, ADMINISTER = (Policy(role) for role in Role)
OPEN_TO_ALL = Policy(None, frozenset())
# The routes that ask for no credential: logging in, and what says how to.
OPEN = ("begin_session", "describe")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the work needs: the store, the ledger's place, the settings in force."""

    home: Path
    store: Store
    loaded: Loaded
    config: Config
    now_ms: Callable[[], int]
    throttle: LoginThrottle = field(default_factory=LoginThrottle)

    @contextmanager
    def changing(self, by: Principal) -> Iterator[Change]:
        """Begin a change by `by`."""
        with changes.change(self.store, by.actor) as now:
            yield now

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Begin to read the store."""
        with changes.reading(self.store) as connection:
            yield connection

    @contextmanager
    def book(self) -> Iterator[Book]:
        """Begin to read the ledger, on a connection that cannot write, for LEDGER_READ_S."""
        with read_io.reading(ledger_file(self.home), LEDGER_READ_S) as db:
            yield db


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, after everything about it has been checked."""

    who: Principal | None  # None: the route is open
    path: Mapping[str, str]
    query: Any  # of the operation's `query`
    body: Mapping[str, object]
    peer: str  # the address it came from
    is_https: bool = False
    cookie: str = ""  # the text of the session's cookie, as it came; judged or not

    @property
    def by(self) -> Principal:
        """Return who asks, of a route that is not open."""
        assert self.who is not None, "the policy asked for somebody"
        return self.who


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with headers of its own."""

    document: object
    headers: tuple[tuple[str, str], ...] = ()


Work = Callable[[Desk, Ask], object]


class NoQuery(msgspec.Struct, frozen=True, kw_only=True):
    """No parameters."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One route and method."""

    name: str  # also the operationId
    method: str
    path: str  # `/admin/v1/keys/{key}`
    policy: Policy
    work: Work
    summary: str
    answer: Any  # the type of the answer; checked before it is sent
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] | None = None
    status: int = 200

    @property
    def writes(self) -> bool:
        """Return whether it may change something."""
        return self.method != "GET"

    @property
    def parameters(self) -> list[str]:
        """Return the names in the path."""
        return _PARAMETER.findall(self.path)
