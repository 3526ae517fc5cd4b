"""The promise: no credential, prompt or answer leaves by a side door, whatever goes wrong.

Canaries go in wherever a secret or a text of a person can be; then calls fail in thirty ways, at
level debug, with call lines, spans and all. Everything the gateway says to operators, and every
error body, is searched for them.
"""

import base64
import http.client
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.answers import CLOSE, DONE, RESET, SSE_HEAD, chunk, fail, reply, sse, steps, streamed
from support.canaries import found
from support.gateway import DISABLED_KEY, KEY, LITE_KEY, MODEL, ask, encode
from support.lab import open_lab
from support.otlp import Collector

PROMPT = "canary-prompt-tulip"
ANSWER = "canary-answer-violet"
CANARIES = {
    "upstream credential": "canary-credential-rose",
    "prompt": PROMPT,
    "answer": ANSWER,
    "unknown key": "sk-canary-unknown-key-lily",
    "malformed key": "canary-malformed-key-iris",
    "basic password": "canary-password-aster",
    "query credential": "canary-query-poppy",
    "cookie": "canary-cookie-daisy",
    "user": "canary-user-peony",
    "conversation": "canary-conversation-lotus",
    "tool argument": "canary-tool-orchid",
    "upstream error text": "canary-upstream-text-yarrow",
}
KNOWN_KEYS = (KEY, LITE_KEY, DISABLED_KEY)
TEXT = CANARIES["upstream error text"]
LEAKY_ERROR = {"error": {"code": "InternalServiceError", "message": f"{TEXT} {PROMPT}"}}
# A refusal may name a role or a model that its caller made up, and no text of a message.
FIELDS = {
    "user": CANARIES["user"],
    "tools": [
        {"type": "function", "function": {"name": "f", "description": CANARIES["tool argument"]}}
    ],
}
HEADERS = [
    ("X-Conversation-Id", CANARIES["conversation"]),
    ("Cookie", f"session={CANARIES['cookie']}"),
    ("traceparent", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"),
]


def leaky(status, code="InternalServiceError"):
    """Answer an error whose text quotes what it should not."""
    return lambda seen: fail(status, code)(
        type("Quoting", (), {"json": seen.json, "prompt": f"{TEXT} {seen.prompt}"})()
    )


# How attempts fail: what the upstream does. Each is tried plain and streamed.
UPSTREAM_FAULTS = {
    "reset": steps(RESET),
    "close": steps(CLOSE),
    "garbage": steps(b"garbage " + PROMPT.encode() + b"\r\n\r\n"),
    "400": leaky(400, "InvalidParameter"),
    "401": leaky(401, "AuthenticationError"),
    "403": leaky(403, "AccessDenied"),
    "404": leaky(404, "ModelNotOpen"),
    "429": leaky(429, "RateLimitExceeded"),
    "500": leaky(500),
    "moderated": leaky(400, "SensitiveContentDetected"),
    "broken json": steps(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n" + b'{"x": ca'),
    "cut": streamed(lambda say: sse(say.delta(ANSWER), RESET)),
    "garbled": steps(
        SSE_HEAD, chunk(b"data: " + PROMPT.encode() + b"\n\n"), chunk(DONE), b"0\r\n\r\n"
    ),
    "error event": steps(
        SSE_HEAD, chunk(b"data: " + json.dumps(LEAKY_ERROR).encode() + b"\n\n"), b"0\r\n\r\n"
    ),
    "whole": reply(ANSWER),
}


def caller_faults():
    """Return how callers fail: a name and the bytes of each request."""
    path = "/v1/chat/completions"
    body = ask(PROMPT, **FIELDS)
    basic = base64.b64encode(f"user:{CANARIES['basic password']}".encode()).decode()
    query = f"{path}?api_key={CANARIES['query credential']}"
    said = json.dumps(PROMPT).encode()
    return {
        "unknown key": encode("POST", path, body, key=CANARIES["unknown key"]),
        "malformed key": encode("POST", path, body, key=CANARIES["malformed key"]),
        "disabled key": encode("POST", path, body, key=DISABLED_KEY),
        "no key": encode("POST", query, body, key=None),
        "basic": encode(
            "POST", path, body, key=None, headers=[("Authorization", f"Basic {basic}")]
        ),
        "wrong model for the key": encode("POST", path, body, key=LITE_KEY),
        "unknown model": encode("POST", path, body | {"model": PROMPT}),
        "unknown url": encode("POST", query.replace("chat", "chart"), body),
        "wrong method": encode("PUT", query, body),
        "bad json": encode("POST", path, b'{"messages": [' + said),
        "wrong type": encode("POST", path, body | {"temperature": PROMPT}),
        "wrong value": encode("POST", path, body | {"temperature": 9}),
        "media type": encode(
            "POST", path, body, headers=[("Content-Type", "text/" + CANARIES["user"])]
        ),
        "two lengths": encode(
            "POST", path, body, headers=[("Content-Length", "1"), ("Content-Length", "2")]
        ),
        "no http": PROMPT.encode() + b" " + KEY.encode() + b"\r\n\r\n",
    }


@pytest.fixture(scope="module")
def told():
    """Let everything fail; return all that was said, by who said it."""
    settings = {
        "log": {"level": "debug", "calls": True},
        "upstream": {"first_token_s": 0.5, "plain_answer_s": 0.5, "between_chunks_s": 0.5},
    }
    env = {"UPSTREAM_KEY": CANARIES["upstream credential"]}
    said = {}
    with Collector() as collector:
        settings["telemetry"] = {
            "otlp_endpoint": collector.url, "sample_ratio": 1.0, "propagate": True,
        }  # fmt: skip
        with open_lab(number_of_accounts=2, settings=settings, env=env) as lab:
            gateway, upstream = lab.gateway, lab.upstream
            kinds = 0
            for name, answer in UPSTREAM_FAULTS.items():
                for is_stream in (False, True):
                    upstream.default = answer
                    response = gateway.post(
                        ask(PROMPT, stream=is_stream, **FIELDS), headers=HEADERS
                    )
                    kinds += not is_stream
                    whole = name in ("whole", "cut")  # carries the answer: that is its purpose
                    said[f"body: {name} {is_stream}"] = b"" if whole else response.body
            for name, data in caller_faults().items():
                said[f"body: {name}"] = gateway.raw(data)
                kinds += 1
            assert kinds == 30
            said["upstreams"] = b""
            for path in ("/metrics", "/status", "/readyz", "/healthz", "/" + PROMPT):
                said[f"ops {path[:8]}"] = ops(gateway.ops_port, path)
            pid = gateway.process.pid
            said["command line"] = Path(f"/proc/{pid}/cmdline").read_bytes()
            home = gateway.home
            gateway.process.terminate()
            gateway.wait_exit()
            said["stderr"], said["stdout"] = gateway.stderr().encode(), gateway.stdout().encode()
            for database in home.glob("*.db"):
                said[f"dump of {database.name}"] = dump(database)
            for file in home.glob("*"):
                if file.is_file() and file.name != "arkway.toml":
                    said[f"bytes of {file.name}"] = file.read_bytes()
            gateway.spawn().wait_ready()
        said["spans"] = b"".join(collector.bodies)
    assert said["spans"], "nothing was exported"
    assert b'"event":"call"' in said["stderr"]
    return said


def ops(port, path):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


def dump(path):
    with closing(sqlite3.connect(path)) as database:
        return "\n".join(database.iterdump()).encode()


@pytest.mark.parametrize("kind", CANARIES)
def test_a_canary_is_nowhere(told, kind):
    assert found(CANARIES[kind], told) == []


def test_no_key_is_anywhere(told):
    assert {key: found(key, told) for key in KNOWN_KEYS} == {key: [] for key in KNOWN_KEYS}


def test_what_was_searched_says_something(told):
    for place in ("stderr", "ops /metrics", "ops /status", "dump of ledger.db", "dump of store.db"):
        assert MODEL.encode() in told[place] or b"accounts" in told[place], place
    assert len([place for place in told if place.startswith("body")]) >= 45
