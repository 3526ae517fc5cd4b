"""Does what the README shows work? Its commands are run here, or held against what exists.

`make` targets and `curl` calls need the network or a server: they are compared with the Makefile,
the routes and the validation. The `arkway` commands that only write files are run for real.
"""

import ast
import json
import os
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import typer

from arkway import __version__
from arkway.admission.validate import validate
from arkway.cli import main
from arkway.cli.app import whole
from arkway.control.config import BUILTIN_MODELS, Config, Control
from arkway.control.home import FIRST_ADMIN_TOKEN_NAME, FIRST_KEY_NAME
from arkway.control.snapshot import build
from arkway.listener.routes import Endpoint, match
from arkway.model.call import Caller, RawRequest
from arkway.model.catalogue import KeySpec, Price
from arkway.model.ids import TenantId
from arkway.store.read_io import StoreView

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
# What callers read: their examples have to work as they stand.
CALLERS = ("api", "conversations", "examples", "first_call", "models", "parameters", "quickstart")
API = "\n".join(
    (ROOT / "docs" / f"{page}.md").read_text() for page in (*CALLERS, "streaming", "usage")
)
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
SERVER = Config().server


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """Return the commands of all shell blocks, split into words, comments left out."""
    found = []
    for block in blocks(text, "sh"):
        block = re.sub(r"(^|\s)# .*$", "", block, flags=re.MULTILINE).replace("\\\n", " ")
        lexer = shlex.shlex(block, posix=True, punctuation_chars=";\n")
        lexer.whitespace, lexer.whitespace_split = " \t", True
        words: list[str] = []
        for word in lexer:
            if word.strip("\n;"):
                words.append(word)
            elif words:
                found.append(words)
                words = []
        found += [words] if words else []
    return found


def of(program: str, text: str = README) -> list[list[str]]:
    return [words for words in commands(text) if Path(words[0]).name == program]


def test_make_targets_exist():
    targets = re.findall(r"^(\w+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = [words[1] for words in of("make")] + re.findall(r"`make (\w+)`", README)

    assert {"run", "test"} <= set(named) <= set(targets)


def test_programs_are_those_there_are():
    assert {words[0] for words in commands(README)} == {
        "make",
        "curl",
        ".venv/bin/arkway",
        "export",
    }


def test_arkway_commands_use_flags_that_exist():
    root = typer.main.get_command(whole())
    for _, *words in [*of("arkway"), *of("arkway", API)]:
        command, rest = root, words
        while hasattr(command, "commands"):
            command, rest = command.commands[rest[0]], rest[1:]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known


@pytest.mark.slow  # runs four commands
def test_a_real_account_as_the_readme_adds_it(tmp_path, monkeypatch, capsys):
    """Run the blocks' own words, one after the other, in a home of their own."""
    for name in [name for name in os.environ if name.startswith("ARKWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ARKWAY_HOME", str(tmp_path))
    ran = []
    for program, *words in commands(README.partition("## A real account")[2]):
        if program == "export":
            monkeypatch.setenv(*words[0].split("=", 1))
        elif program != "make":
            assert main(words) == 0, (words, capsys.readouterr().err)
            ran.append(" ".join(words[:2]))

    assert ran == ["accounts add", "config check", "keys create", "accounts list"]
    with closing(sqlite3.connect(tmp_path / "store.db")) as store:
        assert store.execute("SELECT dialect, key_env FROM accounts").fetchall() == [
            ("ark", "ARK_API_KEY")
        ]
    assert all(b"put-the-key-here" not in file.read_bytes() for file in tmp_path.iterdir())


@pytest.fixture(scope="module")
def snapshot():
    price = Price(1, "CNY", 1, 1, 1)
    view = StoreView(prices={model.name: price for model in BUILTIN_MODELS})
    return build(Config(), view, b"", {}, Path.read_text).snapshot


CURLS = [*of("curl"), *of("curl", API)]


@pytest.mark.parametrize("words", CURLS, ids=lambda words: words[-1][:60])
def test_curl_calls_would_be_accepted(words, snapshot):
    url = next(word for word in words if "/v1/" in word or "$ARKWAY_URL" in word)
    if "/chat/completions" not in url:
        path = url.replace("$ARKWAY_URL", "http://gateway/v1").partition("?")[0]
        path = "/v1/" + path.partition("/v1/")[2]
        assert match(b"GET", path.encode())
        return
    path = "/v1/" + url.partition("/v1/")[2] if "/v1/" in url else url.replace("$ARKWAY_URL", "/v1")
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    body = words[words.index("-d") + 1]
    request = RawRequest(method=b"POST", path=path.encode(), body=body.encode())
    caller = Caller(KeySpec(sha256=b"", name="reader", tenant=TenantId("default")))

    assert match(b"POST", path.encode()).endpoint is Endpoint.CHAT_COMPLETIONS
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"].startswith("Bearer $")
    call = validate(request, caller, snapshot, 1)
    assert call.stream == ("-N" in words), "a stream is shown as it comes, and only a stream"


def test_addresses_and_files_are_the_defaults():
    public, control = str(SERVER.port), str(Control().port)
    kept = {f"var/{FIRST_KEY_NAME}", f"var/{FIRST_ADMIN_TOKEN_NAME}"}
    for text, ports, files in (
        (README, {public, control}, kept),
        (API, {public}, {f"var/{FIRST_KEY_NAME}"}),
    ):
        assert set(re.findall(r"127\.0\.0\.1:(\d+)", text)) == ports
        assert set(re.findall(r"var/[\w.-]+", text)) == files
    assert f"port {SERVER.port}" in README


def test_programs_ask_for_models_that_exist():
    names = {model.name for model in BUILTIN_MODELS}
    for text in (README, API):
        assert set(re.findall(r"Doubao-[\w.-]*\d+k", text)) <= names
    for block in blocks(README + API, "python"):
        ast.parse(block)
    for block in blocks(API, "json"):
        json.loads(block)


def test_the_stand_in_is_called_one():
    assert "It is not Doubao" in README
    assert "x-arkway-upstream: local" in README


def test_the_changelog_has_this_version():
    versions = re.findall(r"^## \[(\d[\d.]*)\] - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)

    assert versions[0] == __version__
