"""What can be set about the simulated accounts? One struct, from flags, TOML or JSON.

Every bound is here with its type; msgspec's message names the parameter and the rule.
"""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta, Struct

from arkway.simulate.ark.faults import FaultRule

MAX_ACCOUNTS = 1024  # a pool of this size is beyond any bill
FIRST_ACCOUNT_ID = 2_100_000_001  # Ark's are ten digits; ours can be told from all other numbers

Count = Annotated[int, Meta(ge=1, le=10**12)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Rate = Annotated[float, Meta(ge=0, le=1e9)]  # tokens per second; 0: at once
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z")]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")]
Port = Annotated[int, Meta(ge=0, le=65_535)]


class SettingsError(ValueError):
    """The settings cannot be; the text names the parameter and the rule."""


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account may do with one model; None: as much as it likes."""

    requests_per_min: Count | None = None
    tokens_per_min: Count | None = None
    in_flight: Count | None = None


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model by its dated id."""

    id: Id
    name: str = ""  # the public name that a pool file maps to an account's id for it
    context_tokens: Count = 131_072
    max_output_tokens: Count = 12_288
    default_output_tokens: Count = 4_096  # Ark's `max_tokens` where the request has none
    shared_in_flight: Count | None = None  # of all accounts together; above: ServerOverloaded


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One main account."""

    name: Name
    key: Annotated[str, Meta(min_length=1, max_length=256)] = ""  # "": made from seed and name
    account_id: Annotated[str, Meta(max_length=64)] = ""  # "": numbered from FIRST_ACCOUNT_ID
    port: Port = 0  # 0: a free one; of no meaning with one port for all
    limits: Limits | None = None  # None: those of `limits`
    model_limits: dict[str, Limits] = {}
    endpoints: dict[str, Id] = {}  # `ep-…` -> model id; empty: one for each model, made
    not_open: tuple[str, ...] = ()  # model ids that were never activated: 404 ModelNotOpen
    takes_model_ids: bool = True  # False: only `ep-…`, else 404 …ModelIDAccessDisabled
    slowness: Annotated[float, Meta(ge=0.01, le=1000)] = 1.0  # multiplies every time of an answer


class Cache(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each account's prompt cache."""

    block_tokens: Count = 1_024
    min_tokens: Count = 1_024  # shorter hits do not count
    idle_ttl_s: Seconds = 300.0  # a block not used for this long is gone
    capacity_tokens: Count = 20_000_000  # of all models together; 20 000 blocks take 3 MiB
    enabled: bool = True


class Timing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long things take. The first token comes after first_token_s plus the prefill."""

    first_token_s: Seconds = 0.2
    prefill_tokens_per_s: Rate = 8_000.0  # of tokens that were not cached
    tokens_per_s: Rate = 60.0
    tokens_per_chunk: Annotated[int, Meta(ge=1, le=10_000)] = 1


class Answers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long answers are, where neither `max_tokens` nor a directive says so."""

    length: Literal["fixed", "random", "max_tokens"] = "fixed"
    tokens: Count = 32  # of a fixed one
    min_tokens: Count = 16  # of a random one, inclusive
    max_tokens: Count = 256


