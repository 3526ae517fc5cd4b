"""One caller's connection: requests in order, one answer at a time, and its clocks."""

import json
import types
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.listener.connection_io import LINGER_S, WRITE_HIGH_WATER_BYTES
from arkway.model.errors import Draining
from arkway.model.outcome import CallerGone
from support.fakes import FakeLoop
from support.listener_lab import TIMEOUTS, ListenerLab, answer, answers, post
from support.strategies import one_by_one, splits


class Server:
    """Answers each request with its path, when the test says so."""

    def __init__(self, *, at_once=False):
        self.at_once = at_once
        self.exchanges = []
        self.thrown = []

    async def __call__(self, exchange):
        self.exchanges.append(exchange)
        try:
            await exchange.wait_for_body()
            if not self.at_once:
                await pause()
            exchange.respond(200, exchange.request.path)
        except CallerGone as gone:
            self.thrown.append(gone)
        except Exception as error:
            self.thrown.append(error)
            exchange.fail(error)

    @property
    def paths(self):
        return [exchange.request.path for exchange in self.exchanges]


@types.coroutine
def pause():
    yield


def get(path, *lines):
    return post(b"", *lines, line=b"GET %b HTTP/1.1" % path, length=False)


def code_of(said):
    return json.loads(said.body)["error"]["code"]


# One request after the other.


def test_requests_are_answered_one_at_a_time_and_in_order(serving):
    server = Server()
    lab = serving(server)

    it = lab.ask(get(b"/1") + get(b"/2") + get(b"/3"))
    assert server.paths == [b"/1"]
    assert not it.is_reading
    for number in (1, 2, 3):
        server.exchanges[-1].resume()
        lab.loop.turn()
        assert answer(it).body == b"/%d" % number

    assert server.paths == [b"/1", b"/2", b"/3"]
    assert it.is_reading


def test_a_request_that_comes_during_another_waits_for_its_turn(serving):
    server = Server()
    lab = serving(server)

    it = lab.ask(get(b"/1"))
    assert it.is_reading
    lab.ask(get(b"/2"), connection=it)
    assert server.paths == [b"/1"]
    assert not it.is_reading
    server.exchanges[0].resume()
    lab.loop.turn()

    assert server.paths == [b"/1", b"/2"]
    assert it.is_reading


def test_what_is_answered_at_once_leaves_in_order(serving):
    lab = serving(Server(at_once=True))

    it = lab.ask(get(b"/1") + get(b"/2") + get(b"/3"))

    assert [said.body for said in answers(it)] == [b"/1", b"/2", b"/3"]


@given(st.integers(1, 4), st.booleans(), st.data())
@settings(max_examples=40)
def test_any_split_of_the_bytes_gives_the_same_answers(count, at_once, data):
    stream = b"".join(
        post(b"b" * number, line=b"POST /%d HTTP/1.1" % number) for number in range(count)
    )
    with FakeLoop() as loop:
        server = Server(at_once=at_once)
        lab = ListenerLab(loop, server)
        it = lab.connect()
        for piece in data.draw(splits(stream)):
            if not it.is_reading:  # as the kernel would, hold it back
                resume_until_reading(lab, server, it)
            lab.ask(piece, connection=it)
        resume_all(lab, server)
        assert [said.body for said in answers(it)] == [b"/%d" % number for number in range(count)]
        assert it.is_reading


def resume_all(lab, server):
    for _ in range(9):
        for exchange in server.exchanges:
            if not exchange.is_over and exchange.request.is_complete:
                exchange.resume()
        lab.loop.turn()


def resume_until_reading(lab, server, it):
    for _ in range(9):
        if it.is_reading:
            return
        server.exchanges[-1].resume()
        lab.loop.turn()
    raise AssertionError("reading never goes on")


def test_a_close_ends_the_connection_and_what_was_behind_it(serving):
    server = Server(at_once=True)
    lab = serving(server)

    it = lab.ask(post(b"x" * 9)[:-1])
    assert server.paths == [b"/x"]
    lab.ask(b"x", connection=it)
    it = lab.ask(get(b"/1", b"connection: close"))

    assert [said.body for said in answers(it)] == [b"/1"]
    assert it.is_closing()


# Refusals.


