"""Does each fault of the Ark simulator look as documented, on the wire?"""

import json
import time

import pytest

from support.httpraw import MalformedError, frames_of, live_frames
from support.sim import Sim, ask, directive

STILL = {"first_token_s": 0, "prefill_tokens_per_s": 0, "tokens_per_s": 0}
both = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture(scope="module")
def sim():
    with Sim({"number_of_accounts": 2, "timing": STILL}, "--own-ports") as it:
        yield it


@pytest.fixture(autouse=True)
def no_rules(sim):
    yield
    sim.control("DELETE", "/faults")


def sent(sim, kind, stream=False, **more):
    """Send a call that `kind` strikes; return the open connection."""
    connection = sim.connect()
    wish = directive(fault=kind, tokens=8, **more)
    connection.send(sim.request(ask(wish, stream=stream, stream_options={"include_usage": True})))
    return connection


def raw(sim, kind, stream=False, **more):
    """Return all that comes back up to the close, which a faulty connection has to have."""
    with sent(sim, kind, stream, **more) as connection:
        return connection.read_all()


def answer(sim, kind, stream=False, **more):
    with sent(sim, kind, stream, **more) as connection:
        return connection.read_response()


def last(sim):
    return sim.log()[-1]


@both
@pytest.mark.parametrize("kind", ["reset_before_headers", "close_before_headers"])
def test_no_answer_at_all(sim, kind, stream):
    assert raw(sim, kind, stream) == b""
    assert (last(sim)["outcome"], last(sim)["fault"], last(sim)["status"]) == ("fault", kind, 0)


def test_a_reset_is_a_reset_and_a_close_a_close(sim):
    for kind, error in (
        ("reset_before_headers", ConnectionResetError),
        ("close_before_headers", None),
    ):
        with sent(sim, kind) as connection:
            try:
                assert connection.sock.recv(10) == b""
                assert error is None
            except ConnectionResetError:
                assert error is ConnectionResetError


@both
def test_reset_after_headers(sim, stream):
    head, _, rest = raw(sim, "reset_after_headers", stream).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 OK")
    assert rest == b""


@both
def test_hang(sim, stream):
    before = len(sim.log())
    with sent(sim, "hang", stream) as connection:
        assert not connection.is_closed(within_s=0.15)
    line = sim.wait_log(before + 1)[-1]
    assert (line["fault"], line["caller_left"]) == ("hang", True)
    began_s = time.monotonic()
    assert raw(sim, "hang", stream, for_s=0.1) == b""
    assert time.monotonic() - began_s >= 0.095
    assert not last(sim)["caller_left"]


@both
def test_errors(sim, stream):
    for status in (401, 403, 404, 429, 500, 502, 503):
        found = answer(sim, "error", stream, status=status)
        assert found.status == status
        assert set(found.json()["error"]) == {"code", "message", "param", "type"}
    overloaded = answer(sim, "error", stream, code="ServerOverloaded", retry_after_s=2)
    assert (overloaded.status, overloaded.header("retry-after")) == (429, "2")
    assert (last(sim)["code"], last(sim)["fault"]) == ("ServerOverloaded", "error")


@both
def test_redirect(sim, stream):
    found = answer(sim, "redirect", stream, status=307, location="http://127.0.0.1:9/x")

    assert (found.status, found.header("location")) == (307, "http://127.0.0.1:9/x")


@both
def test_wrong_content_type_garbage_and_nothing(sim, stream):
    assert answer(sim, "wrong_content_type", stream).header("content-type") == "text/html"
    assert answer(sim, "garbage", stream).body == bytes(range(256)) * 4
    empty = answer(sim, "empty", stream)
    assert (empty.status, empty.body) == (200, b"")


@both
def test_heads_that_are_none(sim, stream):
    assert raw(sim, "bad_head", stream) == b"HTTP/3.14 OK 200\r\n\r\n"
    huge = raw(sim, "huge_header", stream, size_bytes=200_000)
    assert huge.count(b"x") == 200_000


@both
def test_everything_later(sim, stream):
    with sent(sim, "slow_headers", stream, for_s=0.15) as connection:
        began_s = time.monotonic()
        found = connection.read_head()
        assert time.monotonic() - began_s >= 0.14
        found.body = b"".join(connection.read_body(found))
    assert found.complete


@both
def test_headers_at_once_and_the_first_token_later(sim, stream):
    with sent(sim, "slow_first_token", stream, for_s=0.6) as connection:
        began_s = time.monotonic()
        head = connection.read_head()
        at_head_s = time.monotonic() - began_s
        body = b"".join(connection.read_body(head))
        assert at_head_s < 0.55
        assert time.monotonic() - began_s >= 0.59
    assert head.complete
    assert (b"[DONE]" in body) is stream


