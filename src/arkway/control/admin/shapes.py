"""How do the admin API's bodies and answers look? Made from the store's own entries.

A parameter is described once, in `arkway.store.entries`; here it only gets company. Answers are
checked against these types before they leave, so the OpenAPI description cannot say other things.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import NODEFAULT, Meta, Struct

from arkway.control.trial_io import Tested
from arkway.ledger.calls_io import CallLine
from arkway.ledger.entry import End, Intent
from arkway.ledger.read_io import UsageLine
from arkway.store.admin_sessions import SessionRecord
from arkway.store.admin_tokens import NewToken, TokenRecord
from arkway.store.audit import AuditRow
from arkway.store.credentials import CREDENTIAL_RULE
from arkway.store.entries import Account, Key, Model, Tenant
from arkway.store.fields import about
from arkway.store.units import AMOUNT_RULE, EXPIRY_RULE

__all__ = ["NewToken", "Tenant"]

_More = tuple[str, Any] | tuple[str, Any, Any]


def made(
    name: str, kind: type[Struct], more: Iterable[_More] = (), *, without: Iterable[str] = ()
) -> type[Struct]:
    """Return a type with the fields of `kind`, but those of `without`, and `more` after them.

    A default is kept only where it stands for something that may be left out.
    """
    hints = get_type_hints(kind, include_extras=True)
    fields: list[Any] = [
        (each.name, hints[each.name], *_default(each))
        for each in msgspec.structs.fields(kind)
        if each.name not in set(without)
    ]
    return msgspec.defstruct(
        name,
        [*fields, *more],
        bases=(),
        module=__name__,
        namespace={"__doc__": kind.__doc__},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def _default(each: msgspec.structs.FieldInfo) -> tuple[Any, ...]:
    if each.default_factory is not NODEFAULT:
        return (msgspec.field(default_factory=each.default_factory),)
    return () if each.default is NODEFAULT else (each.default,)


def listed(name: str, item: Any, more: Iterable[_More] = ()) -> type[Struct]:
    """Return the type of a page of `item`."""
    return msgspec.defstruct(
        name,
        [("items", list[item]), ("next_cursor", str | None), *more],
        module=__name__,
        namespace={"__doc__": "A page; with a `next_cursor` there is another one."},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


UnixMs = Annotated[int, Meta(description="Milliseconds since the epoch.")]
_EXPIRES = Annotated[
    str | None, about("Instead of `expires_unix_s`.", "days", extra={"rule": EXPIRY_RULE})
]
_BUDGET = Annotated[
    str | None, about("Instead of `budget_nano`.", "decimal", extra={"rule": AMOUNT_RULE})
]
_CREDENTIAL = Annotated[
    str | None,
    about("Its credential, to be sealed.", "never shown", extra={"rule": CREDENTIAL_RULE}),
]

_KEY_MORE = [("expires", _EXPIRES, None), ("budget", _BUDGET, None)]
NewKey = made("NewKey", Key, _KEY_MORE)
KeyChange = made("KeyChange", Key, _KEY_MORE)
KeyView = made(
    "KeyView",
    Key,
    [
        ("id", str),
        ("budget", str | None),
        ("created_unix_ms", UnixMs),
        ("revoked_unix_ms", UnixMs | None),
    ],
)
KeyMade = made("KeyMade", KeyView, [("key", Annotated[str, Meta(description="Shown once.")])])
NewAccount = made("NewAccount", Account, [("credential", _CREDENTIAL, None)])
AccountChange = made(
    "AccountChange", Account, [("credential", _CREDENTIAL, None)], without=["name"]
)
AccountView = made(
    "AccountView",
    Account,
    [("credential", Literal["env", "store", "none"]), ("created_unix_ms", UnixMs)],
)
NewModel = made("NewModel", Model)
ModelChange = made("ModelChange", Model, without=["name"])
ModelView = made("ModelView", Model, [("is_served", bool)])
TenantView = made("TenantView", Tenant, [("created_unix_ms", UnixMs), ("keys", int)])
TokenView = made("TokenView", TokenRecord)
TokenMade = made("TokenMade", TokenRecord, [("token", Annotated[str, Meta(description="Once.")])])
SessionView = made("SessionView", SessionRecord)
_Parts = dict[str, Any]
AuditView = made(
    "AuditView",
    AuditRow,
    [("before", _Parts), ("after", _Parts)],
    without=["before", "after"],
)
UsageView = made(
    "UsageView",
    UsageLine,
    [("cost", str), ("cache_hit_rate", float)],
)
CallView = made("CallView", CallLine, [("cost", str)])

_Amount = Annotated[str, about("Decimal CNY per million tokens.", "as price lists have it")]


class Rotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a key is rotated."""

    overlap_h: Annotated[
        int, about("Hours the old text stays good.", "callers change over", ge=0, le=2160)
    ] = 24


