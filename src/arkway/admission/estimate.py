"""What will this call use? Learned tokens per byte and learned lengths of answers. Pure.

Three answers to one question, for three uses: the *least* (refuse what can never fit), the
*likely* (rates), the *most* (token limit and budget, which must not be passed). The most is what
the call can come to when its answer goes on to `max_tokens`; it is a promise about the answer,
and about the prompt as good as the highest tokens per byte that this model's prompts have shown.
"""

from math import ceil
from typing import Any

import msgspec

from arkway.admission.answers import Answers
from arkway.model.call import Call
from arkway.model.catalogue import ModelSpec, Price
from arkway.model.ids import KeyId
from arkway.wire.common_body import CommonBody

# Before anything was learned: low on purpose. English runs at about 0.22 tokens a byte, Chinese at
# about 0.2 and repetitive text below; half of that refuses only what no tokenizer could fit.
INITIAL_TOKENS_PER_BYTE = 0.125
# Short prompts are mostly template; they teach nothing about text.
MIN_TEXT_BYTES = 200
# The weight of the past halves about every 32 MB of prompts: a new tokenizer shows in a day.
_MEMORY_BYTES = 32 * 1024 * 1024
# What a prompt likely has before anything was learned, and the margin over the mean afterwards.
LIKELY_TOKENS_PER_BYTE = 0.3
_LIKELY_MARGIN = 1.05
# No tokenizer makes more: a token is a byte at least.
HARD_TOKENS_PER_BYTE = 1.0
# The highest ratio seen, with a margin, holds at once; it fades to that of later prompts, a
# sixty-fourth of the difference with each of them.
_MARGIN = 1.1
_FADE = 1 / 64
# What a chat template writes around a message (role, separators) and around them all.
TEMPLATE_TOKENS = 16
TEMPLATE_TOKENS_PER_MESSAGE = 8
_PRICE_TOKENS = 1_000_000
_MEDIA_BYTES = 4096

_encode = msgspec.json.Encoder().encode
# Parameters that the upstream writes into the prompt.
_PROMPTED = ("tools", "response_format")


class TokenRatio:
    """Tokens per UTF-8 byte of one model's prompts, learned from `usage`."""

    __slots__ = ("_bytes", "_highest", "_tokens")

    def __init__(self) -> None:
        self._bytes = 0.0
        self._tokens = 0.0
        self._highest = HARD_TOKENS_PER_BYTE

    def learn(self, text_bytes: int, input_tokens: int) -> None:
        """Take one answered prompt into account."""
        if text_bytes < MIN_TEXT_BYTES or input_tokens <= 0:
            return
        self._bytes += text_bytes
        self._tokens += input_tokens
        if self._bytes > _MEMORY_BYTES:
            self._bytes /= 2
            self._tokens /= 2
        shown = input_tokens / text_bytes * _MARGIN
        if shown >= self._highest:
            self._highest = shown
        else:
            self._highest += (shown - self._highest) * _FADE

    @property
    def tokens_per_byte(self) -> float:
        """The ratio learned so far."""
        return self._tokens / self._bytes if self._bytes else INITIAL_TOKENS_PER_BYTE

    @property
    def likely_tokens_per_byte(self) -> float:
        """A little more than the mean."""
        return (
            self._tokens / self._bytes * _LIKELY_MARGIN if self._bytes else LIKELY_TOKENS_PER_BYTE
        )

    @property
    def most_tokens_per_byte(self) -> float:
        """The highest ratio that prompts have shown lately; at first, the highest there is."""
        return self._highest


class Estimate(msgspec.Struct, frozen=True):
    """What one call will use, all its choices together."""

    least_tokens: int  # of the prompt alone
    likely_tokens: int  # input and output
    most_tokens: int
    most_nano: int  # in nano-units, without any discount for cached input


NOTHING = Estimate(0, 0, 0, 0)  # of a key without limits: nobody will look