def test_a_broken_request_is_answered_and_the_connection_lingers(serving):
    server = Server()
    lab = serving(server)

    it = lab.ask(b"GET / HTTP/1.1\r\nbroken\r\n\r\n" + get(b"/never"))
    said = answer(it)

    assert said.status == 400
    assert code_of(said) == "invalid_http"
    assert said.headers["connection"] == "close"
    assert said.headers["x-request-id"] == "id-1"
    assert said.headers["x-should-retry"] == "false"
    assert it.has_written_eof
    assert not it.is_closing()
    assert server.paths == []
    assert lab.front.counts == {"invalid_http": 1}
    lab.ask(get(b"/late"), connection=it)  # read and dropped
    assert it.take() == b""
    lab.wait(LINGER_S + 0.3)
    assert it.was_aborted


def test_a_transport_that_cannot_half_close_is_closed(serving):
    lab = serving(Server())
    it = lab.connect()
    it.can_write_eof = lambda: False

    lab.ask(b"broken\r\n\r\n", connection=it)

    assert answer(it).status == 400
    assert it.is_closing()


def test_a_broken_body_is_an_answer_to_its_request(serving):
    server = Server()
    lab = serving(server)

    it = lab.ask(post(b"x\r\n", b"transfer-encoding: chunked", length=False))

    assert answer(it).status == 400
    assert [type(error).__name__ for error in server.thrown] == ["BadRequest"]
    assert it.has_written_eof


def test_garbage_behind_a_request_that_is_being_answered_cuts_it(serving):
    server = Server()
    lab = serving(server)
    it = lab.ask(get(b"/1"))

    lab.ask(b"garbage\r\n\r\n", connection=it)

    assert it.was_aborted
    assert [type(error) for error in server.thrown] == [CallerGone]
    assert it.take() == b""


def test_a_refusal_is_not_taken_for_the_answer_to_an_earlier_request(serving):
    lab = serving(Server(at_once=True))

    it = lab.ask(get(b"/1") + get(b"/2") + b"garbage\r\n\r\n")

    assert [said.status for said in answers(it)] in ([200, 200, 400], [200])


def test_what_follows_a_refusal_that_waits_is_not_read(serving):
    server = Server(at_once=True)
    lab = serving(server)
    it = lab.connect()
    # Delivered, and no turn of the loop yet: the first is answered, the second waits its turn.
    it.deliver(get(b"/1") + get(b"/2") + b"garbage\r\n\r\n")
    server.at_once = False
    lab.loop.turn()
    assert server.paths == [b"/1", b"/2"]

    it.deliver(b"more garbage\r\n\r\n")
    server.exchanges[1].resume()
    lab.loop.turn()

    assert server.thrown == []
    assert [said.status for said in answers(it)] == [200, 200, 400]


def test_one_connection_too_many_is_refused(serving):
    lab = serving(Server(), max_connections=2)
    first, second, third = lab.connect(), lab.connect(), lab.connect()
    lab.loop.turn()

    said = answer(third)
    assert said.status == 503
    assert code_of(said) == "overloaded"
    assert said.headers["retry-after"] == "1"
    assert third.has_written_eof
    assert first.take() == second.take() == b""
    assert lab.listener.connections == 3
    first.reset()
    third.reset()
    lab.ask(get(b"/1"), connection=lab.connect())
    assert lab.listener.connections == 2
    assert lab.front.counts == {"overloaded": 1}


# Clocks.


def test_headers_have_to_arrive_in_time(serving):
    lab = serving(Server())
    it = lab.ask(b"GET / HT")

    lab.wait(TIMEOUTS.header_timeout_s - 0.5)
    lab.ask(b"TP/1.1\r\n", connection=it)  # a trickle does not help
    assert it.take() == b""
    lab.wait(0.75)

    said = answer(it)
    assert said.status == 408
    assert code_of(said) == "request_timeout"
    assert "10 s" in json.loads(said.body)["error"]["message"]


def test_the_clock_of_the_next_headers_is_their_own(serving):
    lab = serving(Server(at_once=True))
    it = lab.ask(get(b"/1"))
    it.take()
    lab.wait(TIMEOUTS.header_timeout_s + 5)

    lab.ask(b"GET / HT", connection=it)
    lab.wait(TIMEOUTS.header_timeout_s - 0.5)
    assert it.take() == b""
    lab.wait(0.75)
    assert answer(it).status == 408


