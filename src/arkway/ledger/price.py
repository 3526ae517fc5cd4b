"""What do these tokens cost? Integers only, and one rounding an attempt."""

from arkway.model.catalogue import Price
from arkway.model.usage import Usage

TOKENS_PER_PRICE = 1_000_000  # price lists speak of a million tokens
FREE = Price(0, "", 0, 0, 0)


def classes(usage: Usage) -> tuple[int, int, int, int, int]:
    """Return the five classes of `usage`: uncached, cached, created, output, reasoning.

    None contains another, so each token is in exactly one.
    """
    return priced(usage, FREE)[:5]


def rates(price: Price) -> tuple[int, int, int, int, int]:
    """Return the price of each class, in their order. Unit: nano-units a million tokens."""
    creation = price.input_nano if price.cache_creation_nano is None else price.cache_creation_nano
    return (
        price.input_nano,
        price.cached_input_nano,
        creation,
        price.output_nano,
        price.output_nano,
    )


def cost_nano(usage: Usage, price: Price) -> int:
    """Return what `usage` costs: the sum over the classes, rounded half up once at its end."""
    return priced(usage, price)[5]


def priced(usage: Usage, price: Price) -> tuple[int, int, int, int, int, int]:
    """Return the five `classes` of `usage`, and what they cost by `cost_nano`. Hot path."""
    cached, created = usage.cached_input_tokens, usage.cache_creation_input_tokens
    uncached = usage.input_tokens - cached - created
    output, reasoning = usage.output_tokens, usage.reasoning_output_tokens
    # Reasoning is a part of the output, at the same price.
    total = uncached * price.input_nano + output * price.output_nano
    if cached or created:
        creation = price.cache_creation_nano
        total += cached * price.cached_input_nano
        total += created * (price.input_nano if creation is None else creation)
    cost = (total + TOKENS_PER_PRICE // 2) // TOKENS_PER_PRICE
    return uncached, cached, created, output - reasoning, reasoning, cost


def most_nano(input_tokens: int, output_tokens: int, price: Price) -> int:
    """Return the most that so many tokens can cost: no discount, rounded up."""
    dearest = max(rates(price)[:3])
    return -(-(input_tokens * dearest + output_tokens * price.output_nano) // TOKENS_PER_PRICE)
