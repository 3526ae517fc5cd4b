"""Does the process start, stop and refuse to start as an operator expects?"""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from support.answers import DONE, HANG, SHAPES, Gate, reply, sse, streamed
from support.gateway import Gateway, accounts, ask, encode, free_port
from support.httpraw import live_frames
from support.upstream import Upstream


@pytest.fixture
def upstream():
    with Upstream() as upstream:
        yield upstream


@contextlib.contextmanager
def started(settings, *, text=None, **options):
    """Yield a gateway that was only spawned: it may be ready some time, or end by itself.

    `text` takes the place of the whole configuration file.
    """
    gateway = Gateway(settings, **options)
    if text is not None:
        gateway.config.write_text(text)
    try:
        yield gateway.spawn()
    finally:
        gateway._end()


def held_stream(gate: Gate):
    """Return a stream that says "a", waits at the gate, and then ends well."""

    def answer(seen):
        say = SHAPES["openai"](seen)
        return sse(say.delta("a"), gate, say.delta("b"), say.finish(), DONE)

    return answer


# -- stopping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_gateway_stops_at_once_and_well(upstream, sign):
    with Gateway({"accounts": accounts(upstream)}) as gateway:
        with gateway.connect() as idle:
            idle.send(encode("GET", "/v1/models")).read_response()
            gateway.process.send_signal(sign)
            assert gateway.wait_exit(within_s=3) == 0
            assert idle.is_closed()
        assert gateway.unhandled() == ""


def test_sigterm_lets_streams_and_plain_answers_finish(upstream):
    gates = [Gate(), Gate()]
    streaming = upstream.plan(held_stream(gates[0]))
    plain = upstream.plan(lambda seen: [gates[1], *reply("whole")(seen)])
    with Gateway({"accounts": accounts(upstream)}) as gateway:
        with gateway.open_stream(streaming) as one, gateway.connect() as two:
            frames = live_frames(one, one.read_head())
            early = [next(frames), next(frames)]
            two.send(encode("POST", "/v1/chat/completions", ask(plain)))
            upstream.wait_seen(plain)
            gateway.process.send_signal(signal.SIGTERM)
            gateway.wait_ops("/readyz", 503)
            for gate in gates:
                gate.open()
            rest = list(frames)
            answer = two.read_response()
            assert one.is_closed()
            assert two.is_closed()
        assert gateway.wait_exit(within_s=3) == 0
        assert gateway.unhandled() == ""

    texts = [frame.json()["choices"][0]["delta"] for frame in [*early, *rest][:-1]]
    assert texts == [{"role": "assistant", "content": ""}, {"content": "a"}, {"content": "b"}, {}]
    assert rest[-1].is_done
    assert answer.json()["choices"][0]["message"]["content"] == "whole"


def test_the_drain_has_a_cap(upstream):
    """What still runs then is cut as any interrupted stream is: with an error, without `[DONE]`."""
    prompt = upstream.plan(streamed(lambda say: [say.delta("a"), HANG]))
    settings = {"accounts": accounts(upstream), "server": {"drain_s": 0.5}}
    with Gateway(settings) as gateway:
        with gateway.open_stream(prompt) as connection:
            frames = live_frames(connection, connection.read_head())
            next(frames)
            started_s = time.monotonic()
            gateway.process.send_signal(signal.SIGTERM)
            rest = list(frames)
            took_s = time.monotonic() - started_s
        gateway.wait_exit(within_s=3)

    assert 0.4 < took_s < 2
    assert not any(frame.is_done for frame in rest)
    assert upstream.only(prompt).peer_left.wait(2)


def test_sigint_twice_stops_at_once(upstream):
    prompt = upstream.plan(streamed(lambda say: [say.delta("a"), HANG]))
    with Gateway({"accounts": accounts(upstream)}) as gateway:
        with gateway.open_stream(prompt) as connection:
            frames = live_frames(connection, connection.read_head())
            next(frames)
            gateway.process.send_signal(signal.SIGINT)
            gateway.wait_ops("/readyz", 503)
            assert gateway.is_running(), "the first SIGINT drains"
            started_s = time.monotonic()
            gateway.process.send_signal(signal.SIGINT)
            gateway.wait_exit(within_s=3)
            took_s = time.monotonic() - started_s
        assert gateway.unhandled() == ""

    assert took_s < 1
    assert upstream.only(prompt).peer_left.wait(2)


def test_kill_9_leaves_nothing_behind_that_hinders_the_next_start(upstream):
    with Gateway({"accounts": accounts(upstream)}) as gateway:
        gateway.process.kill()
        gateway.process.wait(5)
        gateway.spawn().wait_ready()
        assert gateway.chat("again").status == 200