@pytest.mark.parametrize("asked", [False, True])
def test_an_idle_connection_is_closed_after_a_while(serving, asked):
    lab = serving(Server(at_once=True))
    it = lab.connect()
    if asked:
        lab.ask(get(b"/1"), connection=it)
        it.take()

    lab.wait(TIMEOUTS.keep_alive_s - 0.5)
    assert not it.is_closing()
    lab.wait(0.75)

    assert it.is_closing()
    assert it.take() == b""


def test_a_body_has_to_arrive_in_time(serving):
    lab = serving(Server())
    it = lab.ask(post(b"x" * 10_000)[:-9990])

    lab.wait(TIMEOUTS.body_grace_s)
    assert it.take() == b""
    lab.wait(0.5)

    said = answer(it)
    assert said.status == 408
    assert "100 bytes/s" in json.loads(said.body)["error"]["message"]


def test_a_body_at_the_least_speed_is_in_time(serving):
    lab = serving(Server(at_once=True))
    it = lab.ask(post(b"x" * 3000)[:-3000])

    for _ in range(30):
        lab.ask(b"x" * 100, connection=it)
        lab.wait(1.0)

    assert answer(it).status == 200


def test_an_answer_takes_as_long_as_it_takes(serving):
    server = Server()
    lab = serving(server)
    it = lab.ask(get(b"/1"))

    lab.wait(500.0)

    assert not it.is_closing()
    server.exchanges[0].resume()
    lab.loop.turn()
    assert answer(it).body == b"/1"


def test_a_caller_who_reads_nothing_is_cut(serving):
    server = Server()
    lab = serving(server)
    it = lab.ask(get(b"/1"))
    it.unsent_bytes = 100_000
    it.protocol.pause_writing()

    lab.wait(TIMEOUTS.write_stall_s - 0.5)
    assert not it.is_closing()
    lab.wait(0.75)

    assert it.was_aborted
    assert lab.front.counts == {"write_stalled": 1}
    assert [type(error) for error in server.thrown] == [CallerGone]


def test_a_caller_who_reads_slowly_is_not(serving):
    lab = serving(Server())
    it = lab.ask(get(b"/1"))
    it.unsent_bytes = 100_000
    it.protocol.pause_writing()

    for _ in range(10):
        lab.wait(TIMEOUTS.write_stall_s - 5)
        it.unsent_bytes -= 1

    assert not it.is_closing()


def test_a_caller_who_reads_again_in_time_is_not_cut(serving):
    lab = serving(Server())
    it = lab.ask(get(b"/1"))
    for _ in range(3):
        it.protocol.pause_writing()
        lab.wait(TIMEOUTS.write_stall_s - 1)
        it.protocol.resume_writing()

    lab.wait(TIMEOUTS.write_stall_s + 1)

    assert not it.is_closing()


def test_whoever_listens_is_told_of_the_callers_speed(serving):
    server, told = Server(), []
    lab = serving(server)
    it = lab.ask(get(b"/1"))
    (exchange,) = server.exchanges
    exchange.on_pause = lambda: told.append("pause")
    exchange.on_resume = lambda: told.append("resume")

    it.protocol.pause_writing()
    it.protocol.resume_writing()

    assert told == ["pause", "resume"]


def test_an_exchange_that_ends_late_does_not_disturb_the_next(serving):
    server = Server()
    lab = serving(server)
    it = lab.ask(get(b"/1") + get(b"/2"))
    first = server.exchanges[0]
    first.resume()
    lab.loop.turn()

    it.protocol.exchange_ended(first, close=True)

    server.exchanges[1].resume()
    lab.loop.turn()
    assert [said.body for said in answers(it)] == [b"/1", b"/2"]
    assert not it.is_closing()


def test_the_writes_of_a_connection_are_bounded(serving):
    assert serving(Server()).connect().high_water_bytes == WRITE_HIGH_WATER_BYTES


# Ends.


