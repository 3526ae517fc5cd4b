"""The real thing: llama.cpp over the installed weights, as the gateway will meet it.

The recordings that other rooms' tests replay (tests/fixtures/llamacpp_*) are compared with what
the installed version says, so an upgrade that changes the wire shows here first.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path

import pytest

from arkway.local.child import server_command
from arkway.local.weights import LocalModelError, find_weights

FIXTURES = Path(__file__).parents[2] / "fixtures"
LIMIT_S = 60.0  # for a start or an answer; a second when the machine is idle


@pytest.fixture(scope="module")
def weights() -> Path:
    if find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed")
    try:
        return find_weights(environ={})
    except LocalModelError as error:
        pytest.skip(str(error))


@contextmanager
def server(weights: Path) -> Iterator["Server"]:
    with subprocess.Popen(
        server_command(weights), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield Server(process)
        finally:
            process.kill()


class Server:
    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.port = json.loads(process.stdout.readline())["port"]

    def ask(self, content: str | list[dict], **parameters) -> bytes:
        messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        body = json.dumps({"messages": messages, "seed": 1} | parameters)
        connection.request("POST", "/v1/chat/completions", body)
        answer = connection.getresponse().read()
        connection.close()
        return answer


@pytest.fixture(scope="module")
def first(weights):
    with server(weights) as first:
        yield first


def shape(value: object) -> object:
    """Return a JSON value's structure: names and types, list lengths and values left out."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def chunks(stream: str) -> list:
    """Return a stream's events, JSON where they are, with one content delta for many."""
    shapes = []
    for event in stream.strip().split("\n\n"):
        payload = event.removeprefix("data: ")
        one = payload if payload == "[DONE]" else shape(json.loads(payload))
        if one not in shapes:
            shapes.append(one)
    return shapes


@pytest.mark.local_model
def test_an_answer_has_the_recorded_shape_and_names_no_path(first):
    answer = json.loads(first.ask("hello", max_tokens=8))

    recorded = json.loads((FIXTURES / "llamacpp_answer.json").read_text())
    assert shape(answer) == shape(recorded)
    assert answer["model"] == "SmolLM2-135M-Instruct.Q4_1"


@pytest.mark.local_model
@pytest.mark.parametrize(
    ("recording", "parameters"),
    [
        ("llamacpp_stream.txt", {"stream_options": {"include_usage": True}}),
        ("llamacpp_stream_no_usage.txt", {}),
    ],
)
def test_a_stream_has_the_recorded_shape(first, recording, parameters):
    stream = first.ask("hello", max_tokens=4, stream=True, **parameters).decode()

    assert chunks(stream) == chunks((FIXTURES / recording).read_text())


@pytest.mark.local_model
def test_a_prompt_beyond_the_window_is_refused_as_recorded(first):
    refusal = json.loads(first.ask("word " * 3000))

    recorded = json.loads((FIXTURES / "llamacpp_errors.json").read_text())
    assert refusal in [error["body"] for error in recorded]


@pytest.mark.slow
@pytest.mark.local_model
def test_a_second_turn_finds_its_prompt_cached_on_its_server_and_not_on_another(weights, first):
    turns = [{"role": "system", "content": "You are Arkway's warm cache. " * 8}]
    turns += [{"role": "user", "content": "What is the capital of France?"}]
    answer = json.loads(first.ask(turns, max_tokens=16))
    turns += [answer["choices"][0]["message"], {"role": "user", "content": "And of Spain?"}]

    with server(weights) as second:
        usages = [json.loads(each.ask(turns, max_tokens=4))["usage"] for each in (first, second)]

    cached, elsewhere = (usage["prompt_tokens_details"]["cached_tokens"] for usage in usages)
    assert cached > 60
    assert elsewhere == 0
    assert usages[0]["prompt_tokens"] == usages[1]["prompt_tokens"]


@pytest.mark.slow
@pytest.mark.local_model
def test_it_goes_when_its_standard_input_ends_even_in_the_middle_of_an_answer(weights):
    with server(weights) as own:
        connection = HTTPConnection("127.0.0.1", own.port, timeout=LIMIT_S)
        body = {"messages": [{"role": "user", "content": "Write a long story."}], "stream": True}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        answer = connection.getresponse()
        assert answer.read(5) == b"data:"
        began_s = time.monotonic()
        own.process.stdin.close()

        assert own.process.wait(LIMIT_S) == 0
        assert time.monotonic() - began_s < 5
        connection.close()


@pytest.mark.local_model
def test_weights_that_cannot_be_loaded_are_announced_as_an_error(weights, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(weights.read_bytes()[:4096])

    result = subprocess.run(
        server_command(cut), input=b"", capture_output=True, timeout=LIMIT_S, check=False
    )

    assert result.returncode == 1
    assert list(json.loads(result.stdout)) == ["error"]
    assert b" E " in result.stderr


def test_without_xllamacpp_the_announcement_names_the_remedy(tmp_path):
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('no such library')")

    result = subprocess.run(
        server_command(Path("any.gguf")),
        input=b"",
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
        env={"PYTHONPATH": str(tmp_path)},
    )

    assert result.returncode == 1
    assert json.loads(result.stdout)["error"].startswith(
        "xllamacpp cannot be imported (no such library): run `make install`"
    )
