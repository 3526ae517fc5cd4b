"""How is the public API described? OpenAPI 3.1, from its routes, its rules and its errors.

Committed as docs/openapi.json. What the code has as data is taken from it: routes, roles, error
codes, bounds. Rules are functions; what stands here of them is held to them by
tests/unit/control/test_public_openapi.py, value for value.
"""

from typing import Any

from arkway import __version__
from arkway.admission.days import MAX_DAYS, USUAL_DAYS
from arkway.admission.messages import ROLES
from arkway.admission.rules import MAX_STOPS
from arkway.control.process import Limits
from arkway.model import errors
from arkway.routing.lease import Affinity

Schema = dict[str, Any]

_REF = "#/components/schemas/"
_ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.GatewayError) and hasattr(kind, "code")
]
# Statuses of what only a call can meet: a key's limits, an account, a body that is read.
_OF_CALLS = (415, 429, 502, 504)
_TITLES = {
    400: "The request breaks a rule; `param` names the field.",
    401: "There is no valid key.",
    403: "The key may not be used from this address.",
    404: "There is no such model for this key, or no such path.",
    405: "The path has other methods: `allow` names them.",
    408: "The request came too slowly.",
    413: "The body is too large.",
    415: "The body is not JSON, or compressed.",
    429: "A limit is reached; `retry-after` where waiting helps.",
    431: "The headers are too large.",
    500: "A bug of the gateway; it has been logged under `x-request-id`.",
    502: "The upstream failed.",
    503: "The gateway or the upstream cannot take the call now.",
    504: "The upstream, or the caller's own deadline, ran out of time.",
}


