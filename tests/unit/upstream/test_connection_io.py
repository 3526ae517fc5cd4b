"""One connection's bytes. The law: any split of a response gives the same answer and end."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.model.outcome import Ending, ErrorClass
from arkway.upstream.connection_io import MAX_HEAD_BYTES
from support.fakes import FakeLoop
from support.strategies import cut, one_by_one, splits
from support.upstream_lab import UpstreamLab


@pytest.fixture
def lab():
    with FakeLoop() as loop:
        yield UpstreamLab(loop)


def response(body=b"{}", *lines, status=b"200 OK", length=True):
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\n" % status
    head += b"".join(line + b"\r\n" for line in lines)
    return head + (b"content-length: %d\r\n" % len(body) if length else b"") + b"\r\n" + body


def chunked(body, *sizes, extension=b"", trailers=b""):
    places = [sum(sizes[: at + 1]) for at in range(len(sizes))]
    pieces = [b"%x%b\r\n%b\r\n" % (len(p), extension, p) for p in cut(body, places)]
    return b"".join(pieces) + b"0\r\n%b\r\n" % trailers


@dataclass
class Answer:
    """A response, as bytes and as what should be read of it."""

    status: int = 200
    body: bytes = b"{}"
    framing: str = "length"
    sizes: tuple[int, ...] = ()
    extension: bytes = b""
    trailers: bytes = b""
    before: bytes = b""  # informational responses
    retry_after: bytes = b""
    is_close: bool = False
    more: bytes = b""  # other header lines

    def encode(self):
        head = self.before + b"HTTP/1.1 %d Whatever\r\nContent-Type: text/x\r\n" % self.status
        head += self.more
        if self.retry_after:
            head += b"Retry-After: %b\r\n" % self.retry_after
        if self.is_close:
            head += b"Connection: close\r\n"
        if self.framing == "length":
            return head + b"Content-Length: %d\r\n\r\n%b" % (len(self.body), self.body)
        if self.framing == "chunked":
            body = chunked(self.body, *self.sizes, extension=self.extension, trailers=self.trailers)
            return head + b"Transfer-Encoding: chunked\r\n\r\n" + body
        return head + b"\r\n" + self.body

    @property
    def keeps_alive(self):
        return self.framing != "close" and not self.is_close


answers = st.builds(
    Answer,
    status=st.sampled_from([200, 200, 200, 201, 302, 400, 429, 500]),
    body=st.one_of(
        st.binary(max_size=40), st.just(b"HTTP/1.1 200 OK\r\n\r\n"), st.just(b"z" * 999)
    ),
    framing=st.sampled_from(["length", "chunked", "close"]),
    sizes=st.lists(st.integers(1, 30), max_size=4).map(tuple),
    extension=st.sampled_from([b"", b"", b";a=b"]),
    trailers=st.sampled_from([b"", b"", b"X-T: 1\r\n"]),
    before=st.sampled_from(
        [
            b"",
            b"",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 103 Early\r\nContent-Type: early\r\n\r\nHTTP/1.1 102 Wait\r\n\r\n",
        ]
    ),
    retry_after=st.sampled_from([b"", b"", b"7", b"0", b"Wed, 21 Oct 2026 07:28:00 GMT"]),
    is_close=st.booleans(),
    more=st.sampled_from([b"", b"", b"Content-Encoding: identity\r\nVia: x\r\n"]),
)


def outcome(pieces, answer, *, stream):
    """Return what must not depend on the split."""
    with FakeLoop() as loop:
        lab = UpstreamLab(loop)
        use, transport = lab.sent(stream=stream)
        transport.deliver(*pieces)
        if answer.framing == "close":
            assert use.is_waiting
            transport.end()
        loop.turn()
        assert not use.is_waiting
        follow = lab.open()
        is_kept = len(loop.dials) == 1
        assert transport.is_closing() is not is_kept
        attempt = use.attempt
        return (
            use.status,
            use.received,
            use.ending,
            attempt.content_type,
            attempt.retry_after_s,
            is_kept,
            follow.is_waiting,
        )


@given(answers, st.booleans(), st.data())
@settings(max_examples=150)
def test_any_split_of_a_response_gives_the_answer_that_was_sent(answer, stream, data):
    encoded = answer.encode()
    retry_after_s = float(answer.retry_after) if answer.retry_after.isdigit() else None
    expected = (
        answer.status,
        answer.body,
        None,
        b"text/x",
        retry_after_s,
        answer.keeps_alive,
        True,
    )

    assert outcome([encoded], answer, stream=stream) == expected
    assert outcome(data.draw(splits(encoded)), answer, stream=stream) == expected


@given(answers, st.booleans())
@settings(max_examples=20)
def test_a_byte_at_a_time_gives_the_answer_that_was_sent(answer, stream):
    encoded = answer.encode()

    assert outcome(one_by_one(encoded), answer, stream=stream) == outcome(
        [encoded], answer, stream=stream
    )


@given(answers, st.booleans(), st.data())
@settings(max_examples=80)
def test_a_response_that_breaks_off_is_a_failure_wherever_it_does(answer, stream, data):
    encoded = answer.encode()
    whole = (
        len(encoded)
        if answer.framing != "close"
        else encoded.index(b"\r\n\r\n", len(answer.before))
    )
    place = data.draw(st.integers(0, whole - 1))
    reset = data.draw(st.booleans())
    with FakeLoop() as loop:
        lab = UpstreamLab(loop)
        use, transport = lab.sent(stream=stream)

        transport.deliver(*data.draw(splits(encoded[:place])))
        transport.reset() if reset else transport.end()
        loop.turn()

        assert not use.is_waiting
        assert use.failure.error_class is ErrorClass.TRANSIENT
        has_token = stream and answer.status == 200 and use.received != b""
        assert use.ending is (Ending.INTERRUPTED if has_token else Ending.AMBIGUOUS)
        assert answer.body.startswith(use.received)
        assert lab.upstream.sweep(loop.now_s) is None
        lab.open()
        assert len(loop.dials) == 2


MALFORMED = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/2": b"\0\0\x12\x04\0\0\0\0\0",
    "bare LF": b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
    "no version": b"HTTP 200 OK\r\n\r\n",
    "status of words": b"HTTP/1.1 OK\r\n\r\n",
    "status 0": b"HTTP/1.1 000 x\r\ncontent-length: 0\r\n\r\n",
    "status 99": b"HTTP/1.1 099 x\r\ncontent-length: 0\r\n\r\n",
    "both lengths": response(b"{}", b"transfer-encoding: chunked"),
    "two lengths": response(b"{}", b"content-length: 3"),
    "length with +": response(b"{}", b"content-length: +2", length=False),
    "obs-fold": response(b"{}", b"x: a\r\n b"),
    "NUL": response(b"{}", b"x: a\0b"),
    "chunk size": response(b"x\r\n{}\r\n0\r\n\r\n", b"transfer-encoding: chunked", length=False),
    "upgrade": b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "gzip": response(b"\x1f\x8b", b"content-encoding: gzip"),
    "gzip by name": response(b"\x1f\x8b", b"Content-Encoding: GZIP"),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("split", [lambda data: [data], one_by_one], ids=["whole", "split"])
def test_a_broken_response_ends_the_attempt_and_the_connection(lab, data, stream, split):
    use, transport = lab.sent(stream=stream)

    transport.deliver(*split(data))
    lab.loop.turn()

    assert not use.is_waiting
    assert use.ending is Ending.AMBIGUOUS
    assert use.received == b""
    assert str(use.failure.error) == "The upstream's answer is broken."
    assert transport.is_closing()
    assert lab.open().is_waiting
    assert len(lab.loop.dials) == 2


def test_a_break_in_the_middle_of_a_stream_keeps_what_came_before(lab):
    use, transport = lab.sent(stream=True)

    transport.deliver(
        response(b"5\r\nhello\r\n", b"transfer-encoding: chunked", length=False), b"garbage"
    )

    assert use.received == b"hello"
    assert use.ending is Ending.INTERRUPTED
    assert transport.was_aborted


def test_good_bytes_and_a_break_in_one_read_keep_the_good_ones(lab):
    use, transport = lab.sent(stream=True)

    transport.deliver(
        response(b"5\r\nhello\r\ngarbage", b"transfer-encoding: chunked", length=False)
    )

    assert use.received == b"hello"
    assert use.ending is Ending.INTERRUPTED


def test_the_size_of_a_head_is_bounded(lab):
    use, transport = lab.sent()
    transport.deliver(b"HTTP/1.1 200 OK\r\n")

    line = b"x: " + b"y" * 995 + b"\r\n"
    transport.deliver(*[line] * (MAX_HEAD_BYTES // len(line)))
    assert use.is_waiting
    transport.deliver(line)

    assert use.failure.reason == f"response head over {MAX_HEAD_BYTES} bytes"
    assert transport.was_aborted


def test_endless_informational_responses_are_bounded_too(lab):
    use, transport = lab.sent()

    for _ in range(5000):
        transport.deliver(b"HTTP/1.1 100 Continue\r\n\r\n")

    assert not use.is_waiting
    assert transport.was_aborted


def test_the_body_of_one_read_comes_in_one_piece(lab):
    use, transport = lab.sent(stream=True)

    transport.deliver(
        response(b"1\r\na\r\n" * 50, b"transfer-encoding: chunked", length=False),
        b"1\r\nb\r\n" * 50,
    )

    assert use.received == b"a" * 50 + b"b" * 50
    assert use.reads == 2


# One response after the other.


def test_a_connection_is_used_again(lab):
    use, transport = lab.sent(b'"1"')
    first = transport.take()
    transport.deliver(response(b"one"))

    again = lab.open(b'"2"')
    second = transport.take()
    transport.deliver(response(b"two", status=b"500 X"))

    assert (use.status, use.received) == (200, b"one")
    assert (again.status, again.received) == (500, b"two")
    assert first.replace(b'"1"', b'"2"') == second
    assert len(lab.loop.dials) == 1


@pytest.mark.parametrize(
    "trailer", [b"Content-Encoding: gzip", b"Retry-After: 99", b"Content-Type: text/html"]
)
def test_trailers_are_no_headers_of_the_next_response(lab, trailer):
    _, transport = lab.sent()
    body = chunked(b"one", trailers=trailer + b"\r\n")
    transport.deliver(response(body, b"transfer-encoding: chunked", length=False))

    again = lab.open()
    transport.deliver(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ntwo")

    assert again.received == b"two"
    assert again.failure is None
    assert again.attempt.retry_after_s is None
    assert again.attempt.content_type == b""


EXTRAS = {
    "a whole response": response(b"extra", status=b"500 X"),
    "half a response": b"HTTP/1.1 500 X\r\ncontent-le",
    "noise": b"noise",
    "a byte": b"x",
    "a line end": b"\r\n",
}


@pytest.mark.parametrize("extra", EXTRAS.values(), ids=EXTRAS)
def test_bytes_that_nobody_asked_for_end_an_idle_connection(lab, extra):
    use, transport = lab.sent()
    transport.deliver(response(b"one"), extra)
    lab.loop.turn()

    assert use.received == b"one"
    again = lab.open()
    assert len(lab.loop.dials) == 2 or extra == b"\r\n"
    assert again.is_waiting


@pytest.mark.parametrize("extra", EXTRAS.values(), ids=EXTRAS)
def test_bytes_after_a_response_do_not_change_it(lab, extra):
    use, transport = lab.sent()
    transport.deliver(response(b"one") + extra)
    lab.loop.turn()

    assert (use.status, use.received) == (200, b"one")
    again = lab.open()
    assert len(lab.loop.dials) == 2 or extra == b"\r\n"
    assert again.is_waiting


# Stale connections.


def idle(lab):
    _, transport = lab.sent()
    transport.deliver(response())
    transport.take()
    return transport


@pytest.mark.parametrize("end", ["end", "reset"])
def test_a_request_on_a_connection_that_turns_out_closed_is_a_failure_of_its_own(lab, end):
    old = idle(lab)
    use = lab.open(b'"again"')
    assert old.take().endswith(b'"again"')

    getattr(old, end)()
    lab.loop.turn()

    assert use.failure.is_stale
    assert use.ending is Ending.AMBIGUOUS  # nobody knows whether it was read
    assert len(lab.loop.dials) == 1


def test_an_attempt_may_want_a_connection_that_nobody_has_used(lab):
    old = idle(lab)
    use = lab.open(wants_new=True)
    new = lab.accept()
    new.deliver(response(b"yes"))

    assert use.received == b"yes"
    assert old.take() == b""


def test_a_request_that_the_upstream_may_have_worked_on_is_not_sent_again(lab):
    old = idle(lab)
    use = lab.open()

    lab.loop.now_s += 2.0
    old.reset()
    lab.loop.turn()

    assert use.ending is Ending.AMBIGUOUS
    assert use.failure.reason == "connection lost: ConnectionResetError"
    assert not use.failure.is_stale
    assert len(lab.loop.dials) == 1


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 1", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
)
def test_a_request_that_the_upstream_began_to_answer_is_not_sent_again(lab, said):
    old = idle(lab)
    use = lab.open()

    old.deliver(said)
    old.reset()
    lab.loop.turn()

    assert use.ending is Ending.AMBIGUOUS
    assert len(lab.loop.dials) == 1


def test_a_fresh_connection_that_closes_is_a_failure(lab):
    use, transport = lab.sent()

    transport.end()
    lab.loop.turn()

    assert use.ending is Ending.AMBIGUOUS
    assert len(lab.loop.dials) == 1


# Letting go.


def stream_head():
    return response(b"", b"transfer-encoding: chunked", length=False)


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_a_finished_stream_gives_its_connection_back_once_the_response_ends(lab):
    use, transport = lab.sent(stream=True, finish_after=b"DONE")

    transport.deliver(stream_head(), chunk(b"a"), chunk(b"DONE"))
    assert not use.is_waiting
    assert not transport.is_closing()
    transport.deliver(b"0\r\n\r\n")

    lab.open()
    assert len(lab.loop.dials) == 1
    assert transport.take().count(b"POST ") == 2


def test_what_comes_after_a_finish_goes_nowhere(lab):
    use, transport = lab.sent(stream=True, finish_after=b"DONE")

    transport.deliver(stream_head(), chunk(b"DONE"), chunk(b"late"), b"0\r\n\r\n")

    assert use.received == b"DONE"
    assert not transport.is_closing()


def test_a_finish_and_the_end_in_one_read(lab):
    use, transport = lab.sent(stream=True, finish_after=b"DONE")

    transport.deliver(stream_head() + chunk(b"DONE") + b"0\r\n\r\n")

    assert use.failure is None
    lab.open()
    assert len(lab.loop.dials) == 1


def test_a_response_that_does_not_end_after_its_finish_is_dropped(lab):
    _, transport = lab.sent(stream=True, finish_after=b"DONE")
    transport.deliver(stream_head(), chunk(b"DONE"))

    lab.wait(0.5)
    assert not transport.is_closing()
    lab.wait(0.6)
    assert transport.was_aborted


def test_garbage_after_a_finish_ends_the_connection_and_not_the_answer(lab):
    use, transport = lab.sent(stream=True, finish_after=b"DONE")

    transport.deliver(stream_head(), chunk(b"DONE"), b"garbage")

    assert use.failure is None
    assert transport.was_aborted


def test_a_caller_who_leaves_ends_the_connection_at_once(lab):
    use, transport = lab.sent(stream=True)
    transport.deliver(stream_head(), chunk(b"a"))

    use.leave()

    assert transport.was_aborted
    lab.loop.turn()
    assert lab.open().is_waiting
    assert len(lab.loop.dials) == 2


def test_nothing_is_read_for_a_caller_who_left(lab):
    use, transport = lab.sent(stream=True)
    protocol = transport.protocol
    transport.deliver(stream_head())
    use.leave()

    # What the kernel had already handed over.
    buffer = protocol.get_buffer(-1)
    late = chunk(b"late")
    buffer[: len(late)] = late
    protocol.buffer_updated(len(late))
    lab.loop.turn()

    assert use.received == b""


def test_reading_stops_and_goes_on(lab):
    use, transport = lab.sent(stream=True)
    transport.deliver(stream_head(), chunk(b"a"))

    use.attempt.pause()
    assert not transport.is_reading
    use.attempt.resume(lab.loop.now_s)
    assert transport.is_reading


def test_a_paused_connection_reads_on_once_it_is_let_go(lab):
    use, transport = lab.sent(stream=True, finish_after=b"DONE")
    transport.deliver(stream_head())
    use.attempt.pause()

    transport.deliver(chunk(b"DONE"))

    assert transport.is_reading


def test_the_end_of_an_idle_connection_is_noticed(lab):
    transport = idle(lab)

    transport.end()
    lab.loop.turn()
    lab.open()

    assert len(lab.loop.dials) == 2


def test_a_connection_that_is_closing_is_not_used(lab):
    transport = idle(lab)
    transport._is_closing = True  # the loop has noticed; `connection_lost` is still to come

    lab.open()

    assert len(lab.loop.dials) == 2
