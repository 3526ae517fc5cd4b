"""One try, without a connection: the test is both its carrier and its keeper."""

import pytest

from arkway.model.errors import UpstreamError, UpstreamTimeout
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from support.fakes import FakeLoop, FakeStrand
from support.upstream_lab import CLOCKS, Gone, UpstreamLab

OK = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture
def lab():
    with FakeLoop() as loop:
        yield UpstreamLab(loop, max_answer_bytes=1000)


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


# What the strand learns, and when.


def test_a_plain_answer_wakes_its_strand_once_when_it_is_whole(lab):
    use, transport = lab.sent()

    transport.deliver(OK, chunk(b"a"), chunk(b"b"))
    assert use.is_waiting
    transport.deliver(b"0\r\n\r\n")

    assert (use.status, use.received) == (200, b"ab")


def test_a_stream_wakes_its_strand_with_its_first_body_bytes(lab):
    use, transport = lab.sent(stream=True)

    transport.deliver(OK)
    assert use.status is None
    transport.deliver(chunk(b"a"))
    assert use.status == 200
    assert use.received == b"a"


def test_an_empty_stream_ends(lab):
    use, transport = lab.sent(stream=True)

    transport.deliver(OK + b"0\r\n\r\n")

    assert (use.status, use.received, use.failure) == (200, b"", None)


@pytest.mark.parametrize("status", [201, 204, 302, 400, 503])
def test_an_error_to_a_stream_comes_whole(lab, status):
    use, transport = lab.sent(stream=True)
    length = b"" if status == 204 else b"content-length: 2\r\n"

    transport.deliver(b"HTTP/1.1 %d x\r\n%b\r\n" % (status, length))
    if status != 204:
        assert use.is_waiting
        transport.deliver(b"{}")

    assert use.status == status
    assert use.received == (b"" if status == 204 else b"{}")
    assert use.reads == 0


