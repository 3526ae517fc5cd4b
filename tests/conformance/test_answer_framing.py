"""Is every malformed answer of an upstream an upstream error, and never half an answer?

Plain and streamed. The same rules as for callers (test_http_framing.py): one framing, no guesses,
and a connection that carried a doubtful byte is never used again.
"""

import json

import pytest

from support.answers import CLOSE, SHAPES, reply, steps
from support.httpraw import chunked
from support.lab import Lab


def good_answer(seen) -> bytes:
    return json.dumps(SHAPES["openai"](seen).plain({"role": "assistant", "content": "x"})).encode()


def framed(head: bytes, *after: object, body=lambda data: data):
    """Return an answer with a good body and a head of choice; `%d` in it becomes the length."""

    def answer(seen):
        data = good_answer(seen)
        return [head.replace(b"%d", b"%d" % len(data)) + b"\r\n" + body(data), *after]

    return answer


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n"
BAD_ANSWERS = {
    "length and chunked": framed(CHUNKED + b"Content-Length: %d\r\n", body=chunked),
    "two lengths": framed(OK + b"Content-Length: %d\r\nContent-Length: 5\r\n"),
    "+ length": framed(OK + b"Content-Length: +%d\r\n"),
    "a body cut short": framed(OK + b"Content-Length: 1%d\r\n", CLOSE),
    "chunks cut short": framed(CHUNKED, CLOSE, body=lambda data: chunked(data)[:-9]),
    "no last chunk": framed(CHUNKED, CLOSE, body=lambda data: chunked(data)[:-5]),
    "a bad chunk size": framed(CHUNKED, body=lambda data: b"0x" + chunked(data)),
    "a chunk longer than its size": framed(
        CHUNKED, body=lambda data: b"5\r\n" + data + b"\r\n0\r\n\r\n"
    ),
    "bare LF": framed(OK.replace(b"\r\n", b"\n") + b"Content-Length: %d\r\n"),
    "NUL in a header": framed(OK + b"X: a\0b\r\nContent-Length: %d\r\n"),
    "no status line": framed(b"Content-Type: application/json\r\n", CLOSE),
    "HTTP/0.9": lambda seen: [good_answer(seen), CLOSE],
    "no status": framed(OK.replace(b"200", b"")),
    "status 099": framed(OK.replace(b"200", b"099") + b"Content-Length: %d\r\n"),
    "switching protocols": framed(
        OK.replace(b"200", b"101") + b"Upgrade: x\r\nConnection: upgrade\r\n"
    ),
    "204 with a body": framed(OK.replace(b"200", b"204") + b"Content-Length: %d\r\n", CLOSE),
    "a redirect": framed(
        OK.replace(b"200", b"307") + b"Location: /v1/elsewhere\r\nContent-Length: %d\r\n"
    ),
    "compressed": framed(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n"),
    "a huge header": framed(OK + b"X: " + b"x" * (1 << 20) + b"\r\nContent-Length: %d\r\n"),
    "endless interim answers": steps(b"HTTP/1.1 103 Early\r\n\r\n" * 100_000, CLOSE),
    "nothing": steps(CLOSE),
    "half a head": steps(OK, CLOSE),
    "an array": steps(OK + b"Content-Length: 2\r\n\r\n[]"),
    "an empty body": steps(OK + b"Content-Length: 0\r\n\r\n"),
    "an empty object": steps(OK + b"Content-Length: 2\r\n\r\n{}"),
    "no choices": steps(OK + b'Content-Length: 14\r\n\r\n{"choices":[]}'),
    "deep JSON": steps(OK + b"Content-Length: 1000000\r\n\r\n" + b"[" * 1_000_000),
    "not UTF-8": framed(
        OK + b"Content-Length: %d\r\n", body=lambda d: d.replace(b'"x"', b'"\xff"')
    ),
    "an error in a 200": steps(OK + b'Content-Length: 25\r\n\r\n{"error":{"message":"m"}}'),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_malformed_answer_is_an_upstream_error(lab: Lab, answer, stream):
    prompt = lab.upstream.plan(answer)
    response = lab.gateway.chat(prompt, stream=stream)

    assert (response.status, response.error["code"]) == (502, "upstream_error")
    assert {seen.target for seen in lab.upstream.seen(prompt)} == {"/v1/chat/completions"}
    after = lab.gateway.chat(lab.upstream.plan(reply("after")))
    assert after.json()["choices"][0]["message"]["content"] == "after"


GOOD_ANSWERS = {
    "a length": framed(OK + b"Content-Length: %d\r\n"),
    "chunked": framed(CHUNKED, body=chunked),
    "many chunks": framed(CHUNKED, body=lambda data: chunked(data, [1] * 50)),
    "until the close": framed(OK + b"Connection: close\r\n", CLOSE),
    "until the close, undeclared": framed(OK, CLOSE),
    "HTTP/1.0": framed(OK.replace(b"1.1", b"1.0"), CLOSE),
    "after 100 and 103": lambda seen: [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
        *framed(OK + b"Content-Length: %d\r\n")(seen),
    ],
    "no reason": framed(OK.replace(b" OK", b" ") + b"Content-Length: %d\r\n"),
    "a charset": framed(OK.replace(b"/json", b"/json; charset=utf-8") + b"Content-Length: %d\r\n"),
}


@pytest.mark.parametrize("answer", GOOD_ANSWERS.values(), ids=GOOD_ANSWERS)
def test_a_good_answer_in_another_form_is_passed_on(lab: Lab, answer):
    response = lab.gateway.chat(lab.upstream.plan(answer))

    assert response.json()["choices"][0]["message"]["content"] == "x"


def test_bytes_after_an_answer_never_become_the_next_one(lab: Lab):
    """Response splitting: the connection that carried too much must not be used again."""

    def answer(seen):
        (whole,) = framed(OK + b"Content-Length: %d\r\n")(seen)
        return [whole + whole.replace(b'"x"', b'"poison"')]

    lab.gateway.chat(lab.upstream.plan(answer))
    contents = [
        lab.gateway.chat(lab.upstream.plan(reply("clean"))).json()["choices"][0]["message"][
            "content"
        ]
        for _ in range(3)
    ]

    assert contents == ["clean"] * 3
