"""Do thousands of idle streams stay open, and what does each cost?

2 000 callers hold a stream open whose upstream says nothing; heartbeats go on. None may be
dropped, and the gateway's memory may grow by at most 40 KiB a stream (both connections, the
parser, the call). The default form waits some seconds; `ARKWAY_IDLE_S=60` waits the full minute.
"""

import contextlib
import os
import resource
import time

import pytest

from support.answers import DONE, SHAPES, Gate, sse
from support.httpraw import Connection, live_frames
from support.lab import open_lab

STREAMS = 2000
WARM = 20  # streams opened first: what is allocated once is not counted
IDLE_S = float(os.environ.get("ARKWAY_IDLE_S", "6"))
MAX_BYTES_EACH = 40 * 1024
HEARTBEAT_S = 2.0

pytestmark = pytest.mark.slow


@pytest.fixture
def many_files():
    """Allow this process and its children (who inherit the limit) enough descriptors."""
    needed = 3 * STREAMS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"at most {hard} open files are allowed here; {needed} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_idle_streams_stay_open_and_are_small():
    gate = Gate()

    def answer(seen):
        say = SHAPES["openai"](seen)
        return sse(say.delta("a"), gate, say.delta("b"), say.finish(), DONE)

    settings = {"upstream": {"heartbeat_s": HEARTBEAT_S, "max_connections": STREAMS + WARM}}
    with open_lab(settings=settings) as lab, contextlib.ExitStack() as stack:
        prompt = lab.upstream.plan(answer)

        def open_streams(count: int) -> list[Connection]:
            return [stack.enter_context(lab.gateway.open_stream(prompt)) for _ in range(count)]

        open_streams(WARM)
        lab.upstream.wait_seen(prompt, WARM)
        before = lab.gateway.resident_bytes()
        streams = open_streams(STREAMS)
        heads = [connection.read_head() for connection in streams]
        after_opening = lab.gateway.resident_bytes()
        time.sleep(IDLE_S)  # the time under test
        after_idling = lab.gateway.resident_bytes()
        gate.open()
        endings = [
            list(live_frames(connection, head))
            for connection, head in zip(streams, heads, strict=True)
        ]

    assert {head.status for head in heads} == {200}
    for frames in endings:
        assert frames[-1].is_done, "dropped"
        assert sum(frame.comment is not None for frame in frames) >= IDLE_S / HEARTBEAT_S - 1
    for after in (after_opening, after_idling):
        each = (after - before) / STREAMS
        print(f"{each / 1024:.1f} KiB a stream")
        assert each <= MAX_BYTES_EACH