@both
def test_stall(sim, stream):
    with sent(sim, "stall", stream, after_tokens=2, for_s=0.3) as connection:
        head, pieces, times = connection.read_head(), [], []
        for piece in connection.read_body(head):
            pieces.append(piece)
            times.append(time.monotonic())
    assert head.complete
    assert times[-1] - times[0] >= 0.28
    body = b"".join(pieces)
    if stream:
        assert pieces[0].count(b"data: ") == 2
        assert frames_of(body)[-1].is_done
    else:
        assert json.loads(body)["usage"]["completion_tokens"] == 8


def test_cut_stream(sim):
    found = answer(sim, "cut", True, after_tokens=3)

    assert not found.complete
    assert len(frames_of(found.body)) == 3
    assert last(sim)["completion_tokens"] == 3


def test_cut_plain(sim):
    found = answer(sim, "cut")

    assert not found.complete
    assert len(found.body) > 100
    assert last(sim)["completion_tokens"] == 8, "it had been generated"


def test_early_eof(sim):
    found = answer(sim, "early_eof", True)
    frames = frames_of(found.body)

    assert found.complete
    assert len(frames) == 3
    assert not any(frame.is_done or "finish_reason" in frame.data for frame in frames)
    plain = answer(sim, "early_eof")
    assert plain.complete
    with pytest.raises(ValueError):
        plain.json()


def test_no_done(sim):
    frames = frames_of(answer(sim, "no_done", True).body)

    assert not any(frame.is_done for frame in frames)
    assert frames[-1].json()["usage"]["completion_tokens"] == 8


@both
def test_bad_json(sim, stream):
    found = answer(sim, "bad_json", stream, after_tokens=3)
    if not stream:
        with pytest.raises(ValueError):
            found.json()
        return
    frames = frames_of(found.body)
    with pytest.raises(ValueError):
        frames[3].json()
    assert frames[4].json()["choices"]
    assert frames[-1].is_done


@both
def test_bad_chunk_size(sim, stream):
    found = raw(sim, "bad_chunk_size", stream)

    assert b"Transfer-Encoding: chunked" in found
    assert b"\r\nzz\r\n" in found


@both
def test_bad_sse(sim, stream):
    found = answer(sim, "bad_sse", stream)

    assert b"<html>" in found.body
    if stream:
        with pytest.raises(MalformedError):
            frames_of(found.body)


@both
def test_huge_line(sim, stream):
    found = answer(sim, "huge_line", stream, size_bytes=300_000)

    assert found.body.count(b"x") >= 300_000
    assert max(map(len, found.body.split(b"\n"))) > 300_000
    assert found.complete


def test_an_error_inside_a_stream(sim):
    found = answer(sim, "error_in_stream", True, code="ServerOverloaded")
    frames = frames_of(found.body)

    assert found.status == 200
    assert frames[-1].json()["error"]["code"] == "ServerOverloaded"
    assert last(sim)["code"] == "ServerOverloaded"
    assert answer(sim, "error_in_stream").json()["error"]["code"] == "InternalServiceError"


@both
def test_content_filter(sim, stream):
    body = answer(sim, "content_filter", stream, after_tokens=2).body

    assert b'"finish_reason":"content_filter"' in body
    assert body.count(b"001 ") == 1
    assert b"002 " not in body


@both
def test_usage_that_is_missing_or_nothing(sim, stream):
    assert b"completion_tokens" not in answer(sim, "no_usage", stream).body
    assert b'"total_tokens":0' in answer(sim, "zero_usage", stream).body
    assert last(sim)["completion_tokens"] == 8


@both
def test_a_close_that_was_not_announced(sim, stream):
    with sent(sim, "close_after", stream) as connection:
        found = connection.read_response()
        assert found.complete
        assert not found.closes
        assert connection.is_closed()


def test_refused_connections_by_account_and_time(sim):
    with sim.connect(0) as idle:
        sim.set_faults({"kind": "refuse", "accounts": ["ark-1"], "to_s": 0.8})
        assert idle.is_closed(), "what was open is cut"
    with pytest.raises(ConnectionRefusedError):
        sim.connect(0)
    assert sim.chat("x", 1).status == 200
    deadline_s = time.monotonic() + 5
    while True:
        try:
            assert sim.chat("x", 0).status == 200
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)


def test_rules_at_run_time(sim):
    sim.set_faults(
        {"kind": "error", "status": 500, "accounts": ["ark-1"], "every": 2},
        {"kind": "error", "code": "AccountOverdueError", "accounts": ["ark-2"], "at_most": 1},
    )

    assert [sim.chat("x", 0).status for _ in range(4)] == [200, 500, 200, 500]
    assert [sim.chat("x", 1).status for _ in range(2)] == [403, 200]
    assert [rule["struck"] for rule in sim.control("GET", "/state")["faults"]] == [2, 1]


def test_by_model_name(sim):
    assert sim.chat("x", model="sim-fault-RequestBurstTooFast").status == 429
    with sim.connect() as connection:
        connection.send(sim.request(ask("x", model="sim-fault-cut", stream=True)))
        head = connection.read_head()
        assert len(list(live_frames(connection, head))) == 3
        assert not head.complete
