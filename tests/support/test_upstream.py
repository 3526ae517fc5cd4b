"""Is the scripted upstream a good oracle? It is held to its word over real sockets."""

import json
import socket
import ssl
import threading
import time
import tomllib
from collections.abc import Iterator

import pytest

from support.answers import (
    CLOSE,
    DONE,
    HANG,
    RESET,
    Gate,
    event,
    every_byte,
    fail,
    reply,
    resplit,
    sse,
    steps,
    streamed,
    whole,
)
from support.gateway import ask, free_port, toml
from support.httpraw import (
    Connection,
    MalformedError,
    chunked,
    frames_of,
    live_frames,
    request,
)
from support.upstream import Upstream, black_hole


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(2) as upstream:
        yield upstream


def post(prompt: str, **fields: object) -> bytes:
    return request(body=json.dumps(ask(prompt, **fields)).encode())


def test_it_answers_plainly_and_logs_what_it_saw(upstream):
    with Connection(upstream.ports[1]) as connection:
        answer = connection.send(post("hi", temperature=1)).read_response()
        again = connection.send(post("hi again")).read_response()

    assert (answer.status, answer.complete) == (200, True)
    assert answer.json()["choices"][0]["message"]["content"] == "echo: hi"
    assert again.json()["choices"][0]["message"]["content"] == "echo: hi again"
    first, second = upstream.log
    assert (first.account, first.json["temperature"], first.nth_on_connection) == (1, 1, 0)
    assert (second.connection, second.nth_on_connection) == (first.connection, 1)
    assert upstream.violations == []


@pytest.mark.parametrize("shape", ["openai", "ark"])
def test_streams_have_their_shape_at_any_split(upstream, shape):
    good = reply("Hel", "lo", shape=shape)
    for answer in (good, resplit(good, every_byte)):
        prompt = upstream.plan(answer)
        with Connection(upstream.ports[0]) as connection:
            body = connection.send(post(prompt, stream=True)).read_response().body

        *chunks, usage, done = frames_of(body)
        assert done.is_done
        assert usage.json()["choices"] == []
        choices = [chunk.json()["choices"][0] for chunk in chunks]
        text = "".join(choice["delta"].get("content", "") for choice in choices)
        assert text == "Hello"
        assert choices[-1]["finish_reason"] == "stop"
        keys = {frozenset(choice["delta"]) for choice in choices}
        every_delta_has_a_role = all("role" in delta for delta in keys)
        assert every_delta_has_a_role == (shape == "ark")
        assert ("finish_reason" in choices[0]) == (shape == "openai")


def test_answers_follow_the_plan_on_every_account(upstream):
    prompt = upstream.plan(fail(429, "SetLimitExceeded", ("Retry-After", "7")), reply("fine"))
    statuses = []
    for port in (*upstream.ports, upstream.ports[0]):
        with Connection(port) as connection:
            statuses.append(connection.send(post(prompt)).read_response().status)

    assert statuses == [429, 200, 200]
    assert [seen.account for seen in upstream.seen(prompt)] == [0, 1, 0]


def test_reset_and_close_cut_where_the_script_says(upstream):
    for cut in (RESET, CLOSE):
        prompt = upstream.plan(streamed(lambda say, cut=cut: [say.role(), say.delta("Hel"), cut]))
        with Connection(upstream.ports[0]) as connection:
            answer = connection.send(post(prompt, stream=True)).read_response()
        assert not answer.complete
        if cut is CLOSE:
            assert len(frames_of(answer.body)) == 2


def test_a_gate_holds_until_it_is_opened(upstream):
    gate = Gate()
    prompt = upstream.plan(steps(*sse(event({"n": 1}), gate, DONE)))
    with Connection(upstream.ports[0]) as connection:
        frames = live_frames(connection, connection.send(post(prompt)).read_head())
        assert next(frames).json() == {"n": 1}
        assert gate.reached.wait(5)
        with connection.deadline(0.1), pytest.raises(TimeoutError):
            next(frames)
        gate.open()


def test_the_peer_leaving_is_noticed_while_the_script_hangs(upstream):
    prompt = upstream.plan(steps(HANG))
    with Connection(upstream.ports[0]) as connection:
        connection.send(post(prompt))
        (seen,) = upstream.wait_seen(prompt)
    left_s = time.monotonic()

    assert seen.peer_left.wait(5)
    assert abs(seen.peer_left_s - left_s) < 0.1


