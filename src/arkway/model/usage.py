"""What did an attempt use? Token counts as the upstream reported them."""

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """Billable tokens of one attempt (unit: token).

    Cached input and cache creation are parts of `input_tokens`, reasoning a part of
    `output_tokens`; none is ever added to its whole. Whoever reads counts from outside asks
    `is_possible` first.
    Source: OpenAI `usage` object; OTel `gen_ai.usage.*`.
    """

    input_tokens: int = 0  # OpenAI usage.prompt_tokens
    cached_input_tokens: int = 0  # OpenAI usage.prompt_tokens_details.cached_tokens
    output_tokens: int = 0  # OpenAI usage.completion_tokens
    reasoning_output_tokens: int = 0  # OpenAI usage.completion_tokens_details.reasoning_tokens
    cache_creation_input_tokens: int = 0  # prompt_tokens_details.cache_creation_tokens

    def is_possible(self) -> bool:
        """Whether an answer can have used this: nothing negative, no part above its whole."""
        cached, created = self.cached_input_tokens, self.cache_creation_input_tokens
        return (
            cached >= 0
            and created >= 0
            and cached + created <= self.input_tokens
            and 0 <= self.reasoning_output_tokens <= self.output_tokens
        )
