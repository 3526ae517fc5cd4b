"""Do llhttp's own vectors, fed over sockets, ever make the gateway do something it should not?

The vectors (nodejs/llhttp, MIT) are not part of this repository; where they lie beside it, in
`../shared/vectors`, each is sent as a caller's bytes or as an upstream's answer. A vector whose
log holds an error must be refused; after it nothing on that connection may be served.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.answers import CLOSE, reply, steps
from support.gateway import ask, encode
from support.httpraw import MalformedError, Response
from support.lab import Lab, open_lab

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "llhttp"
_VECTOR = re.compile(
    r"<!--\s*meta=(?P<meta>\{.*?\})\s*-->\s*```http\n(?P<raw>.*?)```\s*(?:```log\n(?P<log>.*?)```)?",
    re.DOTALL,
)
_ESCAPES = {"\\r": "\r", "\\n": "\n", "\\t": "\t", "\\f": "\f"}


@dataclass(frozen=True)
class Vector:
    """One message of the vectors, as bytes."""

    name: str
    data: bytes
    is_error: bool


def unescape(block: str) -> bytes:
    """Undo the notation of the Markdown, as llhttp's own test runner does."""
    text = re.sub(r"\\\n", "", block.removesuffix("\n")).replace("\n", "\r\n")
    for written, meant in _ESCAPES.items():
        text = text.replace(written, meant)
    text = re.sub(r"\\x([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), text)
    return text.encode("latin-1", "replace")


def load(side: str) -> list:
    vectors = []
    for file in sorted((VECTORS / side).glob("*.md")):
        for number, match in enumerate(_VECTOR.finditer(file.read_text())):
            meta = json.loads(match["meta"])
            # "pause" logs hold the error by which the test itself stops the parser.
            is_error = "error code=" in (match["log"] or "") and "pause" not in meta
            name = f"{file.stem}-{number}"
            vectors.append(pytest.param(Vector(name, unescape(match["raw"]), is_error), id=name))
    absent = pytest.param(None, marks=pytest.mark.skip(reason=f"no vectors in {VECTORS}"))
    return vectors or [absent]


@pytest.fixture(scope="module")
def lab():
    with open_lab(settings={"limits": {"header_timeout_s": 0.5, "body_grace_s": 0.5}}) as lab:
        yield lab


@pytest.fixture(scope="module")
def never_served(lab: Lab):
    """Canaries that followed an error; looked for once more at the end, however late they come."""
    prompts: list[str] = []
    yield prompts
    assert [prompt for prompt in prompts if lab.upstream.seen(prompt)] == []


@pytest.mark.parametrize("vector", load("request"))
def test_a_request_vector(lab: Lab, never_served: list[str], vector: Vector):
    canary = lab.upstream.plan(reply("canary"))
    last = encode("POST", "/v1/chat/completions", ask(canary), headers=[("Connection", "close")])
    answers: list[Response] = []
    with lab.gateway.connect(timeout_s=5) as connection:
        connection.try_send(vector.data + last)
        connection.half_close()
        left_over = b""
        try:
            while True:
                answers.append(connection.read_response())
        except EOFError as end:
            (left_over,) = end.args
        except MalformedError:
            # An answer to HEAD has no body, which this reader cannot know.
            assert vector.data.startswith(b"HEAD")

    assert left_over == b""
    assert all(answer.status < 500 for answer in answers)
    if vector.is_error:
        assert answers, "closed without a word"
        assert 400 <= answers[-1].status < 500
        assert answers[-1].closes
        assert not lab.upstream.seen(canary)
        never_served.append(canary)
    elif any(answer.status == 200 for answer in answers):
        assert lab.upstream.only(canary).json["messages"] == ask(canary)["messages"]


@pytest.mark.parametrize("vector", load("response"))
@pytest.mark.parametrize("stream", [False, True])
def test_a_response_vector(lab: Lab, vector: Vector, stream):
    """None of them is an answer to a chat completion, so none may look like one."""
    answer = lab.gateway.chat(lab.upstream.plan(steps(vector.data, CLOSE)), stream=stream)

    assert answer.complete
    # 401 and 404 are the account's own fault, so that none is left.
    assert answer.error["code"] in ("upstream_error", "no_healthy_account")
    after = lab.gateway.chat(lab.upstream.plan(reply("after")))
    assert after.json()["choices"][0]["message"]["content"] == "after"