def document() -> Schema:
    """Return the description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Arkway",
            "version": __version__,
            "description": "An OpenAI-compatible gateway for Doubao. `null` means absent, unknown "
            "fields are never an error, and every error has the same form.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The public port of your gateway."}],
        "security": [{"apiKey": []}],
        "paths": {
            "/v1/chat/completions": {"post": _chat()},
            "/v1/models": {"get": _read("list_models", "List the models of this key.", "Models")},
            "/v1/models/{id}": {"get": _model()},
            "/v1/usage": {"get": _usage()},
        },
        "components": {
            "schemas": _schemas(),
            "responses": {f"Error{status}": _error(status) for status in _TITLES},
            "headers": _headers(),
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
    }


def _chat() -> Schema:
    conversation = {
        "name": "X-Conversation-Id",
        "in": "header",
        "description": "Names the conversation, so that its calls find their prompt cache.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,256}$"},
    }
    content = {
        "application/json": {"schema": {"$ref": _REF + "ChatCompletion"}},
        "text/event-stream": {},  # OpenAPI 3.1 has no words for what one event is
    }
    described = (
        "The answer. With `stream`, events `data: ` with a ChatCompletionChunk each, and at last "
        "`data: [DONE]`: without it the answer is not whole."
    )
    names = ("openai-processing-ms", "x-arkway-affinity", "x-arkway-attempts")
    return {
        "operationId": "create_chat_completion",
        "summary": "Create one chat completion, plain or streamed.",
        "parameters": [conversation],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REF + "ChatRequest"}}},
        },
        "responses": {
            "200": {"description": described, "headers": _named(*names), "content": content},
            **_errors(_TITLES),
        },
    }


def _read(name: str, summary: str, answer: str) -> Schema:
    content = {"application/json": {"schema": {"$ref": _REF + answer}}}
    statuses = [status for status in _TITLES if status not in _OF_CALLS]
    return {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "Done.", "headers": _named(), "content": content},
            **_errors(statuses),
        },
    }


def _model() -> Schema:
    found = _read("get_model", "Get one model.", "Model")
    schema = {"type": "string", "pattern": "^[A-Za-z0-9._-]+$"}
    return {
        **found,
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": schema}],
    }


def _usage() -> Schema:
    day = {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
    first = f"The first UTC day; if absent, of {USUAL_DAYS} days that end with the last one."
    last = f"The last UTC day, at most {MAX_DAYS - 1} days later; today if absent."
    return {
        **_read("get_usage", "Get what this key has used, by day and model.", "Usage"),
        "parameters": [
            {"name": "start_date", "in": "query", "description": first, "schema": day},
            {"name": "end_date", "in": "query", "description": last, "schema": day},
        ],
    }


def _errors(statuses: Any) -> Schema:
    return {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in statuses}


def _error(status: int) -> Schema:
    codes = sorted({error.code for error in _ERRORS if error.status == status})
    own = {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}
    schema = {"allOf": [{"$ref": _REF + "Error"}, own]}
    return {
        "description": _TITLES[status],
        "headers": _named(*(("retry-after",) if status in (429, 503) else ())),
        "content": {"application/json": {"schema": schema}},
    }


def _named(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("x-request-id", *names)}


def _headers() -> Schema:
    count = {"type": "integer", "minimum": 0}
    affinity = {"type": "string", "enum": [each.value for each in Affinity]}
    return {
        "x-request-id": {
            "description": "The id to quote.",
            "required": True,
            "schema": {"type": "string", "format": "uuid"},
        },
        "retry-after": {"description": "Seconds, where waiting helps.", "schema": count},
        "openai-processing-ms": {"required": True, "schema": count},
        "x-arkway-attempts": {"required": True, "schema": count},
        "x-arkway-affinity": {"required": True, "schema": affinity},
    }


def _schemas() -> Schema:
    return {
        "ChatRequest": _request(),
        "Message": _message(),
        "ContentPart": _PART,
        **_answers(),
        "Error": _object(
            error=_object(message=_TEXT, type=_TEXT, param=or_null(_TEXT), code=_TEXT)
        ),
    }


def or_null(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def number(low: float, high: float) -> Schema:
    """Return the schema of a number within bounds."""
    return {"type": "number", "minimum": low, "maximum": high}


def _object(**properties: Schema) -> Schema:
    """Return the schema of an object that has all of these, and perhaps more one day."""
    return {"type": "object", "required": list(properties), "properties": properties}


def _kind(*allowed: str) -> Schema:
    """Return the schema of an object whose type is one of these."""
    return _object(type={"enum": list(allowed)})


_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_ANY_OBJECT: Schema = {"type": "object"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_SOME_TEXT: Schema = {"type": "string", "minLength": 1}
_AT_LEAST_ONE: Schema = {"type": "integer", "minimum": 1}
_STOPS: Schema = {"type": "array", "items": _SOME_TEXT, "minItems": 1, "maxItems": MAX_STOPS}
_CHOICES: Schema = {"enum": ["none", "auto", "required"]}
_PART: Schema = {
    "type": "object",
    "required": ["type"],
    "anyOf": [
        {"required": ["text"], "properties": {"type": {"const": "text"}, "text": _TEXT}},
        {"properties": {"type": {"type": "string", "not": {"const": "text"}}}},
    ],
    "description": "Parts that are no text pass untouched; the gateway fetches nothing.",
}
# The schema of each field that has a rule in `admission.rules`.
FIELDS: dict[str, Schema] = {
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "presence_penalty": number(-2, 2),
    "frequency_penalty": number(-2, 2),
    "stop": {"anyOf": [_SOME_TEXT, _STOPS]},
    "tools": {"type": "array", "items": _ANY_OBJECT},
    "tool_choice": {"anyOf": [_CHOICES, _ANY_OBJECT]},
    "response_format": _kind("text", "json_object", "json_schema"),
    "logprobs": _FLAG,
    "top_logprobs": {"type": "integer", "minimum": 0, "maximum": 20},
    "logit_bias": {"type": "object", "additionalProperties": number(-100, 100)},
    "parallel_tool_calls": _FLAG,
    "thinking": _kind("enabled", "disabled", "auto"),
    "reasoning_effort": _TEXT,
    "service_tier": _TEXT,
    "user": _TEXT,
    "metadata": _ANY_OBJECT,
    "seed": {"type": "integer"},
    "store": _FLAG,
    "prompt_cache_key": _TEXT,
    "safety_identifier": _TEXT,
}


def _request() -> Schema:
    """Return what a caller may send; the largest `max_tokens` is the model's."""
    choices = Limits().max_choices
    options = {"type": "object", "properties": {"include_usage": or_null(_FLAG)}}
    return {
        "type": "object",
        "required": ["model", "messages"],
        "properties": {
            "model": {**_TEXT, "description": "A name of `GET /v1/models`, or an alias."},
            "messages": {"type": "array", "minItems": 1, "items": {"$ref": _REF + "Message"}},
            "stream": or_null(_FLAG),
            "stream_options": {**or_null(options), "description": "Only with `stream: true`."},
            "n": or_null(
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": choices,
                    "description": "As many calls upstream. The operator may set another maximum.",
                }
            ),
            "max_tokens": or_null(_AT_LEAST_ONE),
            "max_completion_tokens": or_null(_AT_LEAST_ONE),
            **{name: or_null(schema) for name, schema in FIELDS.items()},
        },
        "allOf": [
            {"anyOf": [_null("stream_options"), _is("stream", True)]},
            {"anyOf": [_null("max_tokens"), _null("max_completion_tokens")]},
        ],
    }


