"""Is every malformed request refused and never forwarded?

The oracle is what the upstream saw, and a canary: a good request that follows on the same
connection. After a refusal it must not be served, because nobody knows where it begins.
Sources: RFC 9112; the http-garden findings; CVE-2025-43859 (chunk line ends), CVE-2025-69229 (many
tiny chunks), CVE-2026-22815 (trailers).
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator

import pytest

from support.answers import Pause, reply
from support.gateway import KEY, ask, encode
from support.httpraw import Response, chunked
from support.lab import Lab, open_lab

AUTH = f"Authorization: Bearer {KEY}\r\n".encode()
JSON = b"Content-Type: application/json\r\n"
HOST = b"Host: gateway.test\r\n"
BODY = json.dumps(ask("malformed")).encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
LINE = b"POST /v1/chat/completions HTTP/1.1\r\n"
TE = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A gateway that answers 408 to an unfinished request soon, so that no case takes long."""
    with open_lab(settings={"limits": {"header_timeout_s": 1.0, "body_grace_s": 1.0}}) as lab:
        yield lab


def post(*extra: bytes, line: bytes = LINE, body: bytes = BODY, framing: bytes = LENGTH) -> bytes:
    return line + HOST + AUTH + JSON + framing + b"".join(extra) + b"\r\n" + body


def in_chunks(raw: bytes, *extra: bytes) -> bytes:
    return post(*extra, framing=TE, body=raw)


def sized(size: bytes, data: bytes = BODY, end: bytes = b"0\r\n\r\n") -> bytes:
    """Return a chunked request whose one chunk has a size written as `size`."""
    return in_chunks(size + b"\r\n" + data + b"\r\n" + end)


HEX = b"%x" % len(BODY)

