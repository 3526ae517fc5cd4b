"""Which settings can change while traffic runs? Models, accounts and keys."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from arkway.control.fields import Duration, FilePath, Label, LongDuration, about

_ACCOUNT_NAME = Meta(
    pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z",
    extra={"rule": "string, 1 to 63 of a-z, 0-9 and -, not starting with -"},
)
_VARIABLE = Meta(
    pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}\Z",
    extra={"rule": "string, the name of an environment variable"},
)
_KEY_HASH = Meta(
    pattern=r"^sha256:[0-9a-f]{64}\Z",
    extra={"rule": "string, sha256: and 64 lower-case hexadecimal digits"},
)


class Catalogue(Struct, frozen=True, kw_only=True):
    """Which models are there without a `[[models]]` entry?"""

    builtin_models: Annotated[
        bool,
        about(
            "Whether the four built-in models are served beside those of `[[models]]`.",
            "callers of Doubao's own API find the names they know",
        ),
    ] = True


class Model(Struct, frozen=True, kw_only=True):
    """A model callers can name. An entry named like a built-in model overrides what it sets."""

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
            "Environment variable that holds the credential.",
            "give this or key_file; a server on loopback may have neither",
        ),
    ] = None
    key_file: Annotated[
        FilePath | None,
        about(
            "File that holds the credential, surrounding blanks ignored.",
            "for mounted secrets; a changed file is read again while running",
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


class Key(Struct, frozen=True, kw_only=True):
    """A caller's API key, by its hash: `arkway keys create` makes both."""

    name: Annotated[Label, about("Unique name.", "what logs and metrics show instead of the key")]
    hash: Annotated[
        str,
        _KEY_HASH,
        about(
            "SHA-256 of the key's text.", "a leaked file opens no door; keys are 285 random bits"
        ),
    ]
    tenant: Annotated[
        Label, about("Whose key it is.", "conversations of two tenants never meet")
    ] = "default"
    enabled: Annotated[
        bool,
        about("Whether the key is accepted.", "a switched-off key is told so: 401 key_disabled"),
    ] = True
    models: Annotated[
        tuple[Label, ...],
        about("Names of the models the key may use; empty: all.", "others are 404 to it"),
    ] = ()
