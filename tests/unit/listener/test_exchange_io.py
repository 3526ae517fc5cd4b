"""One request's answer, through the connection that carries it."""

import json

import pytest

from arkway.listener.exchange_io import error_headers
from arkway.model.errors import (
    BodyTooLarge,
    InternalError,
    InvalidValue,
    MethodNotAllowed,
    NoHealthyAccount,
    Overloaded,
    UpstreamStreamInterrupted,
)
from arkway.model.outcome import CallerGone
from support.listener_lab import answer, answers, post
from support.strategies import one_by_one


async def say_ok(exchange):
    exchange.respond(200, b"{}", b"x-own: 1\r\n")


class Waiter:
    """Waits for the body, then answers with it; keeps its exchanges."""

    def __init__(self):
        self.exchanges = []
        self.errors = []

    async def __call__(self, exchange):
        self.exchanges.append(exchange)
        try:
            await exchange.wait_for_body()
        except CallerGone as gone:
            self.errors.append(gone)
            return
        except Exception as error:
            self.errors.append(error)
            exchange.fail(error)
            return
        exchange.respond(200, exchange.request.body)


class Streamer:
    """Starts a stream and leaves the rest to the test."""

    async def __call__(self, exchange):
        self.exchange = exchange
        self.gone = None
        exchange.start_stream(b"x-own: 1\r\n")
        try:
            await self.forever()
        except CallerGone as gone:
            self.gone = gone

    @staticmethod
    async def forever():
        class Never:
            def __await__(self):
                yield

        while True:
            await Never()


# Plain answers.


def test_a_plain_answer(serving):
    said = answer(serving(say_ok).ask(post()))

    assert (said.status, said.body, said.is_whole) == (200, b"{}", True)
    assert said.headers == {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-request-id": "id-1",
        "x-own": "1",
        "content-length": "2",
    }


def test_an_answer_to_head_has_no_body(serving):
    connection = serving(say_ok).ask(post(b"", line=b"HEAD / HTTP/1.1", length=False))

    written = connection.take()
    assert written.endswith(b"content-length: 2\r\n\r\n")


@pytest.mark.parametrize(
    ("theirs", "echoed"),
    [
        (b"abc-1._Z", "abc-1._Z"),
        (b"x" * 64, "x" * 64),
        (b"x" * 65, None),
        (b"a b", None),
        (b"a/b", None),
        (b"", None),
        (b"\xe9", None),
    ],
)
def test_a_callers_own_request_id_is_echoed_if_it_is_harmless(serving, theirs, echoed):
    said = answer(serving(say_ok).ask(post(b"{}", b"X-Request-Id: " + theirs)))

    assert said.headers["x-request-id"] == "id-1"
    assert said.headers.get("x-client-request-id") == echoed


@pytest.mark.parametrize(
    ("request_bytes", "connection", "closes"),
    [
        (post(), None, False),
        (post(b"{}", b"connection: close"), "close", True),
        (post(line=b"POST /x HTTP/1.0"), "close", True),
        (post(b"{}", b"connection: keep-alive", line=b"POST /x HTTP/1.0"), "keep-alive", False),
    ],
)
def test_a_connection_is_kept_as_its_request_says(serving, request_bytes, connection, closes):
    it = serving(say_ok).ask(request_bytes)

    said = answer(it)
    assert said.headers.get("connection") == connection
    assert it.is_closing() is closes


def test_an_answer_before_the_body_ends_the_connection(serving):
    it = serving(say_ok).ask(post(b"x" * 10)[:-1])

    assert answer(it).headers["connection"] == "close"
    assert it.has_written_eof
    assert not it.is_closing()  # what still comes is read and dropped, for a while


def test_while_draining_answers_end_their_connections(serving):
    lab = serving(say_ok)
    lab.listener.drain()

    assert answer(lab.ask(post())).headers["connection"] == "close"


def test_a_second_answer_is_a_bug(serving):
    async def twice(exchange):
        exchange.respond(200, b"{}")
        with pytest.raises(AssertionError, match="second answer"):
            exchange.respond(200, b"{}")
        with pytest.raises(AssertionError, match="second answer"):
            exchange.start_stream(b"")

    assert len(answers(serving(twice).ask(post()))) == 1


