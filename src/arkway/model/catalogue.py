"""What can be served, by whom and for whom? One immutable snapshot of models, accounts, keys.

A snapshot is built and validated whole (`control.snapshot`), then swapped in one assignment; a
call keeps the snapshot it began with. State that must survive a swap (health, in-flight counts)
is keyed by `AccountId` and lives elsewhere.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

from arkway.model.ids import AccountId, KeyId, TenantId


class Dialect(StrEnum):
    """The shape of an upstream's API."""

    OPENAI = "openai"  # any OpenAI-compatible server
    ARK = "ark"  # Volcengine Ark
    LOCAL = "local"  # the embedded llama.cpp stand-in; speaks `openai`, and is labelled


class Secret:
    """A credential whose text never shows by accident.

    `repr`, `str` and formatting give `***`; only `reveal()` gives the text.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the credential; callers put it into one request header and nowhere else."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The four clocks of an attempt, and the heartbeat (unit: s)."""

    connect_s: float = 5.0
    first_token_s: float = 120.0  # of a stream: response headers and the first token
    plain_answer_s: float = 300.0  # of a plain call: the whole answer comes with its headers
    between_chunks_s: float = 120.0
    total_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Price:
    """One version of a model's price (unit: nano-units of `currency` per million tokens).

    Never changed: another price is another version. Reasoning is billed as output, cache
    creation as input unless it has a price of its own.
    Source: Volcengine's price list.
    """

    version: int  # unique over all models and times; ledger rows carry it
    currency: str  # ISO 4217
    input_nano: int
    cached_input_nano: int
    output_nano: int
    cache_creation_nano: int | None = None  # None: the price of input


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One public model."""

    name: str  # the public name, matched exactly
    upstream_model: str  # the upstream id where an account names no other
    context_tokens: int
    max_output_tokens: int
    aliases: tuple[str, ...] = ()
    clocks: Clocks = Clocks()
    price: Price | None = None  # None: no call of it can be accounted for, so it is not served
    always_fits_bytes: int = field(init=False)  # a text this short fits, whatever it says

    def __post_init__(self) -> None:
        # A token is a byte at least.
        object.__setattr__(self, "always_fits_bytes", self.context_tokens - self.max_output_tokens)


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """What an upstream allows one account for one model; None: no limit is known."""

    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    in_flight: int | None = None


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """One upstream main account: an origin, a credential, and what it serves.

    `credential` goes to this origin and no other. Empty: none is sent (local servers).
    """

    id: AccountId
    dialect: Dialect
    base_url: str  # scheme://host[:port][/path], no trailing slash
    credential: Secret
    models: dict[str, str] = field(default_factory=dict)  # public name -> upstream id overrides
    only_listed_models: bool = False  # True: serves just the names in `models`
    weight: int = 1
    ca_file: str | None = None  # extra trust anchors for https, PEM
    limits: AccountLimits = AccountLimits()  # of each model that `model_limits` does not name
    model_limits: dict[str, AccountLimits] = field(default_factory=dict)  # by public name
    is_draining: bool = False  # finishes what runs, gets nothing new


_NO_KEY = KeyId("")


class DisconnectPolicy(StrEnum):
    """What becomes of an answer whose caller has left."""

    CANCEL = "cancel"  # the upstream is cancelled; the delivered part is settled as an estimate
    DRAIN = "drain"  # read on, within bounds, to the usage; settled exactly


class BudgetPeriod(StrEnum):
    """When a budget starts afresh (UTC)."""

    DAY = "day"
    MONTH = "month"
    TOTAL = "total"  # never


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What one key may use; None: no such limit."""

    requests_per_min: int | None = None
    tokens_per_min: int | None = None  # input and output together
    concurrency: int | None = None  # calls in progress
    total_tokens: int | None = None  # all classes, for ever: reaching it suspends the key
    budget_nano: int | None = None  # of the price list's currency, per `budget_period`
    budget_period: BudgetPeriod = BudgetPeriod.TOTAL


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One caller's API key, by the digest of its text (`model.key_digest`).

    While a rotation overlaps, two texts open one key: two specs with one `id`, to which usage and
    limits belong; the older one expires with the overlap.
    """

    sha256: bytes  # the digest, 32 bytes: what `Snapshot.keys` finds it by
    name: str
    tenant: TenantId
    enabled: bool = True
    models: frozenset[str] | None = None  # None: every model
    id: KeyId = _NO_KEY
    expires_unix_s: int | None = None
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()  # empty: every address
    denied_networks: tuple[IPv4Network | IPv6Network, ...] = ()  # stronger than the allowed
    limits: KeyLimits = KeyLimits()
    on_disconnect: DisconnectPolicy = DisconnectPolicy.CANCEL


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a call needs to know that operators can change while traffic runs."""

    models: dict[str, ModelSpec]  # by public name and by alias
    accounts: tuple[AccountSpec, ...]
    keys: dict[bytes, KeySpec]  # by the digest of the key's text; a revoked one is not in it
    key_secret: bytes = field(default=b"", repr=False)  # makes digests of texts
    revision: int = 0  # of the store behind it; grows with every change
    changed_unix_ms: int = 0  # when the store came to that revision
