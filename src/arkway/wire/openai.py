"""What do OpenAI-shaped answers look like on the wire? Typed views of upstream JSON, and ours.

Upstream objects are read leniently (unknown fields are skipped, `null` counts as absent) and
written strictly: field for field as OpenAI documents them, so that strict clients work.
Source: OpenAI API reference, chat completion and chunk objects; Ark chat API.
"""

import re
from calendar import timegm
from collections.abc import Sequence
from typing import Any

import msgspec

from arkway.model.catalogue import Dialect, ModelSpec, Snapshot
from arkway.model.errors import GatewayError
from arkway.model.usage import Usage

ENCODER = msgspec.json.Encoder()
encode = ENCODER.encode


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_creation_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class WireUsage(msgspec.Struct):
    """The `usage` object as upstreams send it."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None

    def to_usage(self) -> Usage | None:
        """Return the counts; None when they are incomplete or impossible.

        An explicit zero is a count, not a gap.
        """
        prompt, completion = self.prompt_tokens, self.completion_tokens
        if prompt is None or completion is None:
            return None
        details, output = self.prompt_tokens_details, self.completion_tokens_details
        cached = created = reasoning = 0
        if details is not None:
            cached, created = details.cached_tokens or 0, details.cache_creation_tokens or 0
        if output is not None:
            reasoning = output.reasoning_tokens or 0
        usage = Usage(prompt, cached, completion, reasoning, created)
        return usage if usage.is_possible() else None


class Delta(msgspec.Struct, omit_defaults=True):
    """What a chunk adds to a choice. `role` is read nowhere: we send our own role chunk."""

    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[Any] | None = None

    def is_empty(self) -> bool:
        """Whether the chunk adds nothing a caller could use."""
        return (
            not self.content
            and not self.reasoning_content
            and not self.refusal
            and not self.tool_calls
        )


class ChunkChoice(msgspec.Struct):
    """One choice of an upstream chunk."""

    delta: Delta | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class Chunk(msgspec.Struct):
    """One upstream chunk."""

    choices: list[ChunkChoice] | None = None
    usage: WireUsage | None = None
    error: Any = None


class Message(msgspec.Struct):
    """The message of a plain answer, as we write it."""

    role: str | None = "assistant"
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | msgspec.UnsetType | None = msgspec.UNSET
    tool_calls: list[Any] | msgspec.UnsetType | None = msgspec.UNSET


class Choice(msgspec.Struct):
    """One choice of a plain answer; field order is the order on the wire."""

    index: int | None = 0
    message: Message | None = None
    logprobs: Any = None
    finish_reason: str | None = None


class Answer(msgspec.Struct):
    """A plain upstream answer."""

    choices: list[Choice] | None = None
    usage: WireUsage | None = None
    error: Any = None


decode_chunk = msgspec.json.Decoder(Chunk).decode
decode_answer = msgspec.json.Decoder(Answer).decode


class _UpstreamErrorBody(msgspec.Struct):
    code: str | int | None = None
    message: str | None = None
    type: str | None = None


class _UpstreamErrorEnvelope(msgspec.Struct):
    error: _UpstreamErrorBody | str | None = None


def decode_error(body: bytes) -> tuple[str, str]:
    """Return `(code, message)` of an upstream error envelope; empty strings where it has none.

    Shapes:  body: the whole envelope, or the bare value of its `error` key.
    """
    for shape in (_UpstreamErrorEnvelope, _UpstreamErrorBody):
        try:
            decoded: Any = msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        error = decoded.error if shape is _UpstreamErrorEnvelope else decoded
        if isinstance(error, str):
            return "", error
        if error is not None:
            return str(error.code or ""), error.message or ""
    return "", ""


def usage_json(usage: Usage) -> bytes:
    """Return the `usage` object a caller sees."""
    return (
        b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
        b'"prompt_tokens_details":{"cached_tokens":%d},'
        b'"completion_tokens_details":{"reasoning_tokens":%d}}'
    ) % (
        usage.input_tokens,
        usage.output_tokens,
        usage.input_tokens + usage.output_tokens,
        usage.cached_input_tokens,
        usage.reasoning_output_tokens,
    )


def error_body(error: GatewayError) -> bytes:
    """Return the JSON body of an error answer."""
    return encode(error.body())


def error_event(error: GatewayError) -> bytes:
    """Return the event that ends a stream which cannot be completed. No `[DONE]` follows it."""
    return b"data: " + encode(error.body()) + b"\n\n"


def model_object(model: ModelSpec, snapshot: Snapshot) -> dict[str, Any]:
    """Return a model as `GET /v1/models` shows it. A stand-in is unmistakable by its owner."""
    stand_in = bool(snapshot.accounts) and all(
        account.dialect is Dialect.LOCAL for account in snapshot.accounts
    )
    return {
        "id": model.name,
        "object": "model",
        "created": _release_s(model.upstream_model),
        "owned_by": "arkway-local-stand-in" if stand_in else "bytedance",
    }


def _release_s(upstream_model: str) -> int:
    """Return when a model was released, by the date its id ends in; 0 if it ends in none."""
    match = re.search(r"-(\d\d)(\d\d)(\d\d)$", upstream_model)
    if match is None:
        return 0
    year, month, day = (int(part) for part in match.groups())
    try:
        return timegm((2000 + year, month, day, 0, 0, 0))
    except ValueError:
        return 0


DONE = b"data: [DONE]\n\n"
PING = b": ping\n"  # one newline: a blank line after a comment crashes widely used clients


class Envelope(msgspec.Struct, frozen=True):
    """What every object of one answer shares: the same id, created and model throughout.

    The answer's id is the request's without dashes, so either finds the other.
    Shapes:  model: the name the caller sent.
    Units:   created in seconds since the epoch.
    """

    request_id: str
    created: int
    model: str
    include_usage: bool

    def plain(self, choices: Sequence[Choice | None], usage: Usage | None) -> bytes:
        """Return a whole plain answer."""
        return (
            b'{"id":"chatcmpl-%b","object":"chat.completion","created":%d,"model":%b,"choices":%b%b}'
        ) % (
            self.request_id.replace("-", "").encode(),
            self.created,
            encode(self.model),
            encode(choices),
            b"" if usage is None else b',"usage":%b' % usage_json(usage),
        )

    def delta_head(self, index: int) -> bytes:
        """Return an event up to where the `delta` value goes."""
        return b'%b{"index":%d,"delta":' % (self._chunk_head(), index)

    def delta_tail(self, logprobs: bytes, finish_reason: bytes) -> bytes:
        """Return what follows the `delta` value; both arguments are JSON values."""
        usage = b',"usage":null' if self.include_usage else b""
        return b',"logprobs":%b,"finish_reason":%b}]%b}\n\n' % (logprobs, finish_reason, usage)

    def usage_event(self, usage: Usage) -> bytes:
        """Return the chunk that carries the usage, for a caller that asked."""
        return b'%b],"usage":%b}\n\n' % (self._chunk_head(), usage_json(usage))

    def _chunk_head(self) -> bytes:
        return (
            b'data: {"id":"chatcmpl-%b","object":"chat.completion.chunk",'
            b'"created":%d,"model":%b,"choices":['
        ) % (self.request_id.replace("-", "").encode(), self.created, encode(self.model))
