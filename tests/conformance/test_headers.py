"""Does every answer carry the promised headers, and never a forbidden one? CONTRACT section 2."""

import re
import time
import uuid

import pytest

from support.answers import ARK_ACCOUNT, ARK_ID, Gate, fail, reply
from support.gateway import KEY, UPSTREAM_KEY, ask
from support.httpraw import Response
from support.lab import Lab, open_lab

ANSWERS = {
    "plain": lambda lab: lab.gateway.chat("plain"),
    "stream": lambda lab: lab.gateway.chat("stream", stream=True),
    "n = 3": lambda lab: lab.gateway.chat("three", n=3),
    "n = 3 stream": lambda lab: lab.gateway.chat("three", n=3, stream=True),
    "models": lambda lab: lab.gateway.call("GET", "/v1/models"),
    "one model": lambda lab: lab.gateway.call("GET", "/v1/models/Doubao-pro-32k"),
    "400": lambda lab: lab.gateway.post(b"{"),
    "401": lambda lab: lab.gateway.post(ask("x"), key=None),
    "404 route": lambda lab: lab.gateway.call("GET", "/nope"),
    "404 model": lambda lab: lab.gateway.chat("x", model="nope"),
    "405": lambda lab: lab.gateway.call("DELETE", "/v1/models"),
    "415": lambda lab: lab.gateway.post(ask("x"), headers=[("Content-Type", "text/plain")]),
    "bad HTTP": lambda lab: raw(lab, b"BROKEN\r\n\r\n"),
    "431": lambda lab: lab.gateway.post(ask("x"), headers=[("X-Big", "x" * 40_000)]),
}


def raw(lab: Lab, data: bytes) -> Response:
    with lab.gateway.connect() as connection:
        return connection.send(data).read_response()


@pytest.mark.parametrize("ask_for", ANSWERS.values(), ids=ANSWERS)
def test_every_answer_has_a_request_id_of_ours(lab: Lab, ask_for):
    before_ms = time.time_ns() // 1_000_000
    first, second = ask_for(lab), ask_for(lab)
    after_ms = time.time_ns() // 1_000_000

    ids = [uuid.UUID(answer.header("x-request-id")) for answer in (first, second)]
    assert ids[0] != ids[1]
    for answer, ident in zip((first, second), ids, strict=True):
        assert ident.version == 7
        assert answer.header("x-request-id") == str(ident)
        assert before_ms - 1 <= ident.int >> 80 <= after_ms + 1
        assert answer.header("cache-control") in ("no-store", "no-cache")


CALLS = ("plain", "stream", "n = 3", "n = 3 stream")


@pytest.mark.parametrize("name", CALLS)
def test_an_answered_call_says_how_it_was_served(lab: Lab, name):
    answer = ANSWERS[name](lab)

    assert re.fullmatch(r"\d+", answer.header("openai-processing-ms"))
    assert answer.header("x-arkway-attempts") == "1"
    assert answer.header("x-arkway-affinity") in ("home", "spill", "new", "none")


def test_processing_time_is_the_time_it_took(lab: Lab):
    gate = Gate()
    prompt = lab.upstream.plan(lambda seen: [gate, *reply("late")(seen)])
    started_s = time.monotonic()
    with lab.gateway.open_stream(prompt, n=1) as connection:
        assert gate.reached.wait(5)
        time.sleep(0.1)  # the delay under test
        gate.open()
        head = connection.read_head()
    took_ms = (time.monotonic() - started_s) * 1000

    assert 100 <= int(head.header("openai-processing-ms")) <= took_ms + 1


def test_a_stream_is_declared_as_one(lab: Lab):
    head = ANSWERS["stream"](lab)

    assert head.header("content-type") == "text/event-stream; charset=utf-8"
    assert head.header("cache-control") == "no-cache"
    assert head.header("x-accel-buffering") == "no"


@pytest.mark.parametrize("name", [name for name in ANSWERS if "stream" not in name])
def test_everything_else_is_json_not_to_be_stored(lab: Lab, name):
    answer = ANSWERS[name](lab)

    assert answer.header("content-type") == "application/json"
    assert answer.header("cache-control") == "no-store"
    assert int(answer.header("content-length")) == len(answer.body)


