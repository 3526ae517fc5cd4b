"""Is every documented parameter held to its rule, at, inside and outside its bounds?

Over the wire, with what the upstream received as the oracle. The table is CONTRACT section 1;
`OK` values must arrive upstream unchanged, the others must be refused with the rule's code and
parameter and never arrive.
"""

import itertools
import json

import pytest

from support.gateway import KEY, MODEL, ask
from support.lab import Lab

USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
_nonce = itertools.count()


def unique(body: dict) -> tuple[dict, str]:
    """Return the body with a `user` message of its own at the end, and that message's text."""
    prompt = f"parameters {next(_nonce)}"
    message = {"role": "user", "content": prompt}
    return {**body, "messages": [*body.get("messages", []), message]}, prompt


# -- accepted, and forwarded as they are -----------------------------------------------------------

ACCEPTED = [
    ("temperature", [0, 0.0, 1, 0.7, 2, 2.0]),
    ("top_p", [0, 0.5, 1, 1.0]),
    ("presence_penalty", [-2, -2.0, 0, 1.5, 2]),
    ("frequency_penalty", [-2, -2.0, 0, 1.5, 2]),
    ("stop", ["x", "\n", ["a"], ["a", "b", "c", "d"], ["豆"]]),
    ("max_tokens", [1, 1024, 12_288]),
    ("tools", [[TOOL], [TOOL, TOOL]]),
    ("tool_choice", ["none", "auto", "required", {"type": "function", "function": {"name": "f"}}]),
    ("response_format", [{"type": "text"}, {"type": "json_object"}]),
    ("logprobs", [True, False]),
    ("logit_bias", [{"1": -100}, {"1": 100, "2": 0.5}, {}]),
    ("parallel_tool_calls", [True, False]),
    ("thinking", [{"type": "enabled"}, {"type": "disabled"}, {"type": "auto"}]),
    ("reasoning_effort", ["minimal", "low", "medium", "high"]),
    ("service_tier", ["auto", "default"]),
]
SIDE_CONDITIONS = {
    "tool_choice": {"tools": [TOOL]},
    "parallel_tool_calls": {"tools": [TOOL]},
    "top_logprobs": {"logprobs": True},
}


def flatten(table: list[tuple[str, list]]) -> list:
    """Return one pytest parameter for each value of each field."""
    return [
        pytest.param(name, value, id=f"{name}={json.dumps(value)[:40]}")
        for name, values in table
        for value in values
    ]


@pytest.mark.parametrize(("name", "value"), flatten([*ACCEPTED, ("top_logprobs", [0, 5, 20])]))
def test_a_value_within_its_rule_arrives_unchanged(lab: Lab, name, value):
    body, prompt = unique({"model": MODEL, name: value, **SIDE_CONDITIONS.get(name, {})})

    answer = lab.gateway.post(body)

    assert answer.status == 200, answer.body
    assert lab.upstream.only(prompt).json[name] == value


@pytest.mark.parametrize(("value", "forwarded"), [(1, 1), (2, 2), (16, 16), (1.0, 1), (3.0, 3)])
def test_n_is_an_integer_from_1_to_16_and_becomes_that_many_calls(lab: Lab, value, forwarded):
    body, prompt = unique({"model": MODEL, "n": value})

    answer = lab.gateway.post(body)

    assert answer.status == 200, answer.body
    assert [choice["index"] for choice in answer.json()["choices"]] == list(range(forwarded))
    assert len(lab.upstream.seen(prompt)) == forwarded
    assert all("n" not in seen.json for seen in lab.upstream.seen(prompt))


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("Doubao-1.5-pro-32k", 12_288),
        ("Doubao-1.5-pro-256k", 12_288),
        ("Doubao-1.5-lite-32k", 12_288),
        ("Doubao-pro-32k", 4096),
    ],
)
@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_the_answer_limit_is_the_models_own(lab: Lab, model, limit, field):
    at, prompt = unique({"model": model, field: limit})
    beyond, refused = unique({"model": model, field: limit + 1})

    assert lab.gateway.post(at).status == 200
    error = lab.gateway.post(beyond).error

    assert lab.upstream.only(prompt).json["max_tokens"] == limit
    assert "max_completion_tokens" not in lab.upstream.only(prompt).json
    assert (error["code"], error["param"]) == ("invalid_value", field)
    assert not lab.upstream.seen(refused)