class Tokenizer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many tokens a text has: its UTF-8 bytes over bytes_per_token, rounded up, per message."""

    bytes_per_token: Annotated[int, Meta(ge=2, le=64)] = 4
    tokens_per_message: Annotated[int, Meta(ge=0, le=1_000)] = 0


# Source: Volcengine's model list. Two are retired and still found in configurations.
MODELS = (
    Model(id="doubao-1-5-pro-32k-250115", name="Doubao-1.5-pro-32k"),
    Model(id="doubao-1-5-lite-32k-250115", name="Doubao-1.5-lite-32k", context_tokens=32_768),
    Model(id="doubao-1-5-pro-256k-250115", name="Doubao-1.5-pro-256k", context_tokens=262_144),
    Model(
        id="doubao-pro-32k-241215",
        name="Doubao-pro-32k",
        context_tokens=32_768,
        max_output_tokens=4_096,
    ),
)
DEFAULT_LIMITS = Limits(requests_per_min=30_000, tokens_per_min=5_000_000)  # of 1.5 pro and lite


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    host: str = "127.0.0.1"
    port: Port = 0  # where all accounts are; with own_ports the first one's, the others follow
    own_ports: bool = False
    control_port: Port = 0
    number_of_accounts: Annotated[int, Meta(ge=1, le=MAX_ACCOUNTS)] = 1
    accounts: Annotated[tuple[Account, ...], Meta(max_length=MAX_ACCOUNTS)] = ()
    models: Annotated[tuple[Model, ...], Meta(min_length=1, max_length=64)] = MODELS
    limits: Limits = DEFAULT_LIMITS  # of each account for each model
    retry_after: bool = False  # whether 429 says when: Ark's online API is not known to
    estimated_output_tokens: Annotated[int, Meta(ge=0)] = 1_024  # most that is held for an answer
    cache: Cache = Cache()
    timing: Timing = Timing()
    answers: Answers = Answers()
    tokenizer: Tokenizer = Tokenizer()
    faults: Annotated[tuple[FaultRule, ...], Meta(max_length=256)] = ()
    speed: Annotated[float, Meta(ge=0.001, le=100_000)] = 1.0  # simulated seconds in a real one
    seed: int = 0
    log: str = ""  # file of the log; "": none is written

    def every_account(self) -> tuple[Account, ...]:
        """Return the accounts listed and as many more as number_of_accounts asks for, complete."""
        missing = range(len(self.accounts) + 1, self.number_of_accounts + 1)
        listed = (*self.accounts, *(Account(name=f"ark-{n}") for n in missing))
        return tuple(self._complete(n, account) for n, account in enumerate(listed))

    def _complete(self, n: int, account: Account) -> Account:
        made = {
            "key": account.key or _made_key(self.seed, account.name),
            "account_id": account.account_id or str(FIRST_ACCOUNT_ID + n),
            "limits": account.limits or self.limits,
            "endpoints": account.endpoints
            or {_made_endpoint(self.seed, account.name, m.id): m.id for m in self.models},
            "port": account.port or (self.port + n if self.own_ports and self.port else 0),
        }
        return msgspec.structs.replace(account, **made)


def read(path: Path) -> dict[str, Any]:
    """Return what a TOML or JSON file says, unchecked.

    Errors:  SettingsError; OSError.
    """
    raw = path.read_bytes()
    try:
        is_json = path.suffix == ".json"
        found = msgspec.json.decode(raw) if is_json else tomllib.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: not valid {path.suffix[1:] or 'TOML'}: {error}") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{path}: must be an object")
    return found


def settings_of(raw: dict[str, Any]) -> Settings:
    """Return the settings that `raw` describes.

    Errors:  SettingsError.
    """
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(_named_first(str(error))) from None
    _check(settings)
    return settings


def _named_first(text: str) -> str:
    """Return what msgspec says, as we say it: ``Expected `int` >= 1 - at `$.speed` ``."""
    rule, at, name = text.rpartition(" - at `$.")
    rule = rule.replace("Expected", "must be", 1) if rule.startswith("Expected") else rule
    return f"{name.rstrip('`')}: {rule}" if at else text


def rule_of(words: list[str]) -> dict[str, Any]:
    """Return the fault rule that `KIND name=value ...` says, checked; lists are a,b,c.

    Errors:  SettingsError.
    """
    raw: dict[str, Any] = {"kind": words[0] if words else ""}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals:
            raise SettingsError(f"faults: {word!r} must have the form name=value")
        raw[name] = value.split(",") if name in ("accounts", "models") else value
    try:
        return cast(
            "dict[str, Any]", msgspec.to_builtins(msgspec.convert(raw, FaultRule, strict=False))
        )
    except msgspec.ValidationError as error:
        raise SettingsError(f"faults: {error}") from None


def with_flags(file: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """Return what a file says with flags over it; a flag of one limit leaves the others' defaults.

    In a file a table of limits is whole: what it leaves out is without limit.
    """
    below = {"limits": msgspec.to_builtins(DEFAULT_LIMITS), **file}
    return merged(below, flags)


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return `below` with `above` over it, table by table; lists are replaced whole."""
    both = dict(below)
    for name, value in above.items():
        old = both.get(name)
        both[name] = (
            merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return both


def _check(settings: Settings) -> None:
    """Hold what types cannot say."""
    accounts, models = settings.every_account(), {model.id for model in settings.models}
    _unique("accounts: `name`", [account.name for account in accounts])
    _unique("accounts: `key`", [account.key for account in accounts])
    _unique("models: `id`", [model.id for model in settings.models])
    if settings.own_ports:
        _unique("accounts: `port`", [account.port for account in accounts if account.port])
    for account in accounts:
        named = {*account.model_limits, *account.not_open, *account.endpoints.values()}
        for missing in sorted(named - models):
            raise SettingsError(
                f"accounts: {account.name} names a model {missing!r} that is not one"
            )
    if settings.answers.min_tokens > settings.answers.max_tokens:
        raise SettingsError("answers: `min_tokens` must not be above `max_tokens`")
    check_rules(settings, settings.faults)


def check_rules(settings: Settings, rules: tuple[FaultRule, ...]) -> None:
    """Hold that rules name accounts there are, and refuse only where that can be done.

    Errors:  SettingsError.
    """
    names = {account.name for account in settings.every_account()}
    for rule in rules:
        for missing in sorted(set(rule.accounts) - names):
            raise SettingsError(f"faults: there is no account {missing!r}")
        if rule.kind == "refuse" and rule.accounts and not settings.own_ports:
            raise SettingsError("faults: `refuse` of single accounts needs `own_ports`")
        if rule.kind == "refuse" and (rule.models or rule.every or rule.probability < 1):
            raise SettingsError("faults: `refuse` goes by account and time only")


def _unique(what: str, values: list[Any]) -> None:
    for value in values:
        if values.count(value) > 1:
            shown = "" if "key" in what else f": {value!r}"
            raise SettingsError(f"{what} must be unique{shown}")


def _made_key(seed: int, name: str) -> str:
    """Return a key of Ark's newer form; the same seed gives the same, so restarts keep it."""
    text = _digest(seed, name, "key")
    parts = (text[:8], text[8:12], text[12:16], text[16:20], text[20:32])
    return f"ark-{'-'.join(parts)}-{text[32:37]}"


def _made_endpoint(seed: int, name: str, model: str) -> str:
    return f"ep-20260101120000-{_digest(seed, name, model)[:5]}"


def _digest(*parts: object) -> str:
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=20).hexdigest()