def test_a_drain_closes_what_is_idle_and_answers_what_is_not(serving):
    server = Server()
    lab = serving(server)
    idle, busy = lab.connect(), lab.ask(get(b"/1"))

    lab.listener.drain()
    lab.wait(0.5)
    assert idle.is_closing()
    assert not busy.is_closing()
    server.exchanges[0].resume()
    lab.loop.turn()

    assert answer(busy).headers["connection"] == "close"
    assert busy.is_closing()


def test_what_is_cut_ends_with_the_error(serving):
    server = Server()
    lab = serving(server)
    busy, idle = lab.ask(get(b"/1")), lab.connect()

    lab.listener.cut_all(Draining("stopped", retry_after_s=1.0))

    assert code_of(answer(busy)) == "draining"
    assert idle.take() == b""


def test_an_abort_ends_everything_at_once(serving):
    server = Server()
    lab = serving(server)
    them = [lab.ask(get(b"/1")), lab.connect(), lab.ask(b"GET /")]

    lab.listener.abort_all()
    lab.loop.turn()

    assert all(it.was_aborted for it in them)
    assert lab.listener.connections == 0
    assert [type(error) for error in server.thrown] == [CallerGone]


@pytest.mark.parametrize("at", range(5))
def test_a_caller_may_leave_at_any_point(serving, at):
    server = Server()
    lab = serving(server)
    request = post(b"hello")
    it = lab.ask(*[[], [request[:9]], [request[:-1]], [request], [request + request]][at])

    it.reset()
    lab.loop.turn()

    assert len(server.thrown) == (at > 1)
    assert all(exchange.is_over for exchange in server.exchanges)
    assert lab.listener.connections == 0
    for _ in range(3):
        lab.wait(100.0)


def test_a_caller_who_left_gets_nothing_of_the_requests_behind(serving):
    server = Server()
    lab = serving(server)
    it = lab.ask(get(b"/1") + get(b"/2"))

    it.reset()
    lab.loop.turn()

    assert server.paths == [b"/1"]


def test_a_caller_who_left_between_two_answers_gets_no_second(serving):
    server = Server(at_once=True)
    lab = serving(server)
    it = lab.connect()
    it.deliver(get(b"/1") + get(b"/2"))

    it.reset()
    lab.loop.turn()

    assert server.paths == [b"/1"]


def test_an_answer_that_comes_as_the_caller_leaves_is_dropped(serving):
    server = Server()
    lab = serving(server)
    it = lab.ask(get(b"/1"))

    server.exchanges[0].resume()  # the answer is in the outbox
    it.reset()
    lab.loop.turn()

    assert it.take() == b""


# Uploads.


def test_bodies_in_memory_are_bounded_together(serving):
    server = Server()
    lab = serving(server, max_buffered_body_bytes=10_000)
    uploads = [lab.ask(post(b"x" * 9000)[: -9000 + size]) for size in (3000, 5000, 4000)]

    lab.listener.sweep(lab.loop.now_s)
    lab.loop.turn()

    small, large, middle = uploads
    said = answer(large)
    assert said.status == 503
    assert said.headers["retry-after"] == "2"
    assert small.take() == middle.take() == b""
    assert [connection.protocol.upload_bytes for connection in (small, middle)] == [3000, 4000]


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_the_largest_go_first_and_no_more_than_needed(serving, order):
    lab = serving(Server(), max_buffered_body_bytes=5_000)
    sizes = [2000, 3000, 8000]
    uploads = {}
    for at in order:
        uploads[sizes[at]] = lab.ask(post(b"x" * 9000)[: -9000 + sizes[at]])

    lab.listener.sweep(lab.loop.now_s)
    lab.loop.turn()

    assert {size: bool(it.take()) for size, it in uploads.items()} == {
        2000: False,
        3000: False,
        8000: True,
    }


def test_an_answer_under_way_is_no_upload(serving):
    server = Server()
    lab = serving(server, max_buffered_body_bytes=10)
    it = lab.ask(post(b"x" * 1000))

    lab.listener.sweep(lab.loop.now_s)
    it.protocol.refuse_upload(Draining("x"))
    lab.loop.turn()

    assert it.take() == b""
    server.exchanges[0].resume()
    lab.loop.turn()
    assert answer(it).status == 200


def test_a_body_byte_by_byte_is_one_body(serving):
    lab = serving(Server(at_once=True))

    it = lab.ask(*one_by_one(post(b"hello")))

    assert answer(it).status == 200