def test_refusing_and_dropping_connections(upstream):
    with Connection(upstream.ports[0]) as connection:
        connection.send(post("one")).read_response()
        upstream.drop_idle_connections(0)
        assert connection.is_closed()
    with upstream.refusing(0), pytest.raises(ConnectionRefusedError):
        Connection(upstream.ports[0])
    with Connection(upstream.ports[0]) as connection:
        assert connection.send(post("two")).read_response().status == 200


def test_a_black_hole_never_connects():
    with black_hole() as port, pytest.raises(TimeoutError):
        Connection(port, timeout_s=0.2)


@pytest.mark.parametrize("stream", [False, True])
def test_it_speaks_tls(tmp_path, stream):
    tls = pytest.importorskip("support.tls", exc_type=ImportError, reason="needs cryptography")
    authority = tls.Authority(tmp_path)
    trust = ssl.create_default_context(cafile=str(authority.ca_file))
    with (
        Upstream(tls=authority.server_context()) as upstream,
        socket.create_connection(("127.0.0.1", upstream.ports[0]), timeout=5) as plain,
        trust.wrap_socket(plain, server_hostname="127.0.0.1") as sock,
    ):
        sock.sendall(post("hi", stream=stream))
        received = b""
        while not received.endswith((b"0\r\n\r\n", b"}")):
            received += sock.recv(1 << 16)

    assert b"hi" in received


@pytest.mark.parametrize(
    "data",
    [
        request(
            headers=[("Host", "a"), ("Content-Length", "2"), ("Content-Length", "2")], body=b"{}"
        ),
        request(headers=[("Transfer-Encoding", "chunked")], body=b"0\r\n\r\n"),
        request(headers=[("Host", "a"), ("X", "1\n2")]),
        b"POST /v1 HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        request(headers=[("Accept-Encoding", "gzip")]),
        b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc",
    ],
)
def test_what_a_careful_client_never_sends_is_a_violation(upstream, data):
    with Connection(upstream.ports[0]) as connection:
        connection.send(data)
        connection.half_close()
        connection.read_all()

    assert upstream.violations


@pytest.mark.parametrize(
    ("answer", "complete", "body"),
    [
        (whole(200, b"abc"), True, b"abc"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", False, b"abc"),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", True, b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", False, b"abc"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"abcdef", [2, 1]),
            True,
            b"abcdef",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\n\r\n", True, b""),
    ],
)
def test_the_raw_client_knows_where_a_body_ends(upstream, answer, complete, body):
    prompt = upstream.plan(steps(answer, CLOSE))
    with Connection(upstream.ports[0]) as connection:
        response = connection.send(post(prompt)).read_response()

    assert (response.complete, response.body) == (complete, body)


@pytest.mark.parametrize(
    "body",
    [
        b"data: 1\r\n\r\n",
        b"data:1\n\n",
        b"event: x\ndata: 1\n\n",
        b"\n\n",
        b"data: 1\n",
        b": ping\n\n",
    ],
)
def test_frames_are_read_by_the_letter(body):
    with pytest.raises(MalformedError):
        frames_of(body)


def test_frames_and_comments():
    frames = frames_of(b'data: {"a":1}\n\n: ping\ndata: [DONE]\n\n')
    assert [(frame.data, frame.comment) for frame in frames] == [
        ('{"a":1}', None),
        (None, " ping"),
        ("[DONE]", None),
    ]


def test_free_ports_differ_and_are_free():
    ports = [free_port() for _ in range(3)]
    assert len(set(ports)) == 3
    with socket.create_server(("127.0.0.1", ports[0])):
        pass


def test_settings_become_toml():

    settings = {"server": {"port": 1, "host": "h"}, "accounts": [{"models": {"a": "b"}, "x": True}]}
    assert tomllib.loads(toml(settings)) == settings


def test_many_connections_at_once(upstream):
    gate = Gate()
    prompt = upstream.plan(steps(gate, whole(200, b"{}")))
    answers = []

    def one() -> None:
        with Connection(upstream.ports[0]) as connection:
            answers.append(connection.send(post(prompt)).read_response().status)

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    upstream.wait_seen(prompt, 20)
    gate.open()
    for thread in threads:
        thread.join(5)
    assert answers == [200] * 20