class NewPrice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price from now on; an older version stays, for the calls it was charged to."""

    model: Annotated[str, about("The model's name or alias.", "prices are of models")]
    input: _Amount
    output: _Amount
    cached_input: Annotated[str | None, about("As `input` unless given.", "caches cost less")] = (
        None
    )
    cache_creation: Annotated[
        str | None, about("As `input` unless given.", "some upstreams charge for it")
    ] = None


class PriceView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a model's price: decimal amounts per million tokens."""

    version: int
    model: str
    currency: str
    input: str
    cached_input: str
    output: str
    cache_creation: str | None
    created_unix_ms: UnixMs


class Login(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What opens a browser's session."""

    token: Annotated[str, about("An admin token.", "the session has its rights")]


class SessionState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is asking."""

    name: str
    role: str
    token_id: str
    session_id: str | None
    csrf_token: Annotated[str | None, Meta(description="For `x-csrf-token` of changes.")]
    ends_unix_ms: UnixMs | None


class Ended(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many sessions ended."""

    sessions: int


class Testing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an account is tested."""

    model: Annotated[
        str | None,
        about("The model to ask; its name or an alias.", "unless given: the cheapest it serves"),
    ] = None


AccountTest = made("AccountTest", Tested, [("advice", str), ("cost", str)])


class ErrorCount(Struct, frozen=True, kw_only=True):
    """How often attempts at an account failed so."""

    error_class: str
    code: Annotated[str, Meta(description="The upstream's, where it is documented.")]
    hour: Annotated[int, Meta(description="In the last hour.")]
    day: Annotated[int, Meta(description="In the last 24 hours.")]


class AccountHealth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the gateway finds an account, now; counts begin with its process."""

    account: str
    is_in_use: Annotated[bool, Meta(description="False: it is disabled, or left out.")]
    state: str
    reason: str
    returns_in_s: float | None
    in_flight: int
    waiting: int
    utilisation: float | None
    cached_share: float | None
    limits: dict[str, float]
    attempts: Annotated[dict[str, int], Meta(description="By outcome.")]
    ejections: int
    errors: list[ErrorCount]


class SettingView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One process setting in force; changed in `arkway.toml`, the environment or by a flag."""

    name: str
    value: str | int | float | bool
    default: str | int | float | bool
    source: Annotated[str, Meta(description="`default`, `file`, `flag` or a variable's name.")]
    rule: str
    description: str
    reason: str
    variable: str


class AttemptView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One attempt: its two rows of the ledger."""

    seq: int
    intent: Intent
    end_seq: int | None
    end: End | None


class CallStory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call: what happened in words, and the rows that say it."""

    call: CallView  # type: ignore[valid-type]  # made above
    story: list[str]
    attempts: list[AttemptView]


class ControlHealth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The process that answers this."""

    version: str
    schema: str
    revision: Annotated[int, Meta(description="Of the store.")]


class WorkerHealth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The gateway, as its ops port tells it."""

    is_reachable: bool
    is_ready: bool
    status: str
    detail: Annotated[dict[str, Any], Meta(description="What `/readyz` answers, as it is.")]


class Health(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What runs, and how it is."""

    control: ControlHealth
    worker: WorkerHealth
    ledger_rows: int


class ProblemView(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a request."""

    path: str
    message: str
    hint: str


class Failure(Struct, frozen=True, kw_only=True):
    """Why it was not done."""

    code: str
    message: str
    problems: list[ProblemView]
    request_id: str


class ErrorDocument(Struct, frozen=True, kw_only=True):
    """Every answer that is not 2xx."""

    error: Failure
