"""What exactly is being asked? Bytes of a body to a typed `Call`. Hot path.

One pass over the fields that are there: each has a rule (`rules.RULES`, and the few below that
depend on others or on the model). Fields without a rule pass on untouched.
"""

import re
from typing import Any

import msgspec
from msgspec import UNSET

from arkway.admission.messages import check_messages
from arkway.admission.rules import RULES, Rule, boolean, check_integer, integer, mapping, string
from arkway.model.call import Call, Caller, RawRequest
from arkway.model.catalogue import ModelSpec, Snapshot
from arkway.model.errors import (
    ContextLengthExceeded,
    InvalidJson,
    InvalidValue,
    MissingParameter,
    ModelNotFound,
)
from arkway.wire.common_body import MAX_COMMON_BYTES, CommonBody, decode_common, text_bytes

_decode = msgspec.json.Decoder().decode
_UNCOMMON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_CONVERSATION = "x-conversation-id"
_visible = re.compile(rb"[!-~]{1,256}").fullmatch
_RULES_BY_LIMIT: dict[int, dict[str, Rule]] = {}
_IDENTITIES = frozenset({"metadata", "prompt_cache_key", "user"})

# How far over the context window an estimate must be before we refuse ourselves: estimates err,
# and a false refusal is worse than one the upstream makes.
CLEARLY_BEYOND = 1.25


def validate(request: RawRequest, caller: Caller, snapshot: Snapshot, max_choices: int) -> Call:
    """Return the call in `request`; every documented rule holds for it.

    Errors:  a 400 that names the parameter and the rule; ModelNotFound for a model that does not
             exist and, in the same words, for one this key may not use.
    """
    conversation = _conversation_header(request) if _CONVERSATION in request.present else None
    if len(request.body) <= MAX_COMMON_BYTES:
        try:
            body = decode_common(request.body)
        except _UNCOMMON:
            pass  # for the full rules
        else:
            model = snapshot.models.get(body.model)
            allowed = caller.key.models
            if model is not None and (allowed is None or model.name in allowed):
                call = _common_call(body, model, conversation)
                if call is not None:
                    return call
    return _any_call(request.body, caller, snapshot, max_choices, conversation)


def _common_call(body: CommonBody, model: ModelSpec, conversation: str | None) -> Call | None:
    """Return the call of a body of the common kind; None where the full rules must speak."""
    stream, include_usage = body.stream, False
    max_tokens = None if body.max_tokens is UNSET else body.max_tokens
    if max_tokens is not None and max_tokens > model.max_output_tokens:
        return None
    if body.stream_options is not UNSET:
        if not stream:
            return None
        include_usage = body.stream_options.include_usage
    size = text_bytes(body.messages)
    return Call(model, body.model, stream, include_usage, 1, body, size, conversation, max_tokens)


def _any_call(
    body: bytes, caller: Caller, snapshot: Snapshot, max_choices: int, conversation: str | None
) -> Call:
    """Return the call of any body, by the full rules."""
    params = decode_body(body)
    requested = params.pop("model", None)
    if requested is None:
        raise MissingParameter("Missing required parameter: 'model'.", param="model")
    model = find_model(string(requested, "model"), caller, snapshot)
    if "messages" not in params:
        raise MissingParameter("Missing required parameter: 'messages'.", param="messages")
    size = check_messages(params["messages"])
    stream = params.pop("stream", False)
    if stream is not False:
        boolean(stream, "stream")
    include_usage = "stream_options" in params and _include_usage(params, stream=stream)
    n = params.pop("n", 1)
    if n != 1 or type(n) is not int:
        n = check_integer(n, "n", 1, max_choices)
    rules = _rules_of(model)
    for name, value in params.items():
        rule = rules.get(name)
        if rule is not None:
            params[name] = rule(value, name)
    if "max_completion_tokens" in params:
        _one_max_tokens(params)
    if conversation is None and not _IDENTITIES.isdisjoint(params):
        conversation = _conversation_field(params)
    max_tokens = params.get("max_tokens")
    return Call(model, requested, stream, include_usage, n, params, size, conversation, max_tokens)