def test_both_token_limits_may_agree(lab: Lab):
    body, prompt = unique({"model": MODEL, "max_tokens": 9, "max_completion_tokens": 9})

    assert lab.gateway.post(body).status == 200
    assert lab.upstream.only(prompt).json["max_tokens"] == 9


# -- refused ---------------------------------------------------------------------------------------

NOT_NUMBERS = ["0.7", True, False, [1], {}]
REFUSED_VALUES = [
    ("temperature", [-0.1, 2.1, -1e-9, 3, 1e300]),
    ("top_p", [-0.1, 1.1, 1.0000001]),
    ("presence_penalty", [-2.1, 2.1]),
    ("frequency_penalty", [-2.1, 2.1]),
    ("n", [0, -1, 17, 1000, 10**30]),
    ("stop", [[], ["a", "b", "c", "d", "e"], [""]]),
    ("max_tokens", [0, -1, 12_289, 10**30]),
    ("max_completion_tokens", [0, -1, 12_289]),
    ("top_logprobs", [-1, 21]),
    ("logit_bias", [{"1": 101}, {"1": -101}]),
    ("tool_choice", ["sometimes"]),
    ("response_format", [{"type": "xml"}]),
    ("thinking", [{"type": "perhaps"}]),
    ("messages", [[]]),
]
REFUSED_TYPES = [
    ("model", [1, True, [MODEL], {}]),
    ("messages", ["hi", {"role": "user"}, 1, True]),
    ("temperature", NOT_NUMBERS),
    ("top_p", NOT_NUMBERS),
    ("presence_penalty", NOT_NUMBERS),
    ("frequency_penalty", NOT_NUMBERS),
    ("n", [*NOT_NUMBERS, 1.5]),
    ("stream", ["true", 1, 0, []]),
    ("stop", [1, True, {}, ["a", 1], [None]]),
    ("max_tokens", [*NOT_NUMBERS, 1.5]),
    ("max_completion_tokens", [*NOT_NUMBERS, 1.5]),
    ("tools", ["f", {}, [1]]),
    ("tool_choice", [1, []]),
    ("response_format", ["json_object", []]),
    ("logprobs", [1, "true"]),
    ("top_logprobs", ["5", 1.5, True]),
    ("logit_bias", ["x", [1], {"1": "5"}, {"1": True}]),
    ("parallel_tool_calls", [1, "true"]),
    ("thinking", ["enabled", []]),
    ("reasoning_effort", [1, {}]),
    ("service_tier", [1, {}]),
    ("user", [1, {}]),
    ("metadata", ["x", []]),
    ("seed", ["1", 1.5, True]),
    ("store", ["true", 1]),
    ("prompt_cache_key", [1, []]),
    ("safety_identifier", [1, []]),
]


def names(param: str | None, field: str) -> bool:
    """Whether an error's `param` is the field or a place inside it."""
    return param is not None and (param == field or param.startswith((f"{field}.", f"{field}[")))


@pytest.mark.parametrize(
    ("code", "name", "value"),
    [
        pytest.param(code, *case.values, id=f"{case.id}")
        for code, table in (("invalid_value", REFUSED_VALUES), ("invalid_type", REFUSED_TYPES))
        for case in flatten(table)
    ],
)
def test_a_value_outside_its_rule_is_refused_by_name(lab: Lab, code, name, value):
    before = len(lab.upstream.log)
    body = {**ask("refused"), **SIDE_CONDITIONS.get(name, {}), name: value}

    answer = lab.gateway.post(body)

    assert answer.status == 400, answer.body
    assert answer.error["type"] == "invalid_request_error"
    assert answer.error["code"] == code
    assert names(answer.error["param"], name), answer.error
    assert answer.header("x-should-retry") == "false"
    assert len(lab.upstream.log) == before


MESSAGES = [
    # (messages, code, param)
    ([1], "invalid_type", "messages[0]"),
    ([USER, "hi"], "invalid_type", "messages[1]"),
    ([{"role": "robot", "content": "hi"}], "invalid_value", "messages[0].role"),
    ([{"role": "User", "content": "hi"}], "invalid_value", "messages[0].role"),
    ([{"role": "", "content": "hi"}], "invalid_value", "messages[0].role"),
    ([USER, {"role": 1, "content": "hi"}], "invalid_type", "messages[1].role"),
    ([{"role": "user"}], "missing_required_parameter", "messages[0].content"),
    ([{"role": "user", "content": None}], "missing_required_parameter", "messages[0].content"),
    ([{"role": "assistant", "content": None}], "missing_required_parameter", "messages[0].content"),
    ([{"role": "tool", "tool_call_id": "c"}], "missing_required_parameter", "messages[0].content"),
    (
        [{"role": "assistant", "content": None, "tool_calls": []}],
        "missing_required_parameter",
        "messages[0].content",
    ),
    ([{"role": "user", "content": 5}], "invalid_type", "messages[0].content"),
    ([{"role": "user", "content": True}], "invalid_type", "messages[0].content"),
    ([{"role": "user", "content": {"text": "hi"}}], "invalid_type", "messages[0].content"),
    ([{"role": "user", "content": ["hi"]}], "invalid_type", "messages[0].content[0]"),
]


