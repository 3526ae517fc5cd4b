"""Which settings are there? The schema: types, ranges, defaults and reasons, in one place.

Validation (`parse`), environment names (`settings`), docs/config.md (`tools/gen_docs.py`) and
`arkway config show` all read these classes; a rule is written here and nowhere else.
Field order is the order of the documentation. Read `process.py` and `entries.py` for the fields.
"""

from msgspec import Struct

from arkway.control.entries import Account, Catalogue, Key, Model
from arkway.control.process import Limits, Local, Log, Server, Upstream

__all__ = [
    "BUILTIN_MODELS",
    "Account",
    "Catalogue",
    "Config",
    "Key",
    "Limits",
    "Local",
    "Log",
    "Model",
    "Server",
    "Upstream",
]


class Config(Struct, frozen=True, kw_only=True):
    """Everything an operator can say, validated whole."""

    server: Server = Server()
    limits: Limits = Limits()
    upstream: Upstream = Upstream()
    log: Log = Log()
    local: Local = Local()
    catalogue: Catalogue = Catalogue()
    models: tuple[Model, ...] = ()  # the whole catalogue, built-in models included
    accounts: tuple[Account, ...] = ()
    keys: tuple[Key, ...] = ()


# Source: the public API page; Volcengine's model list.
BUILTIN_MODELS: tuple[Model, ...] = tuple(
    Model(
        name=name,
        upstream_model=upstream_model,
        context_tokens=context_tokens,
        max_output_tokens=max_output_tokens,
    )
    for name, upstream_model, context_tokens, max_output_tokens in (
        ("Doubao-1.5-pro-32k", "doubao-1-5-pro-32k-250115", 32_768, 12_288),
        ("Doubao-1.5-pro-256k", "doubao-1-5-pro-256k-250115", 262_144, 12_288),
        ("Doubao-1.5-lite-32k", "doubao-1-5-lite-32k-250115", 32_768, 12_288),
        ("Doubao-pro-32k", "doubao-pro-32k-241215", 32_768, 4_096),
    )
)
