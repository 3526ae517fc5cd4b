"""What is being asked? The typed steps of a call: RawRequest, Caller, Call, Target.

msgspec structs rather than dataclasses: several are made for every call, and a frozen dataclass
takes ten times as long to make.
"""

from typing import Any

import msgspec

from arkway.model.catalogue import AccountSpec, KeySpec, ModelSpec
from arkway.model.errors import GatewayError


class RawRequest(msgspec.Struct, eq=False):
    """One HTTP request: the headers that anything of ours reads, and its body as it arrives.

    A header that was not sent is empty. `present` tells it from one that was sent empty.
    """

    method: bytes
    path: bytes  # without the query
    authorization: bytes = b""
    content_encoding: bytes = b""
    content_length: bytes = b""
    content_type: bytes = b""
    conversation: bytes = b""  # X-Conversation-Id
    expect: bytes = b""
    host: bytes = b""
    client_request_id: bytes = b""  # X-Request-Id
    read_timeout: bytes = b""  # x-stainless-read-timeout: how long the caller's SDK waits
    transfer_encoding: bytes = b""
    traceparent: bytes = b""  # the W3C trace that the caller's request is part of
    accept: bytes = b""  # of documentation; answers of the API have one form each
    if_none_match: bytes = b""
    present: frozenset[str] = frozenset()  # names of wanted headers that came, empty ones too
    repeated: frozenset[str] = frozenset()  # names of wanted headers that came more than once
    peer: str = ""  # the address the connection came from
    keep_alive: bool = True
    is_http_1_0: bool = False
    body: bytes = b""  # whole once `is_complete`
    is_complete: bool = False
    refusal: GatewayError | None = None  # the rule that the body broke on its way
    query: bytes = b""  # behind the path, without its question mark
    head: object = None  # the same object for requests whose heads are the same

    def has_ended(self) -> bool:
        """Whether no more of the body will come: it is whole, or refused."""
        return self.is_complete or self.refusal is not None


class Caller(msgspec.Struct, frozen=True):
    """Who is asking: the authenticated holder of a key."""

    key: KeySpec


class Call(msgspec.Struct, frozen=True):
    """One validated inference request; what it says is within every documented rule.

    `params` is the body to send on. As a dict it is without what the gateway itself owns (`model`,
    `n`, `stream`, `stream_options`): null fields dropped, roles mapped, `max_completion_tokens`
    renamed, unknown fields untouched. A body of the common kind stays the struct it was read into,
    whose `model`, `stream` and `stream_options` the dialect sets.
    """

    model: ModelSpec
    requested_model: str  # the name the caller sent; answers carry it
    stream: bool
    include_usage: bool  # the caller asked for a usage chunk
    n: int
    params: dict[str, Any] | msgspec.Struct
    text_bytes: int  # UTF-8 bytes of message text; the base of token estimates
    conversation: str | None  # identity for affinity, before namespacing; None: none was given
    max_tokens: int | None = None  # the longest answer the caller wants; None: it did not say


class Target(msgspec.Struct, frozen=True):
    """Where one attempt goes: an account and the model id it knows there."""

    account: AccountSpec
    upstream_model: str