@pytest.mark.parametrize(("messages", "code", "param"), MESSAGES)
def test_a_message_outside_its_rule_is_refused_by_its_place(lab: Lab, messages, code, param):
    before = len(lab.upstream.log)

    answer = lab.gateway.post({"model": MODEL, "messages": messages})

    assert answer.status == 400, answer.body
    assert (answer.error["code"], answer.error["param"]) == (code, param)
    assert len(lab.upstream.log) == before


@pytest.mark.parametrize("missing", ["model", "messages"])
@pytest.mark.parametrize("how", ["absent", "null"])
def test_required_fields_are_required_and_null_means_absent(lab: Lab, missing, how):
    body = ask("required")
    if how == "absent":
        del body[missing]
    else:
        body[missing] = None

    answer = lab.gateway.post(body)

    assert answer.status == 400
    assert answer.error["code"] == "missing_required_parameter"
    assert answer.error["param"] == missing


@pytest.mark.parametrize(
    ("fields", "code", "params"),
    [
        ({"stream_options": {"include_usage": True}}, "invalid_value", {"stream_options"}),
        (
            {"stream": False, "stream_options": {"include_usage": True}},
            "invalid_value",
            {"stream_options"},
        ),
        ({"stream": True, "stream_options": True}, "invalid_type", {"stream_options"}),
        (
            {"stream": True, "stream_options": {"include_usage": 1}},
            "invalid_type",
            {"stream_options.include_usage"},
        ),
        (
            {"max_tokens": 5, "max_completion_tokens": 6},
            "invalid_value",
            {"max_tokens", "max_completion_tokens"},
        ),
    ],
)
def test_rules_that_join_two_fields(lab: Lab, fields, code, params):
    answer = lab.gateway.post(ask("joined", **fields))

    assert answer.status == 400, answer.body
    assert answer.error["code"] == code
    assert answer.error["param"] in params


# -- models ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public", "ark_id"),
    [
        ("Doubao-1.5-pro-32k", "doubao-1-5-pro-32k-250115"),
        ("Doubao-1.5-pro-256k", "doubao-1-5-pro-256k-250115"),
        ("Doubao-1.5-lite-32k", "doubao-1-5-lite-32k-250115"),
        ("Doubao-pro-32k", "doubao-pro-32k-241215"),
    ],
)
def test_a_public_name_becomes_the_ark_id_and_comes_back(lab: Lab, public, ark_id):
    body, prompt = unique({"model": public})

    answer = lab.gateway.post(body)

    assert lab.upstream.only(prompt).json["model"] == ark_id
    assert answer.json()["model"] == public


@pytest.mark.parametrize(
    "model",
    [
        "doubao-1.5-pro-32k",
        "Doubao-1.5-pro-32k ",
        "doubao-1-5-pro-32k-250115",
        "gpt-4o",
        "",
        "Doubao-1.5-pro-32k\0",
        "x" * 5000,
    ],
)
def test_other_names_are_not_found_in_one_text(lab: Lab, model):
    reference = lab.gateway.post({**ask("x"), "model": "no-such-model"})
    answer = lab.gateway.post({**ask("x"), "model": model})

    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    assert answer.error == reference.error


def test_a_prompt_clearly_beyond_the_window_is_refused_at_once(lab: Lab):
    prompt = "The quick brown fox jumps over the lazy dog. " * 20_000  # 900 kB for 32 768 tokens

    answer = lab.gateway.chat(prompt)

    assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")
    assert answer.error["param"] == "messages"
    assert not lab.upstream.seen(prompt)


def test_the_same_prompt_is_no_problem_for_the_longer_window(lab: Lab):
    prompt = (
        "The quick brown fox jumps over the lazy dog. " * 4_000
    )  # 180 kB, far below 256k tokens

    assert lab.gateway.chat(prompt, model="Doubao-1.5-pro-256k").status == 200
    assert lab.upstream.only(prompt)


