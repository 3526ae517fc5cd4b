"""Who pays attention when a caller leaves, or does not read? CONTRACT section 5, rows 18-20.

The upstream's log tells when its connection was closed.
"""

import contextlib
import time

import pytest

from support.answers import HANG, LAST_CHUNK, SHAPES, SSE_HEAD, chunk, reply, steps, streamed
from support.gateway import ask, encode
from support.httpraw import Connection, live_frames
from support.lab import Lab, open_lab

CANCEL_LIMIT_S = 0.1  # the contract's
MIB = 1 << 20


@pytest.fixture(scope="module")
def lab():
    with open_lab(settings={"upstream": {"heartbeat_s": 0.1}}) as lab:
        yield lab


def leave(connection: Connection, how: str) -> float:
    """Leave, and return when."""
    left_s = time.monotonic()
    if how == "reset":
        connection.reset()
    else:
        connection.close()
    return left_s


def assert_cancelled(lab: Lab, prompt: str, left_s: float, count: int = 1) -> None:
    for seen in lab.upstream.wait_seen(prompt, count):
        assert seen.peer_left.wait(5), "the upstream was never told"
        assert seen.peer_left_s - left_s < CANCEL_LIMIT_S


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("stream", [False, True])
def test_leaving_before_the_first_byte_cancels_the_upstream(lab: Lab, how, n, stream):
    prompt = lab.upstream.plan(steps(HANG))
    with lab.gateway.connect() as connection:
        connection.send(encode("POST", "/v1/chat/completions", ask(prompt, stream=stream, n=n)))
        lab.upstream.wait_seen(prompt, n)
        left_s = leave(connection, how)

    assert_cancelled(lab, prompt, left_s, n)


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("n", [1, 3])
def test_leaving_mid_stream_cancels_the_upstream(lab: Lab, how, n):
    prompt = lab.upstream.plan(streamed(lambda say: [say.delta("a"), HANG]))
    with lab.gateway.open_stream(prompt, n=n) as connection:
        frames = live_frames(connection, connection.read_head())
        for _ in range(2 * n):
            next(frames)
        left_s = leave(connection, how)

    assert_cancelled(lab, prompt, left_s, n)


def test_leaving_while_the_body_is_still_coming_sends_nothing_upstream(lab: Lab):
    prompt = lab.upstream.plan(reply("x"))
    with lab.gateway.connect() as connection:
        connection.send(encode("POST", "/v1/chat/completions", ask(prompt))[:-3])
    after = lab.upstream.plan(reply("y"))
    assert lab.gateway.chat(after).status == 200
    assert not lab.upstream.seen(prompt)


def test_a_slot_is_free_again_when_its_caller_has_left():
    with open_lab(settings={"limits": {"max_in_flight": 1}}) as lab:
        for _ in range(5):
            prompt = lab.upstream.plan(steps(HANG))
            with lab.gateway.open_stream(prompt):
                (seen,) = lab.upstream.wait_seen(prompt)
            assert seen.peer_left.wait(5)
        assert lab.gateway.chat(lab.upstream.plan(reply("x"))).status == 200


def test_a_cancelled_connection_is_not_used_again(lab: Lab):
    """Its answer is still under way: a second request on it would read the first one's bytes."""
    prompt = lab.upstream.plan(steps(HANG))
    with lab.gateway.open_stream(prompt):
        (seen,) = lab.upstream.wait_seen(prompt)
    assert seen.peer_left.wait(5)
    clean = lab.upstream.plan(reply("clean"))
    answer = lab.gateway.chat(clean)

    assert answer.json()["choices"][0]["message"]["content"] == "clean"
    assert lab.upstream.only(clean).connection != seen.connection


# -- callers that do not read ----------------------------------------------------------------------

PIECE = "x" * 1000


