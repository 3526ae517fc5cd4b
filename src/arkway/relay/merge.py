"""How do n one-choice answers look like one answer? Usage of a fan-out: reported and billed.

The caller is shown the prompt once, as OpenAI shows it for n > 1 (`reported`); the upstream
charged every branch that read it (`billed`).
"""

from collections.abc import Sequence

from arkway.model.usage import Usage


def reported(branches: Sequence[Usage | None]) -> Usage | None:
    """Return the usage a caller sees; None unless every branch told its own."""
    known = [usage for usage in branches if usage is not None]
    if not known or len(known) != len(branches):
        return None
    prompt = max(known, key=lambda usage: (usage.input_tokens, usage.cached_input_tokens))
    return Usage(
        input_tokens=prompt.input_tokens,
        cached_input_tokens=prompt.cached_input_tokens,
        output_tokens=sum(usage.output_tokens for usage in known),
        reasoning_output_tokens=sum(usage.reasoning_output_tokens for usage in known),
        cache_creation_input_tokens=prompt.cache_creation_input_tokens,
    )


def billed(branches: Sequence[Usage | None]) -> Usage:
    """Return what the upstream charged for all branches together, as far as it told."""
    known = [usage for usage in branches if usage is not None]
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in known),
        cached_input_tokens=sum(usage.cached_input_tokens for usage in known),
        output_tokens=sum(usage.output_tokens for usage in known),
        reasoning_output_tokens=sum(usage.reasoning_output_tokens for usage in known),
        cache_creation_input_tokens=sum(usage.cache_creation_input_tokens for usage in known),
    )