def check_context(call: Call, tokens_per_byte: float) -> None:
    """Refuse a call that clearly cannot fit the model's window; nearer cases are the upstream's.

    Units:   tokens_per_byte: learned from the usage of this model's past answers.
    """
    prompt = int(call.text_bytes * tokens_per_byte)
    wanted = prompt + (call.max_tokens or 0)
    window = call.model.context_tokens
    if wanted > window * CLEARLY_BEYOND:
        raise ContextLengthExceeded(
            f"This model's context window is {window} tokens. The messages are about {prompt} "
            f"tokens, and with 'max_tokens' the request needs about {wanted}.",
            param="messages",
        )


def decode_body(body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object, those that are null left out.

    Errors:  InvalidJson for anything else.
    """
    try:
        fields = _decode(body)
    except RecursionError:
        raise InvalidJson("The request body is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidJson(f"The request body is not valid JSON: {_reason(error)}.") from None
    if type(fields) is not dict:
        raise InvalidJson("The request body must be a JSON object.")
    if None in fields.values():
        fields = {name: value for name, value in fields.items() if value is not None}
    return fields


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(error).removeprefix("JSON is malformed: ").lower().rstrip(".")


def find_model(name: str, caller: Caller, snapshot: Snapshot) -> ModelSpec:
    """Return the model of a name or an alias.

    Errors:  ModelNotFound, in the same words for one that this key may not use.
    """
    model = snapshot.models.get(name)
    allowed = caller.key.models
    if model is None or (allowed is not None and model.name not in allowed):
        raise ModelNotFound(
            "The model you asked for does not exist, or you do not have access to it.",
            param="model",
        )
    return model


def _include_usage(params: dict[str, Any], *, stream: bool) -> bool:
    options = mapping(params.pop("stream_options"), "stream_options")
    if not stream:
        raise InvalidValue(
            "The 'stream_options' parameter is only allowed when 'stream' is true.",
            param="stream_options",
        )
    asked = options.get("include_usage")
    return asked is not None and boolean(asked, "stream_options.include_usage")


def _rules_of(model: ModelSpec) -> dict[str, Rule]:
    """Return the rules of every plain field for one model; one table a limit, few limits."""
    limit = model.max_output_tokens
    rules = _RULES_BY_LIMIT.get(limit)
    if rules is None:
        answer = integer(1, limit)
        own = {"max_tokens": answer, "max_completion_tokens": answer}
        rules = _RULES_BY_LIMIT[limit] = {**RULES, **own}
    return rules


def _one_max_tokens(params: dict[str, Any]) -> None:
    """Send on `max_tokens` alone: the upstreams know no other name for it."""
    completion = params.pop("max_completion_tokens")
    if params.setdefault("max_tokens", completion) != completion:
        raise InvalidValue(
            "Set 'max_tokens' or 'max_completion_tokens', not both with different values.",
            param="max_completion_tokens",
        )


def _conversation_header(request: RawRequest) -> str:
    value = request.conversation
    if _CONVERSATION in request.repeated or _visible(value) is None:
        raise InvalidValue(
            "Invalid value for 'X-Conversation-Id': expected one header of 1 to 256 visible "
            "ASCII characters.",
            param="X-Conversation-Id",
        )
    return value.decode("ascii")


def _conversation_field(params: dict[str, Any]) -> str | None:
    """Return the identity a body gives: `metadata.user_id`, `prompt_cache_key` or `user`."""
    metadata = params.get("metadata")
    named = metadata.get("user_id") if metadata is not None else None
    for value in (named, params.get("prompt_cache_key"), params.get("user")):
        if type(value) is str and value:
            return value
    return None