def flood(size: int):
    """Return a stream of about `size` bytes, as fast as it is taken."""

    def answer(seen):
        say = SHAPES["openai"](seen)
        yield SSE_HEAD
        yield chunk(say.role())
        event = chunk(say.delta(PIECE))
        for _ in range(size // len(event)):
            yield event
        yield chunk(say.finish())
        yield LAST_CHUNK

    return answer


def stalled_at(seen, *, quiet_s: float = 0.3, within_s: float = 10) -> int:
    """Return how much the upstream could send before it was made to wait."""
    deadline_s = time.monotonic() + within_s
    last, since_s = -1, time.monotonic()
    while time.monotonic() < deadline_s:
        now = seen.sent_bytes
        if now != last:
            last, since_s = now, time.monotonic()
        elif time.monotonic() - since_s > quiet_s:
            return now
        time.sleep(0.02)
    raise AssertionError(f"still being read after {within_s} s: {last} bytes")


SMALL_BUFFERS = {"send_buffer": 16 * 1024}  # so that what the upstream sent was really taken


@pytest.fixture(scope="module")
def tight_buffers():
    with open_lab(upstream=SMALL_BUFFERS) as lab:
        yield lab


@pytest.fixture(scope="module")
def impatient():
    """A gateway that takes 2 s without a read for a stall, instead of 30."""
    with open_lab(upstream=SMALL_BUFFERS, settings={"limits": {"write_stall_s": 2}}) as lab:
        yield lab


def slow_caller(lab: Lab, prompt: str) -> Connection:
    connection = lab.gateway.connect(receive_buffer=8 * 1024)
    connection.send(encode("POST", "/v1/chat/completions", ask(prompt, stream=True)))
    return connection


def test_a_caller_that_does_not_read_stops_the_upstream(tight_buffers: Lab):
    """One chain of back-pressure: 64 MiB wait at the upstream, not in the gateway."""
    lab = tight_buffers
    lab.gateway.chat(lab.upstream.plan(flood(MIB)), stream=True)  # warm the allocator
    before = lab.gateway.resident_bytes()
    callers = 8
    with contextlib.ExitStack() as stack:
        prompt = lab.upstream.plan(flood(64 * MIB))
        for _ in range(callers):
            stack.enter_context(slow_caller(lab, prompt))
        taken = [stalled_at(seen) for seen in lab.upstream.wait_seen(prompt, callers)]
        grown = lab.gateway.resident_bytes() - before

    # Kernel buffers on both sides of the gateway hold some MiB of each stream; its own memory
    # must hold no more than 256 KiB of each (and one read buffer for all).
    assert max(taken) < 16 * MIB
    assert grown < callers * 256 * 1024 + MIB


def test_a_caller_that_reads_again_gets_every_byte(tight_buffers: Lab):
    lab = tight_buffers
    prompt = lab.upstream.plan(flood(24 * MIB))
    with slow_caller(lab, prompt) as connection:
        (seen,) = lab.upstream.wait_seen(prompt)
        stalled_at(seen)
        response = connection.read_response()

    assert response.complete
    assert response.body.endswith(b"data: [DONE]\n\n")
    events = response.body.count(b"\n\n")
    assert response.body.count(PIECE.encode()) == events - 3  # role, finish and [DONE]


def test_a_caller_that_never_reads_again_is_cut(impatient: Lab):
    """Row 20."""
    lab = impatient
    prompt = lab.upstream.plan(flood(64 * MIB))
    with slow_caller(lab, prompt):
        (seen,) = lab.upstream.wait_seen(prompt)
        started_s = time.monotonic()
        assert seen.peer_left.wait(8), "a stalled caller held its upstream"
        assert 1.5 < time.monotonic() - started_s < 6


def test_a_slow_caller_is_not_a_stalled_one(impatient: Lab):
    """Some 300 kB/s for twice the stall limit: far behind the upstream, and reading all the time.

    Progress is bytes taken, not a drained buffer: with the kernel's 4 MiB of send buffer in front
    of it, ours stays full for long while the caller reads on.
    """
    lab = impatient
    prompt = lab.upstream.plan(flood(12 * MIB))
    with lab.gateway.connect(receive_buffer=64 * 1024) as connection:
        connection.send(encode("POST", "/v1/chat/completions", ask(prompt, stream=True)))
        (seen,) = lab.upstream.wait_seen(prompt)
        slow_until_s = time.monotonic() + 4
        tail = b""
        while not tail.endswith(LAST_CHUNK):
            is_slow = time.monotonic() < slow_until_s
            piece = connection.sock.recv(16 * 1024 if is_slow else MIB)
            assert piece, "cut though it was reading"
            tail = (tail + piece)[-16:]
            if is_slow:
                time.sleep(0.05)
    assert seen.script_ended.is_set()


def test_other_callers_do_not_notice(tight_buffers: Lab):
    lab = tight_buffers
    prompt = lab.upstream.plan(flood(32 * MIB))
    with slow_caller(lab, prompt):
        (seen,) = lab.upstream.wait_seen(prompt)
        stalled_at(seen)
        for _ in range(20):
            started_s = time.monotonic()
            assert lab.gateway.chat(lab.upstream.plan(reply("x"))).status == 200
            assert time.monotonic() - started_s < 1
