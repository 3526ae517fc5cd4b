"""What is left of a connection or a call that is over? Nothing that waits for the collector.

Cycles of long calls are old when they are cut loose, and a gateway looks at old objects seldom:
each cut stream would cost memory for hours.
"""

import json
import signal
import time
from pathlib import Path

import pytest

import support
from support.answers import CLOSE, HANG, RESET, Gate, Pause, fail, reply, steps, streamed
from support.gateway import ask, encode
from support.httpraw import live_frames
from support.lab import FORGIVING, open_lab

HOOK = Path(support.__file__).parent / "garbage"
TIMES = 5
SILENT = streamed(lambda say: [HANG])  # its head comes, and no event


@pytest.fixture(scope="module")
def lab():
    settings = {"upstream": {"first_token_s": 1.0, "between_chunks_s": 0.5}} | FORGIVING
    settings["routing"] = settings["routing"] | {"hedges": True, "hedge_share": 1.0}
    env = {"PYTHONPATH": str(HOOK)}
    with open_lab(number_of_accounts=2, settings=settings, env=env) as lab:
        for _ in range(60):  # what is late is known by what is usual
            lab.gateway.chat(lab.upstream.plan(quick), stream=True)
        made = lab.gateway.arkway(
            "keys", "create", "--name", "d", "--on-disconnect", "drain", "--json"
        )
        lab.gateway.home.joinpath("drains").write_text(json.loads(made)["key"])
        garbage(lab)  # of the start
        yield lab


def quick(seen):
    return [Pause(0.005), *reply("quick")(seen)]


def garbage(lab):
    """Return what only the collector could free since the last time: objects by type."""
    place = lab.gateway.home / "garbage.json"
    place.unlink(missing_ok=True)
    lab.gateway.process.send_signal(signal.SIGUSR2)
    deadline_s = time.monotonic() + 10
    while not place.exists():
        assert time.monotonic() < deadline_s, "the gateway did not tell"
        time.sleep(0.01)
    return json.loads(place.read_text())


def begun(lab, **fields):
    """Return a connection on which a stream has begun that goes on for ever."""
    prompt = lab.upstream.plan(streamed(lambda say: [say.role(), say.delta("a"), HANG]))
    connection = lab.gateway.open_stream(prompt, **fields)
    frames = live_frames(connection, connection.read_head())
    for _ in range(2 * fields.get("n", 1)):
        next(frames)
    return connection


def leave_before_the_first_byte(lab):
    prompt = lab.upstream.plan(steps(HANG))
    with lab.gateway.open_stream(prompt):
        lab.upstream.wait_seen(prompt, 1)


def leave_both(lab):
    prompt = lab.upstream.plan(SILENT)
    with lab.gateway.open_stream(prompt):
        lab.upstream.wait_seen(prompt, 2)


def told_by_the_second(answer):
    """Return a stream whose first account is late, so that another is asked too."""

    def call(lab):
        prompt = lab.upstream.plan(SILENT, answer)
        lab.gateway.chat(prompt, stream=True)
        assert len(lab.upstream.seen(prompt)) == 2

    return call


def leave_within_a_body(lab):
    with lab.gateway.connect() as connection:
        connection.send(encode("POST", "/v1/chat/completions", ask("x"))[:-3])


def leave_without_reading(lab):
    """Let a stream run until the gateway has stopped reading its upstream, and go."""

    def flood(say):
        yield say.role()
        for _ in range(20_000):
            yield say.delta("x" * 1000)

    prompt = lab.upstream.plan(streamed(flood))
    with lab.gateway.open_stream(prompt):
        lab.upstream.wait_seen(prompt)
        before, sent = -1, 0
        while before != sent:
            time.sleep(0.1)
            before, sent = sent, sum(seen.sent_bytes for seen in lab.upstream.seen(prompt))


def leave_a_key_that_drains(lab):
    """Leave a stream that is read on to its usage."""
    gate = Gate()
    prompt = lab.upstream.plan(
        streamed(lambda say: [say.role(), say.delta("a"), gate, say.finish(), say.usage(), CLOSE])
    )
    headers = [("Authorization", f"Bearer {lab.gateway.home.joinpath('drains').read_text()}")]
    with lab.gateway.connect() as connection:
        body = ask(prompt, stream=True)
        connection.send(encode("POST", "/v1/chat/completions", body, headers=headers))
        next(live_frames(connection, connection.read_head()))
    time.sleep(0.05)
    gate.open()


def run_out_of_time(**fields):
    """Return a call that the upstream does not answer while its caller waits."""

    def call(lab):
        headers = [("x-stainless-read-timeout", "0.2")]
        body = ask(lab.upstream.plan(steps(HANG)), **fields)
        lab.gateway.post(body, headers=headers)

    return call


def answered(*script, **fields):
    """Return a call that is answered by `script` in good chunks, and read to its end."""

    def call(lab):
        prompt = lab.upstream.plan(streamed(lambda say: [say.role(), say.delta("a"), *script]))
        with lab.gateway.open_stream(prompt, **fields) as connection:
            connection.read_all()

    return call


def told(answer, **fields):
    return lambda lab: lab.gateway.chat(lab.upstream.plan(answer), **fields)


ENDS = {
    "a plain answer": told(reply("x")),
    "three choices": told(reply("x"), n=3),
    "a stream": told(reply("x"), stream=True),
    "a refusal by the upstream": told(fail(400)),
    "every account fails": told(fail(500)),
    "the upstream resets before a byte": told(steps(RESET)),
    "the upstream resets within a stream": answered(RESET),
    "the upstream closes within a stream": answered(CLOSE),
    "the upstream falls silent": answered(HANG),
    "one of three choices breaks": answered(RESET, n=3),
    "a bad body": lambda lab: lab.gateway.post(b"{"),
    "a bad key": lambda lab: lab.gateway.post(ask("x"), key="sk-no"),
    "no HTTP": lambda lab: lab.gateway.raw(b"hello\r\n\r\n"),
    "no page": lambda lab: lab.gateway.call("GET", "/nothing"),
    "a caller leaves": lambda lab: begun(lab).close(),
    "a caller resets": lambda lab: begun(lab).reset(),
    "three choices, a caller leaves": lambda lab: begun(lab, n=3).close(),
    "a caller leaves before the first byte": leave_before_the_first_byte,
    "a caller leaves within a body": leave_within_a_body,
    "a caller leaves without reading": leave_without_reading,
    "a caller leaves while both of two are asked": leave_both,
    "a caller leaves, its key drains": leave_a_key_that_drains,
    "a caller's deadline": run_out_of_time(),
    "a caller's deadline for a stream": run_out_of_time(stream=True),
    "the second is faster": told_by_the_second(reply("x")),
    "the second fails": told_by_the_second(fail(500)),
}


@pytest.mark.parametrize("end", ENDS)
def test_nothing_waits_for_the_collector(lab, end):
    for _ in range(TIMES):
        ENDS[end](lab)
    time.sleep(0.2)  # the last connection's end

    assert garbage(lab) == {}


def test_an_outage_takes_no_memory(lab):
    """Content of 200 calls is 18 MB; each is there twice or more while a call lasts."""
    large = {"role": "user", "content": "w" * 90_000}
    before_bytes = lab.gateway.resident_bytes()
    for _ in range(200):
        asked = ask(lab.upstream.plan(fail(500)))
        asked["messages"].insert(0, large)
        assert lab.gateway.post(asked).status == 502

    assert lab.gateway.resident_bytes() - before_bytes < 10 * 1024 * 1024
