"""Do the public documents' own request examples work with only the address and key changed?

The documents are not part of this repository. Where they lie beside it, in
`../shared/reference`, their code blocks are run as they are; elsewhere these tests are skipped.
Programs of our own that do the same are in `clients/` (test_go_and_node.py).
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.answers import reply
from support.gateway import KEY, MODEL
from support.lab import Lab, open_lab
from support.toolchains import go_build, run

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
PAGES = ("doubao-chat-completion.md", "doubao-chat-completion-older.md")
ADDRESS = "https://gateway.theturbo.ai"
SAMPLE_KEYS = ("sk-123456789012345678901234567890123456789012345678", "$YOUR_API_KEY")
QUESTION = "Hello, can you explain quantum mechanics to me?"
ANSWER = "Quantum mechanics is a branch of physics."


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with open_lab(dialect="ark", upstream={"default": reply(ANSWER, shape="ark")}) as lab:
        yield lab


def example(page: str, language: str) -> str:
    """Return one code block of a page, untouched."""
    path = REFERENCE / page
    if not path.exists():
        pytest.skip(f"{path} is not beside this repository")
    blocks = re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)
    if not blocks:
        pytest.skip(f"{page} has no {language} example")
    (block,) = blocks
    return block


@pytest.fixture
def ours(lab: Lab) -> Callable[[str], str]:
    """Put our address and key in place of the document's: the only change that is allowed."""

    def change(block: str) -> str:
        for key in SAMPLE_KEYS:
            block = block.replace(key, KEY)
        return block.replace(ADDRESS, lab.gateway.url.removesuffix("/v1"))

    return change


@pytest.fixture
def asked(lab: Lab) -> Iterator[None]:
    """Hold, after each example, that exactly its question has reached the upstream."""
    if not REFERENCE.is_dir():
        pytest.skip(f"{REFERENCE} is not beside this repository")
    before = len(lab.upstream.log)
    yield
    (seen,) = lab.upstream.log[before:]
    assert seen.prompt == QUESTION
    assert seen.json["model"] == "doubao-1-5-pro-32k-250115"


pages = pytest.mark.parametrize("page", PAGES)


@pages
@pytest.mark.usefixtures("asked")
def test_http(lab: Lab, ours, page):
    """The block leaves out what every HTTP client adds: version, Host and Content-Length."""
    head, _, body = ours(example(page, "http")).partition("\n\n")
    first, *headers = head.split("\n")
    lines = [
        f"{first} HTTP/1.1",
        f"Host: 127.0.0.1:{lab.gateway.port}",
        *headers,
        f"Content-Length: {len(body.encode())}",
    ]
    with lab.gateway.connect() as connection:
        answer = connection.send("\r\n".join([*lines, "", body]).encode()).read_response()

    assert answer.json()["choices"][0]["message"]["content"] == ANSWER
    assert answer.json()["model"] == MODEL


@pages
@pytest.mark.usefixtures("asked")
def test_shell(ours, page):
    done = run(["sh", "-c", ours(example(page, "sh"))])

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == ANSWER


@pytest.mark.slow  # a new interpreter imports the whole SDK
@pytest.mark.parametrize("page", PAGES[:1])
@pytest.mark.usefixtures("asked")
def test_python(ours, page):
    pytest.importorskip("openai")
    done = run([sys.executable, "-c", ours(example(page, "python"))])

    assert (done.returncode, done.stdout.strip()) == (0, ANSWER), done.stderr


@pytest.mark.slow  # compiles and links
@pages
@pytest.mark.usefixtures("asked")
def test_go(ours, tmp_path, page):
    """`openai-go` on the newer page, plain `net/http` on the older one."""
    done = run([str(go_build(ours(example(page, "go")), tmp_path))])

    assert done.returncode == 0, done.stderr
    assert ANSWER in done.stdout