# -- starting -------------------------------------------------------------------------------------


def test_health_and_readiness_are_on_the_ops_port_only(upstream):
    with Gateway({"accounts": accounts(upstream)}) as gateway:
        assert gateway.ops("/healthz") == 200
        assert gateway.ops("/readyz") == 200
        assert gateway.ops("/nope") == 404
        assert gateway.call("GET", "/readyz").status == 404


def one_line(gateway: Gateway) -> str:
    """Return what a gateway said on its way out: one line, and no traceback."""
    lines = [line for line in gateway.stderr().splitlines() if line.strip()]
    assert len(lines) == 1, gateway.output()
    return lines[0]


@pytest.mark.parametrize("taken", ["port", "ops_port"])
def test_a_taken_port_is_said_in_one_line(upstream, taken):
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        settings = {"accounts": accounts(upstream), "server": {taken: port}}
        with started(settings) as gateway:
            assert gateway.wait_exit() != 0
            assert str(port) in one_line(gateway)


def test_a_second_gateway_on_the_same_port_is_refused(upstream):
    """Two processes sharing a port by accident would split its traffic."""
    with (
        Gateway({"accounts": accounts(upstream)}) as first,
        started({"accounts": accounts(upstream)}, port=first.port) as second,
    ):
        assert second.wait_exit() != 0
        assert str(first.port) in one_line(second)
        assert first.chat("still mine").status == 200


ACCOUNT = '[[accounts]]\nname = "a"\ndialect = "openai"\nbase_url = "http://127.0.0.1:1/v1"\n'
BAD_SETTINGS = {
    "an unknown setting": ("[server]\nprot = 1\n", ["server.prot", "server.port"]),
    "an unknown table": ("[sever]\nport = 1\n", ["sever", "server"]),
    "a wrong type": ('[limits]\nmax_body_bytes = "big"\n', ["limits.max_body_bytes"]),
    "a value out of range": ("[limits]\nmax_choices = 0\n", ["limits.max_choices"]),
    "no TOML at all": ("port: 1\n", ["arkway.toml"]),
    "accounts, which the store holds": (
        ACCOUNT + 'key = "secret-canary"\n',
        ["accounts", "arkway config import"],
    ),
    "keys, which the store holds": (
        '[[keys]]\nname = "k"\nhash = "sk-secret-canary"\n',
        ["keys", "arkway config import"],
    ),
    "two problems at once": (
        "[limits]\nmax_choices = 0\nkeep_alive_s = -1\n",
        ["limits.max_choices", "limits.keep_alive_s"],
    ),
}


@pytest.mark.parametrize(("text", "named"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_a_bad_configuration_never_starts_and_names_every_problem(upstream, text, named):
    flags = ["--port", str(free_port()), "--ops-port", str(free_port())]  # should it start
    with started({"accounts": accounts(upstream)}, text=text, arguments=flags) as gateway:
        assert gateway.wait_exit() != 0
        said = gateway.stderr() + gateway.stdout()

    assert not [name for name in named if name not in said], said
    assert "Traceback" not in said
    assert "canary" not in said


def test_settings_may_come_from_the_environment(upstream):
    env = {"ARKWAY_LIMITS_MAX_CHOICES": "2"}
    with Gateway({"accounts": accounts(upstream)}, env=env) as gateway:
        assert gateway.chat("x", n=2).status == 200
        assert gateway.chat("x", n=3).error["param"] == "n"


def test_a_home_that_does_not_exist_is_made_for_its_owner_only(tmp_path):
    home = tmp_path / "fresh"
    command = [sys.executable, "-m", "arkway", "keys", "create", "--name", "k", "--json"]
    env = os.environ | {"ARKWAY_HOME": str(home)}
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)

    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(each.stat().st_mode) & 0o077 == 0 for each in home.iterdir())


def test_logs_hold_no_key_no_prompt_and_no_answer(upstream):
    prompt = upstream.plan(reply("answer-canary"), reply("answer-canary"))
    with Gateway({"accounts": accounts(upstream), "log": {"level": "debug"}}) as gateway:
        assert gateway.chat(prompt).status == 200
        gateway.chat("prompt-canary", user="user-canary")
        gateway.post({"model": "model-canary"}, key="sk-wrong-key-canary-1")
        gateway.post(ask("x"), headers=[("X-Conversation-Id", "conversation-canary")])
        said = gateway.stderr() + gateway.stdout()

    assert "canary" not in said
    assert prompt not in said
    for secret in ("sk-test", "ark-upstream-credential"):
        assert secret not in said