@pytest.mark.parametrize("own", ["a", "A-Z_0.9", "x" * 64, "9f1c2b7e-0c55-4f0e-8d59-3a1b5c7d9e20"])
def test_a_valid_request_id_of_the_caller_is_echoed_and_not_trusted(lab: Lab, own):
    for path in ("/v1/chat/completions", "/nope"):
        answer = lab.gateway.call("POST", path, ask("x"), headers=[("X-Request-Id", own)])
        assert answer.header("x-client-request-id") == own
        assert answer.header("x-request-id") != own


@pytest.mark.parametrize("own", ["", "x" * 65, "a b", "a/b", "<script>", "\xe9", "a\tb"])
def test_another_request_id_is_ignored(lab: Lab, own):
    answer = lab.gateway.post(ask("x"), headers=[("X-Request-Id", own)])

    assert answer.status == 200
    assert answer.header("x-client-request-id") is None


@pytest.mark.parametrize("name", [name for name in ANSWERS if name[:1] == "4"])
def test_what_a_retry_cannot_cure_says_so(lab: Lab, name):
    assert ANSWERS[name](lab).header("x-should-retry") == "false"


def test_a_wrong_method_names_the_right_ones(lab: Lab):
    assert lab.gateway.call("GET", "/v1/chat/completions").header("allow") == "POST"
    allowed = lab.gateway.call("POST", "/v1/models", {}).header("allow")
    assert {method.strip() for method in allowed.split(",")} in ({"GET"}, {"GET", "HEAD"})


SECRETS = (ARK_ID, ARK_ACCOUNT, UPSTREAM_KEY, KEY, "account-0", "250115", "127.0.0.1")


@pytest.mark.parametrize(
    "answer", [reply("x"), fail(500), fail(429, "RateLimitExceeded.EndpointRPMExceeded")]
)
def test_no_header_names_an_account_or_an_upstream_id(answer):
    noisy = [("X-Request-Id", ARK_ID), ("X-Client-Request-Id", ARK_ID), ("Set-Cookie", ARK_ID)]

    def with_headers(seen):
        for step in answer(seen):
            extra = "".join(f"\r\n{name}: {value}" for name, value in noisy).encode()
            yield step.replace(b"\r\nContent-Type", extra + b"\r\nContent-Type", 1)

    with open_lab() as lab:
        response = lab.gateway.chat(lab.upstream.plan(with_headers))

    shown = f"{response.headers} {response.body!r}"
    assert not [secret for secret in SECRETS if secret in shown]


# -- models ----------------------------------------------------------------------------------------

PUBLIC_NAMES = [
    "Doubao-1.5-pro-32k",
    "Doubao-1.5-pro-256k",
    "Doubao-1.5-lite-32k",
    "Doubao-pro-32k",
]


def test_models_are_listed_as_openai_lists_them(lab: Lab):
    listing = lab.gateway.call("GET", "/v1/models").json()

    assert listing["object"] == "list"
    assert sorted(model["id"] for model in listing["data"]) == sorted(PUBLIC_NAMES)
    for model in listing["data"]:
        assert set(model) == {"id", "object", "created", "owned_by"}
        assert (model["object"], type(model["created"])) == ("model", int)
        assert lab.gateway.call("GET", f"/v1/models/{model['id']}").json() == model


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/Doubao-pro-32k"])
def test_models_ask_for_a_key(lab: Lab, path):
    assert lab.gateway.call("GET", path, key=None).error["code"] == "missing_api_key"


def test_an_unknown_model_is_not_found(lab: Lab):
    answer = lab.gateway.call("GET", "/v1/models/nope")
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")


def test_a_query_string_changes_nothing(lab: Lab):
    assert lab.gateway.call("GET", "/v1/models?limit=1").status == 200


def test_a_head_request_has_no_body(lab: Lab):
    """HEAD of a GET route is GET without the body, or a refusal without one; never a hang."""
    answer = lab.gateway.call("HEAD", "/v1/models")
    assert answer.status in (200, 405)
    with lab.gateway.connect() as connection:
        connection.send(b"HEAD /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head = connection.read_head()
        assert connection.read_all() == b""
    assert head.status in (200, 401, 405)
