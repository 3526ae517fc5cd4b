"""Which parameters do models, accounts and keys have? Their rules and reasons, in one place.

Validation (`schema.read_entry`), the command line's help and docs/config.md read these classes.
They hold what is decided about an entry; ids, times and secrets are the store's own.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from arkway.store.fields import Duration, FilePath, Label, LongDuration, about

_ACCOUNT_NAME = Meta(
    pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z",
    extra={"rule": "string, 1 to 63 of a-z, 0-9 and -, not starting with -"},
)
_VARIABLE = Meta(
    pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}\Z",
    extra={"rule": "string, the name of an environment variable"},
)
MAX_UNIX_S = 253_402_300_799  # the last second of the year 9999
MAX_NANO = 10**18  # a billion of the currency; fits the 64 bits of a database
_MAX_COUNT = 10**15

Count = Annotated[int, Meta(ge=1, le=_MAX_COUNT)]
Network = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-fA-F.:/]{2,50}\Z",
        extra={"rule": "string, an IPv4 or IPv6 network such as 10.0.0.0/8"},
    ),
]


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an upstream allows an account for one model; None: none is known."""

    requests_per_min: Count | None = None
    tokens_per_min: Count | None = None
    in_flight: Count | None = None


class Model(Struct, frozen=True, kw_only=True):
    """A model callers can name. Without a price it is not served: its calls could not be booked."""

    name: Annotated[
        Label, about("The public name, matched exactly.", "what callers send as `model`")
    ]
    upstream_model: Annotated[
        Label, about("The upstream's id, where an account names no other.", "sent as `model`")
    ]
    context_tokens: Annotated[
        int, about("Context window.", "prompts clearly beyond it are refused", ge=1, le=100_000_000)
    ]
    max_output_tokens: Annotated[
        int,
        about(
            "Largest `max_tokens`.", "more is refused as the upstream would", ge=1, le=10_000_000
        ),
    ]
    aliases: Annotated[
        tuple[Label, ...],
        about("Other names for the same model.", "renames without breaking callers"),
    ] = ()
    enabled: Annotated[
        bool, about("Whether it is served.", "a retired name can be kept with its prices")
    ] = True
    connect_s: Annotated[
        Duration | None, about("Overrides upstream.connect_s.", "as upstream unless set")
    ] = None
    first_token_s: Annotated[
        LongDuration | None,
        about("Overrides upstream.first_token_s.", "long contexts need more"),
    ] = None
    plain_answer_s: Annotated[
        LongDuration | None,
        about("Overrides upstream.plain_answer_s.", "slower models need more"),
    ] = None
    between_chunks_s: Annotated[
        LongDuration | None,
        about("Overrides upstream.between_chunks_s.", "as upstream unless set"),
    ] = None
    total_s: Annotated[
        LongDuration | None, about("Overrides upstream.total_s.", "as upstream unless set")
    ] = None


