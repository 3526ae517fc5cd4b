"""How many tokens is this text? A learned ratio of tokens per byte, per model. Pure."""

# Before anything was learned: low on purpose. English runs at about 0.22 tokens a byte, Chinese at
# about 0.2 and repetitive text below; half of that refuses only what no tokenizer could fit.
INITIAL_TOKENS_PER_BYTE = 0.125
# Short prompts are mostly template; they teach nothing about text.
MIN_TEXT_BYTES = 200
# The weight of the past halves about every 32 MB of prompts: a new tokenizer shows in a day.
_MEMORY_BYTES = 32 * 1024 * 1024


class TokenRatio:
    """Tokens per UTF-8 byte of one model's prompts, learned from `usage`."""

    __slots__ = ("_bytes", "_tokens")

    def __init__(self) -> None:
        self._bytes = 0.0
        self._tokens = 0.0

    def learn(self, text_bytes: int, input_tokens: int) -> None:
        """Take one answered prompt into account."""
        if text_bytes < MIN_TEXT_BYTES or input_tokens <= 0:
            return
        self._bytes += text_bytes
        self._tokens += input_tokens
        if self._bytes > _MEMORY_BYTES:
            self._bytes /= 2
            self._tokens /= 2

    @property
    def tokens_per_byte(self) -> float:
        """The ratio learned so far."""
        return self._tokens / self._bytes if self._bytes else INITIAL_TOKENS_PER_BYTE
