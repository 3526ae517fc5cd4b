"""Is this a body of the common kind? Most calls, read and checked in one pass in C. Hot path.

Most bodies hold text messages and a few numbers. For these the types below say the rules, and
msgspec applies them while it decodes. Whatever does not fit (another field, a `null`, a value out
of range, broken JSON) is nobody's error yet: `validate` reads it again by the full rules, and those
word the refusal. So this may refuse more than the full rules, and must accept nothing else.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

# A longer body is read once, by the full rules: to read it twice would cost more than this saves.
MAX_COMMON_BYTES = 8 * 1024

_ZeroToTwo = Annotated[int, Meta(ge=0, le=2)] | Annotated[float, Meta(ge=0, le=2)]
_ZeroToOne = Annotated[int, Meta(ge=0, le=1)] | Annotated[float, Meta(ge=0, le=1)]
_Penalty = Annotated[int, Meta(ge=-2, le=2)] | Annotated[float, Meta(ge=-2, le=2)]


class CommonMessage(msgspec.Struct, forbid_unknown_fields=True):
    """A message of text."""

    role: Literal["system", "user", "assistant"]
    content: str


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    """What a caller wants of a stream."""

    include_usage: bool


class CommonBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A body of the common kind. Encoded again, it is the upstream's: field for field."""

    model: str
    messages: Annotated[list[CommonMessage], Meta(min_length=1)]
    temperature: _ZeroToTwo | UnsetType = UNSET
    top_p: _ZeroToOne | UnsetType = UNSET
    max_tokens: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    presence_penalty: _Penalty | UnsetType = UNSET
    frequency_penalty: _Penalty | UnsetType = UNSET
    stream: bool = False
    stream_options: StreamOptions | UnsetType = UNSET


decode_common = msgspec.json.Decoder(CommonBody).decode


def text_bytes(messages: list[CommonMessage]) -> int:
    """Return the UTF-8 bytes of the messages' text."""
    total = 0
    for message in messages:
        content = message.content
        total += len(content) if content.isascii() else len(content.encode())
    return total