class Estimator:
    """What has been learned of prompts and answers, and estimates made of it."""

    def __init__(self) -> None:
        self._ratios: dict[str, TokenRatio] = {}  # bounded by the models ever configured
        self._answers = Answers()

    def ratio(self, model: ModelSpec) -> TokenRatio:
        """Return the learned tokens per byte of `model`."""
        ratio = self._ratios.get(model.name)
        if ratio is None:
            ratio = self._ratios[model.name] = TokenRatio()
        return ratio

    def estimate(self, key_id: KeyId, call: Call) -> Estimate:
        """Return what `call` of this key will use.

        Each choice is an upstream call of its own and pays for the prompt.
        """
        model, n, params = call.model, call.n, call.params
        ratio = self.ratio(model)
        if isinstance(params, dict):
            unsaid_bytes, has_media = _besides_text(params)
            messages = len(params["messages"])
        else:
            assert type(params) is CommonBody, "validate makes nothing else"
            unsaid_bytes, has_media, messages = 0, False, len(params.messages)
        prompt_bytes = call.text_bytes + unsaid_bytes
        context = model.context_tokens
        template = TEMPLATE_TOKENS + TEMPLATE_TOKENS_PER_MESSAGE * messages
        least = ceil(prompt_bytes * ratio.tokens_per_byte)
        most_input = template + ceil(prompt_bytes * ratio.most_tokens_per_byte)
        if has_media or most_input > context:
            most_input = context  # media have no bytes here; the window bounds them too
        cap = output_cap(model, call.max_tokens)
        likely_output = min(self._answers.likely(key_id, model.name), cap)
        likely_input = template + ceil(prompt_bytes * ratio.likely_tokens_per_byte)
        if likely_input > most_input:
            likely_input = most_input
        most_nano = 0 if model.price is None else cost_nano(model.price, most_input, cap)
        return Estimate(
            n * min(least, context),
            n * (likely_input + likely_output),
            n * (most_input + cap),
            n * most_nano,
        )

    def size(self, key_id: KeyId | None, call: Call) -> tuple[int, int]:
        """Return what one choice of `call` will likely use: input and output. Unit: token.

        For the accounts' limits. Cost: a microsecond.
        """
        model, params = call.model, call.params
        ratio = self.ratio(model)
        if type(params) is CommonBody:
            prompt_bytes, messages = call.text_bytes, len(params.messages)
        else:
            assert isinstance(params, dict), "validate makes nothing else"
            unsaid_bytes, has_media = _besides_text(params)
            messages = len(params["messages"])
            # Images have no bytes of text; each is worth a few hundred tokens.
            prompt_bytes = call.text_bytes + unsaid_bytes + (_MEDIA_BYTES if has_media else 0)
        tokens = TEMPLATE_TOKENS + TEMPLATE_TOKENS_PER_MESSAGE * messages
        tokens += int(prompt_bytes * ratio.likely_tokens_per_byte)
        context = model.context_tokens
        longest = model.max_output_tokens
        cap = longest if call.max_tokens is None else min(call.max_tokens, longest)
        output = self._answers.likely(key_id, model.name)
        return (tokens if tokens < context else context), (output if output < cap else cap)

    def learn(
        self, key_id: KeyId | None, call: Call, input_tokens: int, output_tokens: int
    ) -> None:
        """Take one choice's usage, as the upstream reported it, into account.

        Give no key where it has no limits: nobody will ask about it.
        """
        if call.text_bytes >= MIN_TEXT_BYTES and _is_text_alone(call.params):
            self.ratio(call.model).learn(call.text_bytes, input_tokens)
        self._answers.learn(key_id, call.model.name, output_tokens)


def output_cap(model: ModelSpec, max_tokens: int | None) -> int:
    """Return the longest answer that one choice can have. Unit: token."""
    longest = model.max_output_tokens
    return longest if max_tokens is None else min(max_tokens, longest)


def _is_text_alone(params: dict[str, Any] | msgspec.Struct) -> bool:
    """Whether the prompt is the messages' text and nothing else."""
    return not isinstance(params, dict) or _besides_text(params) == (0, False)


def cost_nano(price: Price, input_tokens: int, output_tokens: int) -> int:
    """Return the most that so many tokens can cost, rounded up. Unit: nano-units.

    Input is taken at its dearest class: none of it is known to be cached.
    """
    dearest = price.input_nano
    if price.cached_input_nano > dearest:
        dearest = price.cached_input_nano
    if price.cache_creation_nano is not None and price.cache_creation_nano > dearest:
        dearest = price.cache_creation_nano
    return -(-(input_tokens * dearest + output_tokens * price.output_nano) // _PRICE_TOKENS)


def _besides_text(params: dict[str, Any]) -> tuple[int, bool]:
    """Return the bytes that the prompt has beyond message text, and whether it has media."""
    size, has_media = 0, False
    for name in _PROMPTED:
        if name in params:
            size += len(_encode(params[name]))
    for message in params["messages"]:
        if "tool_calls" in message:
            size += len(_encode(message["tool_calls"]))
        content = message.get("content")
        if type(content) is list:
            has_media = has_media or any(part.get("type") != "text" for part in content)
    return size, has_media