REFUSED = {
    # Two framings, or a length that is not one number.
    "length and chunked": post(TE),
    "chunked and length": post(LENGTH, framing=TE, body=chunked(BODY)),
    "length 0 and chunked": in_chunks(chunked(BODY), b"Content-Length: 0\r\n"),
    "two different lengths": post(b"Content-Length: 1\r\n"),
    "the same length twice": post(LENGTH),
    "a list of lengths": post(framing=b"Content-Length: %d, %d\r\n" % (len(BODY), len(BODY))),
    "+ length": post(framing=b"Content-Length: +%d\r\n" % len(BODY)),
    "- length": post(framing=b"Content-Length: -1\r\n"),
    "hexadecimal length": post(framing=b"Content-Length: 0x%x\r\n" % len(BODY)),
    "underscored length": post(framing=b"Content-Length: 1_0\r\n"),
    "empty length": post(framing=b"Content-Length:\r\n"),
    "split length": post(framing=b"Content-Length: 1 0\r\n"),
    "fractional length": post(framing=b"Content-Length: 1.0\r\n"),
    "overflowing length": post(framing=b"Content-Length: 18446744073709551617\r\n"),
    "length in other digits": post(framing="Content-Length: \uff15\r\n".encode()),
    "length with a letter after it": post(framing=b"Content-Length: %db\r\n" % len(BODY)),
    # A transfer coding that is not exactly `chunked`.
    "chunked twice in one": post(framing=b"Transfer-Encoding: chunked, chunked\r\n"),
    "chunked twice": in_chunks(chunked(BODY), TE),
    "gzip, chunked": post(framing=b"Transfer-Encoding: gzip, chunked\r\n", body=chunked(BODY)),
    "chunked, gzip": post(framing=b"Transfer-Encoding: chunked, gzip\r\n", body=chunked(BODY)),
    "chunked, identity": post(framing=b"Transfer-Encoding: chunked, identity\r\n"),
    "identity": post(framing=b"Transfer-Encoding: identity\r\n"),
    "xchunked": post(framing=b"Transfer-Encoding: xchunked\r\n", body=chunked(BODY)),
    "chunkedx": post(framing=b"Transfer-Encoding: chunkedx\r\n", body=chunked(BODY)),
    "chunked with a parameter": post(framing=b"Transfer-Encoding: chunked;q=1\r\n"),
    "chunked after a vertical tab": post(framing=b"Transfer-Encoding: \x0bchunked\r\n"),
    "empty coding": post(framing=b"Transfer-Encoding:\r\n"),
    "quoted coding": post(framing=b'Transfer-Encoding: "chunked"\r\n'),
    "chunked in HTTP/1.0": post(line=LINE.replace(b"1.1", b"1.0"), framing=TE, body=chunked(BODY)),
    # Lines that end or begin in odd ways.
    "bare LF everywhere": post().replace(b"\r\n", b"\n"),
    "bare LF after the request line": post().replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"),
    "bare LF in a header": post(b"X: 1\n"),
    "bare LF before the body": post()[: -len(BODY) - 2] + b"\n" + BODY,
    "bare CR in a value": post(b"X: 1\r2\r\n"),
    "bare CR as a line end": post(b"X: 1\rContent-Length: 1\r\n"),
    "obs-fold": post(b"X: 1\r\n 2\r\n"),
    "obs-fold with a tab": post(b"X: 1\r\n\t2\r\n"),
    "folded length": post(framing=b"Content-Length:\r\n %d\r\n" % len(BODY)),
    "folded coding": post(framing=b"Transfer-Encoding:\r\n chunked\r\n", body=chunked(BODY)),
    "space before the first header": post(line=LINE + b" X: 1\r\n"),
    "space before a colon": post(framing=b"Content-Length : %d\r\n" % len(BODY)),
    "tab before a colon": post(framing=b"Transfer-Encoding\t: chunked\r\n", body=chunked(BODY)),
    "header without a colon": post(b"nonsense\r\n"),
    "header without a name": post(b": nonsense\r\n"),
    "NUL in a value": post(b"X: a\0b\r\n"),
    "NUL in a name": post(b"X\0Y: a\r\n"),
    "control character in a name": post(b"X\x01Y: a\r\n"),
    "non-ASCII name": post("Ünï: a\r\n".encode()),
    "two Hosts": post(HOST),
    "no Host": post().replace(HOST, b""),
    # Request lines.
    "HTTP/0.9": b"GET /v1/models\r\n\r\n",
    "no version": post(line=b"POST /v1/chat/completions\r\n"),
    "HTTP/2.0": post(line=LINE.replace(b"1.1", b"2.0")),
    "HTTP/1.9": post(line=LINE.replace(b"1.1", b"1.9")),
    "HTTP/11": post(line=LINE.replace(b"1.1", b"11")),
    "lower-case http": post(line=LINE.replace(b"HTTP", b"http")),
    "space after the version": post(line=LINE.replace(b"1.1", b"1.1 ")),
    "tab for a space": post(line=LINE.replace(b"POST ", b"POST\t")),
    "leading space": b" " + post(),
    "lower-case method": post(line=LINE.replace(b"POST", b"post")),
    "unknown method": post(line=LINE.replace(b"POST", b"PO5T")),
    "NUL in the target": post(line=LINE.replace(b"/v1", b"/\0v1")),
    "space in the target": post(line=LINE.replace(b"/v1", b"/v 1")),
    "no target": post(line=b"POST HTTP/1.1\r\n"),
    "relative target": post(line=LINE.replace(b"/v1", b"v1")),
    "another site's absolute target": post(line=LINE.replace(b"/v1", b"http://elsewhere.test/v1")),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "noise": bytes(range(256)) * 4,
    # Chunks.
    "0x chunk size": sized(b"0x" + HEX),
    "+ chunk size": sized(b"+" + HEX),
    "- chunk size": sized(b"-1"),
    "space before a chunk size": sized(b" " + HEX),
    "underscored chunk size": sized(b"0_" + HEX),
    "empty chunk size": sized(b""),
    "chunk size that is no number": sized(b"g"),
    "overflowing chunk size": sized(b"f" * 17),
    "chunk size with a wrapped top": sized(b"1" + HEX.zfill(16)),
    "chunk size ended by LF": in_chunks(HEX + b"\n" + BODY + b"\r\n0\r\n\r\n"),
    "chunk size ended by CR": in_chunks(HEX + b"\r" + BODY + b"\r\n0\r\n\r\n"),
    "chunk data ended by LF": in_chunks(HEX + b"\r\n" + BODY + b"\n0\r\n\r\n"),
    "chunk data ended by nothing": in_chunks(HEX + b"\r\n" + BODY + b"0\r\n\r\n"),
    "chunk data longer than its size": sized(b"%x" % (len(BODY) - 1)),
    "last chunk ended by LF": in_chunks(HEX + b"\r\n" + BODY + b"\r\n0\n\n"),
    "NUL in an extension": sized(HEX + b";a=\0"),
    "CR in an extension": sized(HEX + b";a=\rb"),
    "LF in an extension": sized(HEX + b";a=\nb"),
    "a length as trailer": sized(HEX, end=b"0\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
    "trailer without a colon": sized(HEX, end=b"0\r\nnonsense\r\n\r\n"),
    "folded trailer": sized(HEX, end=b"0\r\nX: 1\r\n 2\r\n\r\n"),
    "trailer ended by LF": sized(HEX, end=b"0\r\nX: 1\n\r\n"),
}
# Not malformed in the letter, and still more than anybody may send.
TOO_MUCH = {
    "one huge header": (post(b"X: " + b"x" * 1_000_000 + b"\r\n"), 431),
    "one huge header name": (post(b"x" * 1_000_000 + b": 1\r\n"), 431),
    "a huge target": (post(line=LINE.replace(b"/v1", b"/" + b"x" * 100_000 + b"/v1")), 431),
    "very many headers": (post(b"X: 1\r\n" * 10_000), 431),
    "huge trailers": (sized(HEX, end=b"0\r\n" + b"X: 1\r\n" * 20_000 + b"\r\n"), 431),
    "an endless header": (LINE + HOST + b"X: " + b"x" * 100_000, 431),
}


def send_with_canary(
    lab: Lab, data: bytes, *, keep_alive: bool = True
) -> tuple[list[Response], str]:
    """Send `data` and a good request after it; return all answers and the canary's prompt."""
    canary = lab.upstream.plan(reply("canary"))
    last = [] if keep_alive else [("Connection", "close")]
    follow = encode("POST", "/v1/chat/completions", ask(canary), headers=last)
    with lab.gateway.connect(timeout_s=5) as connection:
        connection.try_send(data + follow)
        answers = []
        try:
            while True:
                answers.append(connection.read_response())
        except EOFError as end:
            (left_over,) = end.args
    assert left_over == b"", "the connection ended inside an answer"
    return answers, canary


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_a_malformed_request_is_refused_and_ends_its_connection(lab: Lab, data: bytes):
    before = len(lab.upstream.log)
    (answer,), canary = send_with_canary(lab, data)

    assert answer.status == 400
    assert answer.error["code"] == "invalid_http"
    assert answer.closes
    assert not lab.upstream.seen(canary)
    assert len(lab.upstream.log) == before


@pytest.mark.parametrize(("data", "status"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_request_beyond_its_bounds_is_refused_and_ends_its_connection(lab: Lab, data, status):
    before = len(lab.upstream.log)
    (answer,), canary = send_with_canary(lab, data)

    assert answer.status == status
    assert answer.closes
    assert not lab.upstream.seen(canary)
    assert len(lab.upstream.log) == before


# What RFC 9112 lets a recipient take or leave; it must then be taken for what it plainly says.
EITHER = {
    "double space": post(line=LINE.replace(b"POST ", b"POST  ")),
    "three empty lines before": b"\r\n\r\n\r\n" + post(),
    "a huge chunk extension": sized(HEX + b";a=" + b"x" * 1_000_000),
    "space after a chunk size": sized(HEX + b" "),
    "control character in a value": post(b"X: a\x01b\r\n"),
    "an underscored name": post(b"content_length: 3\r\n"),
    "a fragment in the target": post(line=LINE.replace(b"ions ", b"ions#x ")),
}


@pytest.mark.parametrize("data", EITHER.values(), ids=EITHER)
def test_what_may_be_taken_or_left_is_never_taken_for_something_else(lab: Lab, data: bytes):
    before = len(lab.upstream.log)
    (first, *rest), canary = send_with_canary(lab, data, keep_alive=False)

    if first.closes:
        assert first.status in (400, 431)
        assert rest == []
        assert len(lab.upstream.log) == before
    else:
        assert first.status in (200, 404)
        assert rest[0].json()["choices"][0]["message"]["content"] == "canary"
        served = [seen.prompt for seen in lab.upstream.log[before:]]
        assert served == (["malformed"] if first.status == 200 else []) + [canary]


def test_a_million_one_byte_chunks_are_refused_and_hurt_nobody(lab: Lab):
    """CVE-2025-69229: work per chunk must stay constant, and other callers must not wait."""
    body = json.dumps(ask("tiny chunks")).encode().ljust(1_000_000)
    tiny = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    slowest_s, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            started_s = time.monotonic()
            assert lab.gateway.call("GET", "/v1/models").status == 200
            slowest_s.append(time.monotonic() - started_s)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started_s = time.monotonic()
    answers, canary = send_with_canary(lab, in_chunks(tiny))
    took_s = time.monotonic() - started_s
    stop.set()
    watcher.join(10)

    (answer,) = answers
    assert 400 <= answer.status < 500
    assert not lab.upstream.seen("tiny chunks")
    assert not lab.upstream.seen(canary)
    assert took_s < 3
    assert len(slowest_s) > 1
    assert max(slowest_s) < 0.5


ACCEPTED = {
    "a length": post(),
    "chunked": in_chunks(chunked(BODY)),
    "several chunks": in_chunks(chunked(BODY, [1, 2, 30])),
    "upper-case size": sized(HEX.upper()),
    "zeros before a size": sized(b"0000" + HEX),
    "an extension": sized(HEX + b";name=value"),
    "a quoted extension": sized(HEX + b';name="va;lue"'),
    "trailers": sized(HEX, end=b"0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n"),
    "Chunked in other case": post(framing=b"transfer-encoding: Chunked\r\n", body=chunked(BODY)),
    "blanks around a value": post(framing=b"Content-Length: \t %d \t\r\n" % len(BODY)),
    "no blank after a colon": post(framing=b"Content-Length:%d\r\n" % len(BODY)),
    "zeros before a length": post(framing=b"Content-Length: 000%d\r\n" % len(BODY)),
    "an empty line before": b"\r\n" + post(),
    "its own absolute target": post(line=LINE.replace(b"/v1", b"http://gateway.test/v1")),
    "a query": post(line=LINE.replace(b"completions", b"completions?api-version=1")),
    "an upgrade nobody takes": post(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"),
    "a websocket nobody takes": post(b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
    "an empty header value": post(b"X:\r\n"),
    "high bytes in a value": post(b"X: \xc3\xa9\xff\r\n"),
}


@pytest.mark.parametrize("data", ACCEPTED.values(), ids=ACCEPTED)
def test_a_good_request_in_another_form_is_served_and_so_is_the_next(lab: Lab, data: bytes):
    before = len(lab.upstream.seen("malformed"))
    answers, canary = send_until(lab, data, 2)

    assert [answer.status for answer in answers] == [200, 200], answers
    assert answers[1].json()["choices"][0]["message"]["content"] == "canary"
    assert len(lab.upstream.seen("malformed")) == before + 1
    assert lab.upstream.seen("malformed")[-1].json["messages"] == ask("malformed")["messages"]
    assert lab.upstream.only(canary)


def send_until(lab: Lab, data: bytes, count: int) -> tuple[list[Response], str]:
    canary = lab.upstream.plan(reply("canary"))
    with lab.gateway.connect() as connection:
        connection.send(data + encode("POST", "/v1/chat/completions", ask(canary)))
        return [connection.read_response() for _ in range(count)], canary


def test_pipelined_requests_are_answered_in_their_order(lab: Lab):
    slow = lab.upstream.plan(lambda seen: [Pause(0.2), *reply("first")(seen)])
    quick = [lab.upstream.plan(reply(f"answer {n}")) for n in range(5)]
    data = b"".join(encode("POST", "/v1/chat/completions", ask(p)) for p in [slow, *quick])
    with lab.gateway.connect() as connection:
        connection.send(data)
        answers = [connection.read_response() for _ in range(6)]

    contents = [answer.json()["choices"][0]["message"]["content"] for answer in answers]
    assert contents == ["first", *(f"answer {n}" for n in range(5))]


def test_a_stream_and_a_plain_call_pipelined(lab: Lab):
    first, second = lab.upstream.plan(reply("s")), lab.upstream.plan(reply("p"))
    data = encode("POST", "/v1/chat/completions", ask(first, stream=True))
    data += encode("POST", "/v1/chat/completions", ask(second))
    with lab.gateway.connect() as connection:
        connection.send(data)
        streamed, plain = connection.read_response(), connection.read_response()

    assert streamed.complete
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    assert plain.json()["choices"][0]["message"]["content"] == "p"


def test_an_endless_pipeline_is_not_read_ahead_without_bound(lab: Lab):
    """Back-pressure: while one call runs, requests behind it wait in the kernel, not in us."""
    prompt = lab.upstream.plan(lambda seen: [Pause(1.0), *reply("done")(seen)])
    rss_before = lab.gateway.resident_bytes()
    with lab.gateway.connect() as connection:
        connection.send(encode("POST", "/v1/chat/completions", ask(prompt)))
        connection.sock.settimeout(0.3)
        one = encode("GET", "/v1/models") * 500
        sent = 0
        with contextlib.suppress(TimeoutError, ConnectionError):  # made to wait, or cut off
            while sent < 64 << 20:
                sent += connection.sock.send(one)
        rss_after = lab.gateway.resident_bytes()

    assert sent < 64 << 20
    assert rss_after - rss_before < 16 << 20


def test_expect_100_continue_is_answered_before_the_body(lab: Lab):
    with lab.gateway.connect() as connection:
        connection.send(post(b"Expect: 100-continue\r\n", body=b""))
        with connection.deadline(2):
            assert connection._line() == b"HTTP/1.1 100 Continue"
            assert connection._line() == b""
        answer = connection.send(BODY).read_response()

    assert answer.status == 200


def test_a_refusal_needs_no_body_to_follow_its_expectation(lab: Lab):
    data = post(b"Expect: 100-continue\r\n", body=b"").replace(KEY.encode(), b"sk-nobody-holds-it")
    with lab.gateway.connect() as connection:
        answer = connection.send(data).read_response()

    assert (answer.status, answer.interim) == (401, [])
    assert answer.closes


@pytest.mark.parametrize(
    ("version", "connection_header", "stays"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: keep-alive\r\n", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: Close, X\r\n", False),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: keep-alive\r\n", True),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_connection_stays_open_as_agreed(lab: Lab, version, connection_header, stays, stream):
    body = json.dumps(ask("stays", stream=stream)).encode()
    data = post(
        connection_header,
        line=LINE.replace(b"1.1", version),
        framing=b"Content-Length: %d\r\n" % len(body),
        body=body,
    )
    with lab.gateway.connect() as connection:
        answer = connection.send(data).read_response()
        assert answer.status == 200
        if stream:
            assert answer.body.endswith(b"data: [DONE]\n\n")
        if version == b"1.0":
            assert answer.header("transfer-encoding") is None, "HTTP/1.0 knows no chunks"
        if not stays or (stream and version == b"1.0"):
            assert connection.is_closed()
        else:
            assert connection.send(encode("GET", "/v1/models")).read_response().status == 200


def test_an_idle_connection_is_closed_in_time_and_without_a_word():
    with (
        open_lab(settings={"limits": {"keep_alive_s": 0.3}}) as lab,
        lab.gateway.connect() as connection,
    ):
        connection.send(encode("GET", "/v1/models")).read_response()
        started_s = time.monotonic()
        assert connection.is_closed(within_s=3)
        assert time.monotonic() - started_s > 0.2


def test_a_caller_that_half_closes_is_answered_or_taken_for_gone(lab: Lab):
    """Either is right (nginx answers, Go cancels), but not an upstream at work for nobody."""
    prompt = lab.upstream.plan(lambda seen: [Pause(2.0), *reply("still here")(seen)])
    with lab.gateway.connect() as connection:
        connection.send(encode("POST", "/v1/chat/completions", ask(prompt)))
        (seen,) = lab.upstream.wait_seen(prompt)
        connection.half_close()
        try:
            answer = connection.read_response()
        except EOFError:
            assert seen.peer_left.wait(1)
        else:
            assert answer.json()["choices"][0]["message"]["content"] == "still here"