@pytest.mark.parametrize(
    ("said", "retry_after_s"),
    [
        (b"7", 7.0),
        (b"0", 0.0),
        (b"99999", 99999.0),
        (b"100000", None),
        (b"-1", None),
        (b"1.5", None),
        (b"soon", None),
        (b"\xb2", None),
        (b"", None),
        (b"Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_a_retry_after_in_seconds_is_understood(lab, said, retry_after_s):
    use, transport = lab.sent()

    transport.deliver(b"HTTP/1.1 429 x\r\nretry-after: %b\r\ncontent-length: 0\r\n\r\n" % said)

    assert use.attempt.retry_after_s == retry_after_s


@pytest.mark.parametrize("extra", [0, 1])
def test_a_plain_answer_is_bounded(lab, extra):
    use, transport = lab.sent()

    transport.deliver(OK, chunk(b"x" * 600), chunk(b"x" * (400 + extra)))

    if extra:
        assert use.failure.reason == "answer over 1000 bytes"
        assert use.ending is Ending.AMBIGUOUS
        assert transport.was_aborted
    else:
        transport.deliver(b"0\r\n\r\n")
        assert use.received == b"x" * 1000


def test_a_stream_is_not_kept_and_so_not_bounded(lab):
    use, transport = lab.sent(stream=True)

    transport.deliver(OK, *[chunk(b"x" * 600)] * 5, b"0\r\n\r\n")

    assert len(use.received) == 3000
    assert use.failure is None


def test_an_error_to_a_stream_is_bounded(lab):
    use, transport = lab.sent(stream=True)

    transport.deliver(OK.replace(b"200", b"500"), chunk(b"x" * 1001))

    assert use.failure.reason == "answer over 1000 bytes"


# The clocks.


def test_connecting_takes_so_long_and_no_longer(lab):
    use = lab.open()

    lab.wait(CLOCKS.connect_s - 0.2)
    assert use.is_waiting
    lab.wait(0.3)

    assert use.ending is Ending.NOT_SENT
    assert use.failure.reason == "connect timeout"
    assert type(use.failure.error) is UpstreamTimeout
    assert lab.loop.dials[-1].was_cancelled


@pytest.mark.parametrize(("stream", "first_s"), [(True, 20.0), (False, 30.0)])
def test_the_first_byte_takes_so_long_and_no_longer(lab, stream, first_s):
    use, transport = lab.sent(stream=stream)

    lab.wait(first_s - 0.2)
    assert use.is_waiting
    lab.wait(0.3)

    assert use.ending is Ending.AMBIGUOUS
    assert use.failure.reason == "no first token"
    assert type(use.failure.error) is UpstreamTimeout
    assert use.failure.error_class is ErrorClass.TRANSIENT
    assert transport.was_aborted


def test_a_head_is_no_first_token(lab):
    use, transport = lab.sent(stream=True)
    lab.wait(15.0)
    transport.deliver(OK)

    lab.wait(6.0)

    assert use.failure.reason == "no first token"


def test_tokens_come_so_far_apart_and_no_further(lab):
    use, transport = lab.sent(stream=True)
    transport.deliver(OK)
    for _ in range(5):
        transport.deliver(chunk(b"a"))
        lab.wait(CLOCKS.between_chunks_s - 0.2)
    assert use.is_waiting

    lab.wait(0.3)

    assert use.ending is Ending.INTERRUPTED
    assert use.failure.reason == "stalled"


@pytest.mark.parametrize("stream", [True, False])
def test_a_whole_attempt_takes_so_long_and_no_longer(lab, stream):
    use, transport = lab.sent(stream=stream)
    transport.deliver(OK)
    for _ in range(25):
        transport.deliver(chunk(b"a"))
        if use.is_waiting:
            lab.wait(4.0)

    assert not use.is_waiting
    assert lab.loop.now_s < 1000.0 + CLOCKS.total_s + 4.0
    assert use.ending is (Ending.INTERRUPTED if stream else Ending.AMBIGUOUS)


def test_a_caller_who_does_not_read_stops_all_clocks_but_the_total(lab):
    use, transport = lab.sent(stream=True)
    transport.deliver(OK, chunk(b"a"))
    use.attempt.pause()

    lab.wait(50.0)
    assert use.is_waiting
    use.attempt.resume(lab.loop.now_s)
    lab.wait(CLOCKS.between_chunks_s - 0.2)
    assert use.is_waiting
    lab.wait(0.3)

    assert use.failure.reason == "stalled"


def test_what_was_in_flight_at_a_pause_does_not_start_the_clock_again(lab):
    use, transport = lab.sent(stream=True)
    transport.deliver(OK, chunk(b"a"))
    use.attempt.pause()
    transport.deliver(chunk(b"b"))

    lab.wait(50.0)

    assert use.is_waiting
    assert use.received == b"ab"


def test_a_pause_does_not_outlast_the_total_clock(lab):
    use, transport = lab.sent(stream=True)
    transport.deliver(OK, chunk(b"a"))
    use.attempt.pause()

    lab.wait(CLOCKS.total_s + 0.1)

    assert use.ending is Ending.INTERRUPTED


# Ends.


def test_the_first_failure_stands(lab):
    use = lab.open()
    attempt = use.attempt

    attempt.fail(Ending.NOT_SENT, UpstreamError("one"), "one")
    attempt.fail(Ending.AMBIGUOUS, UpstreamError("two"), "two")
    attempt.on_lost("three")

    assert use.failure.reason == "one"
    assert attempt.failure is use.failure


def test_a_failure_before_anybody_waits_is_raised_at_the_wait(lab):
    use = lab.open()
    use.leave()
    attempt = lab.open().attempt
    attempt.waiter = None
    attempt.fail(Ending.NOT_SENT, UpstreamError("x"), "early")

    strand = FakeStrand.run(attempt.response)

    assert type(strand.error) is AttemptFailed
    assert str(strand.error) == "early"


def test_a_close_is_idempotent(lab):
    use, transport = lab.sent()

    use.attempt.close()
    use.attempt.close()

    assert transport.was_aborted
    assert use.attempt.carrier is None


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_finish_wakes_the_strand_and_lets_go_of_the_connection(lab, has_ended):
    use, transport = lab.sent(stream=True, finish_after=b"DONE")

    transport.deliver(OK, chunk(b"a"))
    assert use.is_waiting
    transport.deliver(chunk(b"DONE") + (b"0\r\n\r\n" if has_ended else b""))

    assert not use.is_waiting
    assert use.failure is None
    assert not transport.is_closing()


def test_after_a_failure_a_finish_does_not_keep_the_connection(lab):
    use, transport = lab.sent(stream=True, finish_after=b"a")
    use.attempt.failure = AttemptFailed(
        Ending.INTERRUPTED, ErrorClass.TRANSIENT, UpstreamError("x"), "x"
    )

    transport.deliver(OK, chunk(b"a"))

    assert transport.was_aborted


def test_a_body_before_its_end_is_a_bug(lab):
    use, transport = lab.sent()
    transport.deliver(OK, chunk(b"a"))

    with pytest.raises(AssertionError, match="before its end"):
        use.attempt.body()


def test_pausing_and_resuming_without_a_connection_does_nothing(lab):
    use = lab.open()

    use.attempt.pause()
    use.attempt.resume(lab.loop.now_s)

    assert not use.attempt.is_paused
    transport = lab.accept()
    assert transport.is_reading


@pytest.mark.parametrize("reads", [0, 1, 2, 3])
@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_may_leave_at_any_point(lab, stream, reads):
    use = lab.open(stream=stream)
    transport = None
    if reads:
        transport = lab.accept()
        transport.deliver(*[OK, chunk(b"a")][: reads - 1])

    use.leave()
    lab.loop.turn()

    assert type(use.strand.error) is Gone
    if transport is None:
        assert lab.loop.dials[-1].was_cancelled
    else:
        assert transport.was_aborted
    lab.wait(CLOCKS.total_s)  # nothing of it is left to time out
    assert use.attempt.failure is None