# -- the body as a whole ---------------------------------------------------------------------------

GOOD = json.dumps(ask("body")).encode()
NOT_JSON = {
    "empty": b"",
    "blank": b"  ",
    "truncated": GOOD[:-1],
    "trailing garbage": GOOD + b"x",
    "two documents": GOOD + GOOD,
    "array": b"[" + GOOD + b"]",
    "string": b'"hi"',
    "number": b"5",
    "null": b"null",
    "single quotes": GOOD.replace(b'"', b"'"),
    "comment": GOOD + b"// x",
    "trailing comma": GOOD[:-1] + b",}",
    "not UTF-8": GOOD.replace(b"body", b"\xff\xfe"),
    "overlong UTF-8": GOOD.replace(b"body", b"\xc0\xaf"),
    "UTF-16": json.dumps(ask("body")).encode("utf-16"),
    "NaN": GOOD[:-1] + b', "temperature": NaN}',
    "Infinity": GOOD[:-1] + b', "temperature": Infinity}',
    "leading zero": GOOD[:-1] + b', "n": 01}',
    "hexadecimal": GOOD[:-1] + b', "n": 0x1}',
    "plus sign": GOOD[:-1] + b', "n": +1}',
    "raw newline in a string": GOOD.replace(b"body", b"bo\ndy"),
    "raw NUL in a string": GOOD.replace(b"body", b"bo\0dy"),
    "bad escape": GOOD.replace(b"body", b"\\x41"),
    "deep arrays": b"[" * 1_000_000,
    "deep objects": b'{"a":' * 200_000,
    "deep inside a good body": GOOD[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_a_body_that_is_no_json_object_is_refused(lab: Lab, body):
    before = len(lab.upstream.log)
    headers = [("Content-Length", "0")] if not body else []

    answer = lab.gateway.post(body, headers=headers)

    assert answer.status == 400, answer.body
    assert answer.error["code"] == "invalid_json"
    assert len(lab.upstream.log) == before


def test_text_of_any_language_and_every_escape_arrives_unchanged(lab: Lab):
    text = '豆包 🫘 " \\ / \b \f \n \r \t \u2028 \x7f \0 ｱ é ' + "".join(map(chr, range(32)))
    for body in (json.dumps(ask(text)), json.dumps(ask(text), ensure_ascii=False)):
        answer = lab.gateway.post(body.encode())
        assert answer.json()["choices"][0]["message"]["content"] == f"echo: {text}"
    first, second = lab.upstream.seen(text)
    assert first.json["messages"] == second.json["messages"]


# -- headers that belong to the call ---------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"],
)
def test_content_type_may_carry_a_charset(lab: Lab, content_type):
    answer = lab.gateway.post(ask("typed"), headers=[("Content-Type", content_type)])
    assert answer.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Type", "text/plain")],
        [("Content-Type", "application/x-www-form-urlencoded")],
        [("Content-Type", "application/jsonp")],
        [("Content-Type", "")],
        [("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
        [("Content-Type", "application/json"), ("Content-Encoding", "br")],
    ],
)
def test_other_types_and_codings_are_415(lab: Lab, headers):
    before = len(lab.upstream.log)

    answer = lab.gateway.post(ask("typed"), headers=headers)

    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")
    assert len(lab.upstream.log) == before


def test_no_content_type_at_all_is_415(lab: Lab):
    body = json.dumps(ask("untyped")).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with lab.gateway.connect() as connection:
        answer = connection.send(head.encode() + body).read_response()

    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")


def test_identity_coding_is_no_coding(lab: Lab):
    assert lab.gateway.post(ask("id"), headers=[("Content-Encoding", "identity")]).status == 200


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "text/html", "*/*"])
def test_accept_is_not_enforced(lab: Lab, accept):
    assert lab.gateway.post(ask("accept"), headers=[("Accept", accept)]).status == 200


@pytest.mark.parametrize("value", ["c", "sess_abc123789", "!~", "x" * 256])
def test_a_conversation_id_of_1_to_256_visible_characters(lab: Lab, value):
    assert lab.gateway.post(ask("conv"), headers=[("X-Conversation-Id", value)]).status == 200


@pytest.mark.parametrize("value", ["", "x" * 257, "a b", "a\tb", "d\xe9j\xe0", "a\x7f"])
def test_other_conversation_ids_are_400(lab: Lab, value):
    answer = lab.gateway.post(ask("conv"), headers=[("X-Conversation-Id", value)])

    assert answer.status == 400
    assert answer.error["type"] == "invalid_request_error"
