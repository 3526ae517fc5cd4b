import json
import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.model.catalogue import AccountSpec, Dialect, ModelSpec, Secret, Snapshot
from arkway.model.errors import InvalidValue, UpstreamStreamInterrupted
from arkway.model.usage import Usage
from arkway.wire.openai import (
    DONE,
    PING,
    Choice,
    Delta,
    Envelope,
    Message,
    WireUsage,
    decode_answer,
    decode_chunk,
    decode_error,
    encode,
    error_body,
    error_event,
    model_object,
    usage_json,
)
from support.strategies import json_bytes, json_values, texts

ENVELOPE = Envelope("0190-aa", 1234, "Doubao-1.5-pro-32k", include_usage=False)
WITH_USAGE = Envelope("0190-aa", 1234, "Doubao-1.5-pro-32k", include_usage=True)


def wire_usage(**fields):
    return msgspec.json.decode(json_bytes(fields), type=WireUsage).to_usage()


def only_event(data):
    assert data.startswith(b"data: ")
    assert data.endswith(b"\n\n")
    assert data.count(b"\n") == 2
    return json.loads(data[6:])


class TestUsage:
    def test_all_counts_are_read(self):
        assert wire_usage(
            prompt_tokens=9,
            completion_tokens=5,
            total_tokens=14,
            prompt_tokens_details={"cached_tokens": 4, "audio_tokens": 0},
            completion_tokens_details={"reasoning_tokens": 3},
        ) == Usage(9, 4, 5, 3)

    @pytest.mark.parametrize(
        "details",
        [
            {},
            {"prompt_tokens_details": None, "completion_tokens_details": None},
            {"prompt_tokens_details": {}, "completion_tokens_details": {}},
            {
                "prompt_tokens_details": {"cached_tokens": None},
                "completion_tokens_details": {"reasoning_tokens": None},
            },
        ],
    )
    def test_details_may_be_absent(self, details):
        assert wire_usage(prompt_tokens=9, completion_tokens=0, **details) == Usage(9, 0, 0, 0)

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"prompt_tokens": 1},
            {"completion_tokens": 1},
            {"prompt_tokens": None, "completion_tokens": 1},
            {"prompt_tokens": 1, "completion_tokens": None},
            {"prompt_tokens": -1, "completion_tokens": 1},
            {"prompt_tokens": 1, "completion_tokens": -1},
            {
                "prompt_tokens": 1,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": 2},
            },
            {
                "prompt_tokens": 1,
                "completion_tokens": 1,
                "completion_tokens_details": {"reasoning_tokens": -1},
            },
        ],
    )
    def test_what_is_incomplete_or_impossible_is_not_usage(self, fields):
        assert wire_usage(**fields) is None

    @given(st.integers(0, 10**9), st.integers(0, 10**9), st.data())
    def test_what_a_caller_sees_reads_back_as_the_same_usage(self, prompt, completion, data):
        usage = Usage(
            prompt,
            data.draw(st.integers(0, prompt)),
            completion,
            data.draw(st.integers(0, completion)),
        )

        shown = json.loads(usage_json(usage))

        assert msgspec.convert(shown, WireUsage).to_usage() == usage
        assert shown["total_tokens"] == prompt + completion


class TestDelta:
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"role": "assistant"},
            {"content": ""},
            {"content": None, "reasoning_content": "", "refusal": None, "tool_calls": []},
        ],
    )
    def test_nothing_a_caller_could_use_is_empty(self, fields):
        assert msgspec.convert(fields, Delta).is_empty()

    @pytest.mark.parametrize(
        "fields",
        [{"content": " "}, {"reasoning_content": "x"}, {"refusal": "no"}, {"tool_calls": [{}]}],
    )
    def test_anything_else_is_not(self, fields):
        assert not msgspec.convert(fields, Delta).is_empty()


class TestDecodeError:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"error": {"code": "A.B", "message": "m", "param": "", "type": "t"}}, ("A.B", "m")),
            ({"error": {"code": 400, "message": "m"}}, ("400", "m")),
            ({"error": {"code": None, "message": None}}, ("", "")),
            ({"error": {}}, ("", "")),
            ({"error": "text"}, ("", "text")),
            ({"error": None}, ("", "")),
            ({"error": None, "code": "A", "message": "m"}, ("A", "m")),
            ({"code": "A", "message": "m"}, ("A", "m")),
            ({"requestId": "r", "code": "A", "message": "m"}, ("A", "m")),
            ({"error": {"code": ["A"], "message": "m"}}, ("", "")),
            ({"error": 5}, ("", "")),
            ([], ("", "")),
            ("text", ("", "")),
            (5, ("", "")),
            (None, ("", "")),
        ],
    )
    def test_a_table_of_envelopes(self, body, expected):
        assert decode_error(json_bytes(body)) == expected

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b'{"error":{"code":"a"',
            b'{"error":{"message":"\xff"}}',
            b'{"error":{"message":"\\ud800"}}',
            b'{"x":' + b"[" * 100_000,
        ],
    )
    def test_what_is_no_envelope_says_nothing(self, body):
        assert decode_error(body) == ("", "")

    @given(st.one_of(json_values.map(json_bytes), st.binary(max_size=30)))
    def test_anything_decodes_to_two_texts(self, body):
        code, message = decode_error(body)

        assert type(code) is type(message) is str

    def test_the_recorded_errors_of_llamacpp(self, fixtures):
        for case in json.loads((fixtures / "llamacpp_errors.json").read_text()):
            error = case["body"]["error"]
            found = decode_error(json_bytes(case["body"]))
            assert found == (str(error["code"]), error["message"])


