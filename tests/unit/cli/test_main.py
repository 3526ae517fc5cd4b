import os
import subprocess
import sys
from pathlib import Path

import pytest

from arkway import __version__, cli

NO_DIALECT = "arkway: Missing option '--dialect'. Choose from: openai, ark"
COMMANDS = ["serve", "chat", "keys create", "keys list", "accounts add", "accounts list"]
COMMANDS += ["keys edit", "keys rotate", "keys revoke", "accounts edit", "accounts drain"]
COMMANDS += ["tenants create", "models add", "prices set", "db upgrade", "db check", "audit"]
COMMANDS += ["config check", "config show", "config import", "version", "calls", "usage", "explain"]


def test_no_arguments_is_a_question(arkway):
    status, out, _ = arkway()

    assert status == 0
    assert "Usage: arkway" in out
    assert "serve" in out
    assert "Run the gateway" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(arkway, command):
    status, out, err = arkway(*command.split(), "--help")

    assert (status, err) == (0, "")
    assert f"Usage: arkway {command}" in out
    assert "Examples:\n" in out or command == "version"


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_the_version_is_the_packages(arkway, arguments):
    assert arkway(*arguments) == (0, f"arkway {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "arkway: No such command 'nope'; see arkway --help\n"),
        (["keys"], "arkway: Missing command; see arkway keys --help\n"),
        (["keys", "create"], "arkway: Missing option '--name'; see arkway keys create --help\n"),
        (
            ["accounts", "add", "main"],
            f"{NO_DIALECT}; see arkway accounts add --help\n",
        ),
        (
            ["keys", "create", "--name", "x", "--rpm", "-1"],
            "arkway: requests_per_min: must be an integer, 1 to 1000000000000000, got -1\n",
        ),
        (["serve", "--prt", "1"], None),
        (["serve", "--port", "x"], None),
        (["serve", "extra"], None),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(arkway, arguments, message):
    status, out, err = arkway(*arguments)

    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("arkway: ")
    assert message in (None, err)


def test_a_name_that_the_terminal_cannot_write_is_written_as_an_escape(arkway):
    assert arkway("keys", "create", "--name", "\u5ba2\u6237")[0] == 0
    ascii_ = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = (sys.executable, "-m", "arkway", "keys", "list")
    found = subprocess.run(command, env=ascii_, capture_output=True, text=True, check=False)

    assert (found.returncode, found.stderr) == (0, "")
    assert "\\u5ba2\\u6237" in found.stdout


@pytest.mark.parametrize("noun", ["keys", "accounts"])
def test_an_empty_list_says_what_to_do(arkway, noun):
    status, out, err = arkway(noun, "list")

    assert (status, out.count("\n"), err.count("\n")) == (0, 1, 1)
    assert f"`arkway {noun} " in err


def test_ctrl_c_while_modules_load_is_no_traceback(monkeypatch, capsys):
    def interrupted(_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("arkway.cli.app.run", interrupted)

    assert cli.main(["version"]) == 130
    assert capsys.readouterr() == ("", "")


def test_serve_is_not_typers_business(monkeypatch):
    seen = []
    monkeypatch.setattr(cli.serve, "run", lambda flags: seen.append(flags) or 7)

    assert cli.main(["serve", "--port", "1"]) == 7
    assert seen[0].port == 1


def test_typers_serve_does_the_same(arkway, monkeypatch):
    seen = []
    monkeypatch.setattr(cli.serve, "run", lambda flags: seen.append(flags) or 7)

    status, _, _ = arkway("serve", "--port", "+1")  # a spelling that only Typer takes

    assert status == 7
    assert seen[0].port == 1


def test_importing_the_command_loads_nothing_heavy():
    code = "import arkway.cli, sys; print(*sys.modules)"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    heavy = {"typer", "rich", "pydantic", "msgspec", "asyncio", "ssl", "http.client", "argparse"}
    assert heavy.isdisjoint(out.stdout.split())


@pytest.mark.slow
def test_the_module_is_the_command(tmp_path):
    out = subprocess.run(
        [sys.executable, "-m", "arkway", "version"], capture_output=True, text=True, check=True
    )

    assert out.stdout == f"arkway {__version__}\n"


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error(tmp_path):
    read, write = os.pipe()
    os.close(read)

    with os.fdopen(write, "w") as broken:
        out = subprocess.run(
            [sys.executable, "-m", "arkway", "config", "show"],
            stdout=broken,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "ARKWAY_HOME": str(tmp_path)},
            check=False,
        )

    assert "Traceback" not in out.stderr
    assert "BrokenPipe" not in out.stderr


def test_a_home_that_cannot_be_made_is_one_line_and_status_1(arkway, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ARKWAY_HOME", str(tmp_path / "file"))

    status, out, err = arkway("keys", "create", "--name", "a")

    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "File exists" in err


def test_an_interrupt_is_quiet(arkway, monkeypatch):
    def interrupted(_self, _path):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "open", interrupted)

    assert arkway("config", "show") == (130, "", "")
