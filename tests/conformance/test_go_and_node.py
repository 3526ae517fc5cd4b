"""Do the official Go and Node SDKs work, and do they raise when an answer dies half-way?

`openai-go` is pinned to the last release of its first major version: its parser is the least
forgiving one in wide use (a blank line after a comment ends it with an error).
"""

import json
import threading
from collections.abc import Callable, Iterator

import pytest

from support.answers import (
    CLOSE,
    DONE,
    HANG,
    RESET,
    SHAPES,
    USAGE,
    Gate,
    fail,
    reply,
    sse,
    streamed,
)
from support.gateway import KEY
from support.lab import Lab, open_lab
from support.toolchains import CLIENTS, go_build, node_client, run

pytestmark = pytest.mark.slow

Client = Callable[..., dict]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    quick = {"upstream": {"heartbeat_s": 0.1, "between_chunks_s": 1}}
    with open_lab(settings=quick) as lab:
        yield lab


@pytest.fixture(scope="module", params=["go", "node"])
def client(request, lab: Lab, tmp_path_factory) -> Client:
    """Run a client once and return its report: `client("stream", prompt)`."""
    if request.param == "go":
        source = (CLIENTS / "go" / "main.go").read_text()
        command = [str(go_build(source, tmp_path_factory.mktemp("go")))]
    else:
        command = node_client()

    def ask_for(mode: str, prompt: str = "", *, key: str = KEY) -> dict:
        env = {"ARKWAY_BASE_URL": lab.gateway.url, "ARKWAY_API_KEY": key}
        done = run([*command, mode, prompt], env=env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask_for


def test_a_plain_answer(lab: Lab, client: Client):
    report = client("plain", lab.upstream.plan(reply("Hello")))

    assert (report["text"], report["finish"], report["failure"]) == ("Hello", "stop", "")
    assert report["total_tokens"] == USAGE["total_tokens"]


def test_a_stream(lab: Lab, client: Client):
    report = client("stream", lab.upstream.plan(reply("Hel", "lo")))

    assert (report["text"], report["finish"], report["failure"]) == ("Hello", "stop", "")
    assert report["total_tokens"] == USAGE["total_tokens"], "one usage chunk, counted once"
    assert report["chunks"] == 5  # role, two contents, finish, usage


def test_a_stream_with_heartbeats(lab: Lab, client: Client):
    gate = Gate()
    prompt = lab.upstream.plan(
        lambda seen: sse(
            SHAPES["openai"](seen).delta("a"), gate, SHAPES["openai"](seen).finish(), DONE
        )
    )
    # Three heartbeats are 0.3 s; nothing tells us when the client has read them.
    timer = threading.Timer(0.5, gate.open)
    timer.start()
    report = client("stream", prompt)
    timer.join()

    assert (report["text"], report["failure"]) == ("a", "")


DEATHS = {
    "reset": streamed(lambda say: [say.delta("Hel"), RESET]),
    "cut": streamed(lambda say: [say.delta("Hel"), CLOSE]),
    "stall": streamed(lambda say: [say.delta("Hel"), HANG]),
    "end without finish or [DONE]": lambda seen: sse(SHAPES["openai"](seen).delta("Hel")),
}


@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS)
def test_a_death_mid_stream_is_an_error(lab: Lab, client: Client, death):
    report = client("stream", lab.upstream.plan(death))

    assert report["text"] == "Hel"
    assert report["failure"]


def test_models(client: Client):
    assert "Doubao-1.5-pro-32k" in client("models")["models"]


def test_a_refusal(lab: Lab, client: Client):
    report = client("plain", "x", key="sk-nobody-holds-this")
    assert (report["status"], report["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("mode", ["plain", "stream"])
def test_an_error_before_the_first_byte(lab: Lab, client: Client, mode):
    report = client(mode, lab.upstream.plan(fail(400, "SensitiveContentDetected")))
    assert (report["status"], report["code"]) == (400, "content_policy_violation")


def test_lock_files_name_no_registry():
    for name in ("go/go.mod", "go/go.sum", "node/package.json", "node/package-lock.json"):
        text = (CLIENTS / name).read_text()
        assert "://" not in text, name
        assert '"resolved"' not in text, name
