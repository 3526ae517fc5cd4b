"""How many tokens has a prompt, which blocks is it made of, and what does it ask of us?

A message has ceil(UTF-8 bytes / bytes_per_token) tokens, so anyone can tell beforehand what usage
will say (docs/simulator.md). Its bytes: a string's own; of a list of parts the text of text parts
and the compact JSON of others; after them the compact JSON of tool calls. `tools` count as one
more message before all others.
"""

import hashlib
import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from arkway.simulate.ark.cache import Block
from arkway.simulate.ark.faults import Fault
from arkway.simulate.ark.settings import Tokenizer

ROLES = ("system", "user", "assistant", "tool")
_DIRECTIVE = re.compile(r"\[\[sim((?: +[a-z_]+=[!-Z^-~]{1,256}){1,16}) *\]\]")
_encode = msgspec.json.encode


class Message(Struct):
    """One message, as far as it matters here."""

    role: str
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[Any] | None = None


class StreamOptions(Struct):
    """What a stream is asked to tell besides."""

    include_usage: bool | None = None
    chunk_include_usage: bool | None = None


class Body(Struct):
    """A request, as far as it matters here; other fields are ignored, as Ark seems to do."""

    model: str | None = None
    messages: list[Message] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[Any] | None = None


class Wish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a `[[sim ...]]` in the last message asks for."""

    tokens: Annotated[int, Meta(ge=1, le=10**9)] | None = None  # length of the answer
    echo: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{0,200}\Z")] = ""  # it begins with this
    finish: Literal["stop", "length", "content_filter", "tool_calls", ""] = ""  # finish_reason
    first_token_s: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    tokens_per_s: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    fault: Fault | None = None


NO_WISH = Wish()


class BadDirective(ValueError):
    """A directive that says something that cannot be."""


def texts_of(body: Body) -> list[bytes]:
    """Return the bytes of each message, `tools` first."""
    texts = [_encode(body.tools)] if body.tools else []
    for message in body.messages or ():
        content = message.content
        if isinstance(content, str):
            text = content.encode()
        elif content is None:
            text = b""
        else:
            text = b"".join(map(_part, content))
        texts.append(text + _encode(message.tool_calls) if message.tool_calls else text)
    return texts


def _part(part: dict[str, Any]) -> bytes:
    text = part.get("text")
    return text.encode() if part.get("type") == "text" and isinstance(text, str) else _encode(part)


def tokens_of(texts: list[bytes], tokenizer: Tokenizer) -> int:
    """Return how many tokens the messages have."""
    width = tokenizer.bytes_per_token
    return sum([-(-len(text) // width) for text in texts]) + tokenizer.tokens_per_message * len(
        texts
    )


def blocks_of(
    body: Body, texts: list[bytes], seed: str, block_tokens: int, tokenizer: Tokenizer
) -> list[Block]:
    """Return the names of the prompt's full blocks.

    Messages are laid side by side, each padded to whole tokens; where one begins, its role goes
    into the name of the block, so that the same text from another mouth is another prompt.
    Cost:    one hash over the prompt.
    """
    width = tokenizer.bytes_per_token
    roles = ["tools"] if body.tools else []
    roles += [message.role for message in body.messages or ()]
    whole, heads = bytearray(), []
    for role, text in zip(roles, texts, strict=True):
        heads.append((len(whole) // width, role))
        whole += b"\0" * (tokenizer.tokens_per_message * width) + text
        whole += b"\0" * (-len(whole) % width)
    names, name, next_head = [], seed.encode(), 0
    for start in range(0, len(whole) // width - block_tokens + 1, block_tokens):
        digest = hashlib.blake2b(name, digest_size=16)
        while next_head < len(heads) and heads[next_head][0] < start + block_tokens:
            digest.update(b"%d %b\n" % (heads[next_head][0] - start, heads[next_head][1].encode()))
            next_head += 1
        digest.update(whole[start * width : (start + block_tokens) * width])
        name = digest.digest()
        names.append(name)
    return names


def wish_of(text: bytes) -> Wish:
    """Return what the directive in a message's text asks for; the first one counts.

    Errors:  BadDirective.
    """
    if b"[[sim" not in text:
        return NO_WISH
    match = _DIRECTIVE.search(text.decode())
    if match is None:
        raise BadDirective("a directive has the form [[sim name=value ...]]")
    raw: dict[str, Any] = dict(word.split("=", 1) for word in match[1].split())
    if "fault" in raw:
        raw["fault"] = fault_of(raw.pop("fault"), raw)
    try:
        return msgspec.convert(raw, Wish, strict=False)
    except msgspec.ValidationError as error:
        raise BadDirective(str(error)) from None


def fault_of(kind: str, raw: dict[str, Any]) -> dict[str, Any]:
    """Return the fault `kind`, with its parameters taken out of `raw`."""
    names = set(Fault.__struct_fields__) & set(raw)
    return {"kind": kind, **{name: raw.pop(name) for name in names}}