def _null(name: str) -> Schema:
    return {"properties": {name: {"type": "null"}}}


def _is(name: str, value: object) -> Schema:
    return {"required": [name], "properties": {name: {"const": value}}}


def _message() -> Schema:
    parts = {"type": "array", "minItems": 1, "items": {"$ref": _REF + "ContentPart"}}
    calls = {"type": "array", "minItems": 1, "items": _ANY_OBJECT}
    with_content = {
        "required": ["content"],
        "properties": {"content": {"anyOf": [_TEXT, parts]}},
    }
    of_calls = {
        "required": ["role", "tool_calls"],
        "properties": {
            "role": {"const": "assistant"},
            "content": {"type": "null"},
            "tool_calls": calls,
        },
    }
    role = {**or_null({"enum": list(ROLES)}), "description": "`user` if absent."}
    return {
        "type": "object",
        "properties": {"role": role},
        "anyOf": [with_content, of_calls],
    }


def _answers() -> Schema:
    usage = _object(
        prompt_tokens=_COUNT,
        completion_tokens=_COUNT,
        total_tokens=_COUNT,
        prompt_tokens_details=_object(cached_tokens=_COUNT),
        completion_tokens_details=_object(reasoning_tokens=_COUNT),
    )
    message = _object(role={"const": "assistant"}, content=or_null(_TEXT), refusal=or_null(_TEXT))
    message["properties"] |= {
        "reasoning_content": or_null(_TEXT),
        "tool_calls": {"type": "array", "items": _ANY_OBJECT},
    }
    delta = {"type": "object", "properties": dict(message["properties"])}
    choice = _object(index=_COUNT, message=message, logprobs={}, finish_reason=_TEXT)
    piece = _object(index=_COUNT, delta=delta, logprobs={}, finish_reason=or_null(_TEXT))
    model = _object(
        id=_TEXT, object={"const": "model"}, created={"type": "integer"}, owned_by=_TEXT
    )
    return {
        "ChatCompletion": _answer("chat.completion", choice, {"$ref": _REF + "TokenUsage"}),
        "ChatCompletionChunk": _answer(
            "chat.completion.chunk", piece, or_null({"$ref": _REF + "TokenUsage"})
        ),
        "TokenUsage": usage,
        "Model": model,
        "Models": _list({"$ref": _REF + "Model"}),
        "UsageDay": _usage_day(),
        "Usage": _list({"$ref": _REF + "UsageDay"}, start_date=_TEXT, end_date=_TEXT),
    }


def _answer(kind: str, choice: Schema, usage: Schema) -> Schema:
    answer = _object(
        id={"type": "string", "pattern": "^chatcmpl-[0-9a-f]{32}$"},
        object={"const": kind},
        created={"type": "integer"},
        model=_TEXT,
        choices={"type": "array", "items": choice},
    )
    answer["properties"]["usage"] = usage  # absent where the upstream counted nothing
    return answer


def _list(item: Schema, **more: Schema) -> Schema:
    return _object(object={"const": "list"}, **more, data={"type": "array", "items": item})


def _usage_day() -> Schema:
    return _object(
        object={"const": "usage.day"},
        date={"type": "string", "format": "date"},
        model=_TEXT,
        requests=_COUNT,
        uncached_input_tokens=_COUNT,
        cached_input_tokens=_COUNT,
        cache_creation_input_tokens=_COUNT,
        output_tokens=_COUNT,
        reasoning_output_tokens=_COUNT,
        cache_hit_rate=number(0, 1),
        cost={"type": "string", "pattern": r"^-?\d+(\.\d{1,9})?$"},
        currency=_TEXT,
    )