# Errors.


def test_an_error_before_the_first_byte_is_an_answer(serving):
    async def fail(exchange):
        exchange.fail(InvalidValue("no", param="n"))
        exchange.fail(InternalError("too late"))

    said = answer(serving(fail).ask(post()))

    assert said.status == 400
    assert json.loads(said.body)["error"]["param"] == "n"
    assert said.headers["x-should-retry"] == "false"


def test_an_error_after_the_first_byte_is_an_event_and_the_end(serving):
    async def fail(exchange):
        exchange.start_stream(b"")
        exchange.write(b"data: 1\n\n")
        exchange.fail(UpstreamStreamInterrupted("cut"))
        exchange.fail(InternalError("too late"))

    it = serving(fail).ask(post())
    said = answer(it)

    assert said.status == 200
    first, last = said.body.removesuffix(b"\n\n").split(b"\n\n")
    assert first == b"data: 1"
    assert json.loads(last[6:])["error"]["code"] == "upstream_stream_interrupted"
    assert not said.is_whole  # nobody can take it for complete
    assert it.is_closing()


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (InvalidValue("m"), b"x-should-retry: false\r\n"),
        (MethodNotAllowed("m", allow="GET"), b"allow: GET\r\nx-should-retry: false\r\n"),
        (NoHealthyAccount("m"), b""),
        (Overloaded("m", retry_after_s=2.0), b"retry-after: 2\r\nretry-after-ms: 2000\r\n"),
        (Overloaded("m", retry_after_s=0.0101), b"retry-after: 1\r\nretry-after-ms: 11\r\n"),
        (Overloaded("m", retry_after_s=1.0001), b"retry-after: 2\r\nretry-after-ms: 1001\r\n"),
    ],
)
def test_headers_of_an_error(error, lines):
    assert error_headers(error) == lines


def test_a_crash_is_reported_with_its_exchange(serving):
    async def crash(exchange):
        raise ZeroDivisionError

    lab = serving(crash)
    lab.ask(post())

    (error,) = lab.front.crashes
    assert type(error) is ZeroDivisionError
    lab.front.crashes.clear()


# Bodies.


def test_a_body_is_awaited_however_it_comes(serving):
    waiter = Waiter()
    lab = serving(waiter)

    it = lab.ask(*one_by_one(post(b"hello")))

    assert answer(it).body == b"hello"
    assert len(waiter.exchanges) == 1


def test_a_body_that_is_there_is_not_awaited(serving):
    assert answer(serving(Waiter()).ask(post(b"hello"))).body == b"hello"


@pytest.mark.parametrize("expect", [b"100-continue", b"100-Continue"])
def test_a_caller_who_asks_first_is_told_to_go_on(serving, expect):
    lab = serving(Waiter())
    request = post(b"hello", b"Expect: " + expect)

    it = lab.ask(request[:-5])
    assert it.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    lab.ask(request[-5:], connection=it)
    assert answer(it).body == b"hello"


def test_a_caller_who_does_not_wait_for_it_is_not_told(serving):
    said = answers(serving(Waiter()).ask(post(b"hello", b"Expect: 100-continue")))

    assert [one.status for one in said] == [200]


def test_a_refused_body_is_raised_at_the_wait(serving):
    waiter = Waiter()
    lab = serving(waiter, max_body_bytes=1000)
    head = post(b"", b"transfer-encoding: chunked", length=False)

    it = lab.ask(head)
    lab.ask(b"7d0\r\n" + b"x" * 2000, connection=it)

    assert answer(it).status == 413
    assert [type(error) for error in waiter.errors] == [BodyTooLarge]
    assert it.has_written_eof


def test_a_body_refused_by_its_length_is_not_even_asked_for(serving):
    lab = serving(Waiter(), max_body_bytes=1000)

    it = lab.ask(post(b"", b"content-length: 2000", b"expect: 100-continue", length=False))

    assert answer(it).status == 413


def test_a_caller_who_leaves_during_its_body(serving):
    waiter = Waiter()
    lab = serving(waiter)

    it = lab.ask(post(b"hello")[:-1])
    it.reset()

    assert [type(error) for error in waiter.errors] == [CallerGone]
    assert it.take() == b""