class Account(Struct, frozen=True, kw_only=True):
    """An upstream account. Its credential comes from the environment or a file, never from here."""

    name: Annotated[
        str,
        _ACCOUNT_NAME,
        about("Unique name.", "health and affinity follow it: renaming starts afresh"),
    ]
    dialect: Annotated[
        Literal["openai", "ark"],
        about(
            "The API's shape: any OpenAI-compatible server, or Volcengine Ark.",
            "Ark differs from OpenAI in small ways that callers should not see",
        ),
    ]
    base_url: Annotated[
        str,
        about(
            "Where the API starts, such as https://ark.cn-beijing.volces.com/api/v3.",
            "`/chat/completions` is added; the credential goes to this origin only",
            extra={"rule": "string, http:// or https:// URL without user, query or fragment"},
        ),
    ]
    key_env: Annotated[
        Annotated[str, _VARIABLE] | None,
        about(
            "Environment variable that holds the credential; read when the gateway starts.",
            "without it the credential is in the store, sealed; a server on loopback needs none",
        ),
    ] = None
    models: Annotated[
        dict[str, Label],
        about(
            "Table of public model name to this account's id for it.",
            "endpoint ids (`ep-…`) differ between accounts",
        ),
    ] = {}
    only_listed_models: Annotated[
        bool,
        about("Serve just the models in `models`.", "an account without access to every model"),
    ] = False
    weight: Annotated[
        int,
        about(
            "Share of the traffic relative to other accounts.", "capacities differ", ge=1, le=1000
        ),
    ] = 1
    ca_file: Annotated[
        FilePath | None,
        about(
            "PEM file with further certificate authorities to trust for this account.",
            "private gateways; the system's authorities stay trusted",
        ),
    ] = None
    enabled: Annotated[
        bool, about("Whether calls may go there.", "switching off is not forgetting")
    ] = True
    is_draining: Annotated[
        bool,
        about("Finish what runs and take nothing new.", "an account is emptied before it goes"),
    ] = False
    requests_per_min: Annotated[
        Count | None, about("What the upstream allows one model of it.", "none known unless set")
    ] = None
    tokens_per_min: Annotated[
        Count | None, about("What the upstream allows one model of it.", "none known unless set")
    ] = None
    in_flight: Annotated[
        Count | None, about("Calls at once to one model of it.", "none known unless set")
    ] = None
    model_limits: Annotated[
        dict[str, Limits],
        about("Limits of single models, by public name.", "upstreams grant them by model"),
    ] = {}


class Key(Struct, frozen=True, kw_only=True):
    """A caller's API key: what its holder may do."""

    name: Annotated[Label, about("Unique name.", "what logs and metrics show instead of the key")]
    tenant: Annotated[
        Label, about("Whose key it is.", "conversations of two tenants never meet")
    ] = "default"
    enabled: Annotated[
        bool,
        about("Whether the key is accepted.", "a switched-off key is told so: 401 key_disabled"),
    ] = True
    expires_unix_s: Annotated[
        Annotated[int, Meta(ge=0, le=MAX_UNIX_S)] | None,
        about("When it stops being accepted.", "a key that ends by itself cannot be forgotten"),
    ] = None
    models: Annotated[
        tuple[Label, ...],
        about("Names of the models the key may use; empty: all.", "others are 404 to it"),
    ] = ()
    allowed_networks: Annotated[
        tuple[Network, ...],
        about("Networks it may be used from; empty: all.", "a stolen key is of no use elsewhere"),
    ] = ()
    denied_networks: Annotated[
        tuple[Network, ...],
        about("Networks it may not be used from.", "wins over the allowed ones"),
    ] = ()
    requests_per_min: Annotated[
        Count | None, about("Calls a minute.", "one caller's loop is not everybody's outage")
    ] = None
    tokens_per_min: Annotated[
        Count | None, about("Tokens a minute, input and output together.", "calls differ in size")
    ] = None
    concurrency: Annotated[
        Count | None, about("Calls in progress at once.", "slow calls are not seen by rates")
    ] = None
    total_tokens: Annotated[
        Count | None,
        about("Tokens for ever, all classes; reaching it suspends the key.", "a prepaid quota"),
    ] = None
    budget_nano: Annotated[
        Annotated[int, Meta(ge=0, le=MAX_NANO)] | None,
        about("Money per `budget_period`, in 1e-9 of CNY.", "spending ends where it was meant to"),
    ] = None
    budget_period: Annotated[
        Literal["day", "month", "total"], about("When the budget starts afresh (UTC).", "bills")
    ] = "total"
    on_disconnect: Annotated[
        Literal["cancel", "drain"],
        about(
            "What becomes of an answer whose caller has left.",
            "cancel saves tokens, drain knows exactly how many there were",
        ),
    ] = "cancel"


class Tenant(Struct, frozen=True, kw_only=True):
    """Somebody who holds keys."""

    name: Annotated[Label, about("Unique name.", "what keys and reports name")]
