"""Which models and prices does a fresh store begin with?

Source: the public API page; Volcengine's model and price lists. Prices are CNY per million tokens.
"""

from dataclasses import dataclass

from arkway.store.entries import Model

CURRENCY = "CNY"

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


@dataclass(frozen=True, slots=True)
class ListPrice:
    """What the list says of one model (unit: CNY per million tokens, as decimal text)."""

    input: str
    cached_input: str
    output: str


# Where the list has no price of cached input (pro-256k), it is billed as input.
BUILTIN_PRICES: dict[str, ListPrice] = {
    "Doubao-1.5-pro-32k": ListPrice("0.80", "0.16", "2.00"),
    "Doubao-1.5-pro-256k": ListPrice("5.00", "5.00", "9.00"),
    "Doubao-1.5-lite-32k": ListPrice("0.30", "0.06", "0.60"),
    "Doubao-pro-32k": ListPrice("0.80", "0.16", "2.00"),
}