# Streams.


def test_a_stream_as_it_goes_out(serving):
    async def stream(exchange):
        exchange.start_stream(b"x-own: 1\r\n")
        assert exchange.has_started
        exchange.write(b"data: 1\n\n")
        exchange.write(b"data: 2\n\ndata: 3\n\n")
        exchange.end(b"data: [DONE]\n\n")

    it = serving(stream).ask(post())

    written = it.take()
    head, _, body = written.partition(b"\r\n\r\n")
    assert head == (
        b"HTTP/1.1 200 OK\r\n"
        b"content-type: text/event-stream; charset=utf-8\r\n"
        b"cache-control: no-cache\r\n"
        b"x-accel-buffering: no\r\n"
        b"x-request-id: id-1\r\n"
        b"x-own: 1\r\n"
        b"transfer-encoding: chunked"
    )
    assert body == (
        b"9\r\ndata: 1\n\n\r\n12\r\ndata: 2\n\ndata: 3\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
    )
    assert not it.is_closing()


def test_a_stream_in_http_1_0_ends_with_its_connection(serving):
    async def stream(exchange):
        exchange.start_stream(b"")
        exchange.write(b"data: 1\n\n")
        exchange.end(b"data: [DONE]\n\n")

    keep = post(b"{}", b"connection: keep-alive", line=b"POST / HTTP/1.0")
    it = serving(stream).ask(keep)

    written = it.take()
    assert b"transfer-encoding" not in written
    assert b"connection: close\r\n" in written
    assert written.endswith(b"\r\n\r\ndata: 1\n\ndata: [DONE]\n\n")
    assert it.is_closing()


def test_a_silent_stream_gets_a_heartbeat(serving):
    streamer = Streamer()
    lab = serving(streamer)
    it = lab.ask(post())
    it.take()

    lab.wait(14.5)
    assert it.take() == b""
    lab.wait(1.0)
    assert it.take() == b"7\r\n: ping\n\r\n"
    lab.wait(14.0)
    streamer.exchange.write(b"data: 1\n\n")
    lab.loop.turn()
    it.take()
    lab.wait(14.5)
    assert it.take() == b""
    lab.wait(1.0)
    assert it.take() == b"7\r\n: ping\n\r\n"


def test_nothing_beats_before_a_stream_and_after_it(serving):
    waiting, streamer = Waiter(), Streamer()
    lab = serving(waiting)
    it = lab.ask(post(b"hello", b"x: y")[:-1])
    waiting.exchanges[0].heartbeat(lab.loop.now_s + 100, 15.0)
    assert it.take() == b""

    lab = serving(streamer)
    it = lab.ask(post())
    streamer.exchange.end(b"data: [DONE]\n\n")
    lab.loop.turn()
    it.take()
    streamer.exchange.heartbeat(lab.loop.now_s + 100, 15.0)
    lab.loop.turn()
    assert it.take() == b""


def test_a_caller_who_leaves_is_noticed_at_the_wait(serving):
    streamer = Streamer()
    it = serving(streamer).ask(post())

    it.reset()

    assert type(streamer.gone) is CallerGone
    assert streamer.exchange.is_over
    streamer.exchange.fail(InternalError("nobody reads this"))
    assert b"nobody" not in it.take()


def test_a_caller_who_leaves_after_the_end_is_nobodys_concern(serving):
    it = serving(say_ok).ask(post())

    it.reset()
    it.take()


def test_flow_control_reaches_whoever_listens(serving):
    streamer, calls = Streamer(), []
    lab = serving(streamer)
    it = lab.ask(post())
    exchange = streamer.exchange
    exchange.on_pause = lambda: calls.append("pause")
    exchange.on_resume = lambda: calls.append("resume")

    it.protocol.pause_writing()
    assert exchange.is_paused
    it.protocol.resume_writing()
    assert not exchange.is_paused
    assert calls == ["pause", "resume"]

    exchange.end(b"data: [DONE]\n\n")
    it.protocol.pause_writing()
    it.protocol.resume_writing()
    assert calls == ["pause", "resume"]