@pytest.fixture
def fixtures(request):
    return request.config.rootpath / "tests" / "fixtures"


class TestErrors:
    def test_a_body_is_the_envelope(self):
        assert json.loads(error_body(InvalidValue('a "b"', param="n"))) == {
            "error": {
                "message": 'a "b"',
                "type": "invalid_request_error",
                "param": "n",
                "code": "invalid_value",
            }
        }

    @given(texts)
    def test_an_event_is_one_line(self, message):
        event = only_event(error_event(UpstreamStreamInterrupted(message)))

        assert event["error"]["message"] == message
        assert event["error"]["code"] == "upstream_stream_interrupted"
        assert set(event) == {"error"}


class TestModelObject:
    @pytest.mark.parametrize(
        ("upstream_model", "created"),
        [
            ("doubao-1-5-pro-32k-250115", 1736899200),
            ("doubao-pro-32k-241215", 1734220800),
            ("ep-20250115", 0),
            ("m-251301", 0),
            ("m-250015", 0),
            ("m-250115-x", 0),
            ("", 0),
        ],
    )
    def test_the_release_is_read_from_the_upstream_id(self, upstream_model, created):
        model = ModelSpec("M", upstream_model, 10, 5)

        assert model_object(model, Snapshot({}, (), {})) == {
            "id": "M",
            "object": "model",
            "created": created,
            "owned_by": "bytedance",
        }

    @pytest.mark.parametrize(
        ("dialects", "owner"),
        [
            ([], "bytedance"),
            (["ark"], "bytedance"),
            (["local"], "arkway-local-stand-in"),
            (["local", "local"], "arkway-local-stand-in"),
            (["local", "ark"], "bytedance"),
        ],
    )
    def test_a_stand_in_is_unmistakable(self, dialects, owner):
        accounts = tuple(
            AccountSpec(f"a{at}", Dialect(name), "http://h", Secret(""))
            for at, name in enumerate(dialects)
        )

        model = ModelSpec("M", "m", 10, 5)

        assert model_object(model, Snapshot({}, accounts, {}))["owned_by"] == owner


class TestEnvelope:
    @given(texts, st.booleans())
    def test_a_plain_answer_is_the_documented_object(self, content, has_usage):
        choice = Choice(0, Message(content=content), None, "stop")
        usage = Usage(3, 1, 2, 1) if has_usage else None

        answer = json.loads(ENVELOPE.plain([choice], usage))

        shown = {} if usage is None else {"usage": json.loads(usage_json(usage))}
        assert (
            answer
            == {
                "id": "chatcmpl-0190aa",
                "object": "chat.completion",
                "created": 1234,
                "model": "Doubao-1.5-pro-32k",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": content, "refusal": None},
                        "logprobs": None,
                        "finish_reason": "stop",
                    }
                ],
            }
            | shown
        )

    def test_optional_parts_of_a_message_come_only_where_they_are(self):
        message = Message(content=None, tool_calls=[{"id": "1"}], reasoning_content="hm")

        answer = json.loads(
            ENVELOPE.plain([Choice(1, message, {"content": []}, "tool_calls")], None)
        )

        assert answer["choices"] == [
            {
                "index": 1,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                    "reasoning_content": "hm",
                    "tool_calls": [{"id": "1"}],
                },
                "logprobs": {"content": []},
                "finish_reason": "tool_calls",
            }
        ]

    @pytest.mark.parametrize("envelope", [ENVELOPE, WITH_USAGE])
    @pytest.mark.parametrize("reason", [b"null", b'"stop"'])
    def test_a_chunk_is_the_documented_object(self, envelope, reason):
        event = only_event(
            envelope.delta_head(3) + b'{"content":"a"}' + envelope.delta_tail(b"null", reason)
        )

        assert event == {
            "id": "chatcmpl-0190aa",
            "object": "chat.completion.chunk",
            "created": 1234,
            "model": "Doubao-1.5-pro-32k",
            "choices": [
                {
                    "index": 3,
                    "delta": {"content": "a"},
                    "logprobs": None,
                    "finish_reason": json.loads(reason),
                }
            ],
        } | ({"usage": None} if envelope.include_usage else {})

    def test_a_usage_chunk_has_no_choices(self):
        usage = Usage(3, 1, 2, 1)

        event = only_event(WITH_USAGE.usage_event(usage))

        assert event["choices"] == []
        assert event["usage"] == json.loads(usage_json(usage))
        assert event["id"] == "chatcmpl-0190aa"

    @given(st.uuids(), texts)
    def test_ids_and_names_survive_whatever_they_hold(self, request_id, name):
        envelope = Envelope(str(request_id), 1, name, include_usage=True)

        event = only_event(envelope.usage_event(Usage()))

        assert uuid.UUID(event["id"].removeprefix("chatcmpl-")) == request_id
        assert event["model"] == name


@pytest.mark.parametrize("decode", [decode_chunk, decode_answer])
def test_upstream_objects_are_read_leniently(decode):
    assert decode(b"{}").choices is None
    assert decode(b'{"choices":null,"usage":null,"error":null,"x":[1,{"y":2}]}').error is None
    assert decode(b'{"choices":[{"index":7,"what":1,"finish_reason":null}]}').choices
    with pytest.raises(msgspec.DecodeError):
        decode(b'{"choices":"no"}')


def test_marks_of_a_stream_are_what_clients_expect():
    assert DONE == b"data: [DONE]\n\n"
    assert PING == b": ping\n"
    assert encode({"a": "é"}) == '{"a":"é"}'.encode()
