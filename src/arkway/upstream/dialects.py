"""How does an upstream want to be asked? A call to request bytes, per dialect. Hot path.

`openai` sends everything on, fields we do not know included. `ark` sends what Ark documents and
drops the rest: some unknown fields are errors there. Usage is always requested: without it no
stream can be accounted for.
"""

from typing import Any

from arkway.model.call import Call
from arkway.model.catalogue import Dialect
from arkway.wire.common_body import CommonBody, StreamOptions
from arkway.wire.openai import encode

# Source: Ark chat API. `n`, `seed`, `user`, `metadata`, `store` and the like are not in it.
ARK_PARAMETERS = frozenset(
    {
        "messages",
        "max_tokens",
        "temperature",
        "top_p",
        "stop",
        "frequency_penalty",
        "presence_penalty",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "thinking",
        "reasoning_effort",
        "service_tier",
    }
)
_ARK = Dialect.ARK  # bound once: Python 3.11 finds an enum's member by a slow path
_USAGE = {"include_usage": True}
_COMMON_USAGE = StreamOptions(include_usage=True)


def encode_call(call: Call, dialect: Dialect, upstream_model: str) -> bytes:
    """Return the request body for one choice of `call`. Same input, same bytes."""
    params = call.params
    if type(params) is CommonBody:  # every upstream knows all of its fields
        params.model = upstream_model
        if call.stream:
            params.stream_options = _COMMON_USAGE
        return encode(params)
    assert type(params) is dict, "validate makes nothing else"
    body: dict[str, Any] = {"model": upstream_model}
    if dialect is _ARK:
        for name in params:
            if name in ARK_PARAMETERS:
                body[name] = params[name]
    else:
        body.update(params)
    if call.stream:
        body["stream"] = True
        body["stream_options"] = _USAGE
    return encode(body)


def unsent_parameters(call: Call, dialect: Dialect) -> list[str]:
    """Return the names of the caller's fields that `dialect` leaves out, sorted."""
    if dialect is not Dialect.ARK or type(call.params) is not dict:
        return []
    return sorted(set(call.params) - ARK_PARAMETERS)
