import dataclasses
import sys
import types
from pathlib import Path

import typer
from hypothesis import given
from hypothesis import strategies as st

from arkway.cli import app as app_module
from arkway.cli import serve
from arkway.cli.serve import ServeFlags, options_of, parse_flags

words = st.text(st.characters(codec="ascii"), max_size=6)
arguments = st.lists(
    st.sampled_from(
        ["--local", "--host", "--port", "--ops-port", "--control-port", "--control-host"]
    )
    | st.sampled_from(["--config", "--model", "--help"])
    | st.sampled_from(["--port=1", "--host=h", "--model=", "--local=1", "--", "-", "0", "8080"])
    | words,
    max_size=5,
)


def typers_answer(given_arguments):
    """Return what Typer's `serve` makes of the arguments; None when it refuses or helps."""
    seen = []
    real, serve.run = serve.run, lambda flags: seen.append(flags) or 0
    try:
        app_module.app(["serve", *given_arguments], prog_name="arkway", standalone_mode=False)
    except typer.TyperException:
        return None
    finally:
        serve.run = real
    return seen[0] if seen else None


@given(arguments)
def test_what_is_understood_is_understood_as_typer_does(given_arguments):
    flags = parse_flags(given_arguments)

    assert flags is None or flags == typers_answer(given_arguments)


def test_every_flag_is_understood_without_typer():
    given_arguments = [
        "--local",
        *("--model", "m.gguf"),
        *("--host", "::1"),
        "--port=0",
        *("--ops-port", "65535"),
        *("--control-host", "127.0.0.2"),
        *("--control-port", "9081"),
        *("--config", "c.toml"),
    ]

    flags = parse_flags(given_arguments)

    assert flags == ServeFlags(
        local=True,
        model=Path("m.gguf"),
        host="::1",
        port=0,
        ops_port=65535,
        control_host="127.0.0.2",
        control_port=9081,
        config=Path("c.toml"),
    )
    assert None not in dataclasses.astuple(flags)


def test_no_flags_are_understood_too():
    assert parse_flags([]) == ServeFlags()


def test_the_relied_on_lines_do_not_need_typer():
    assert parse_flags(["--port", "8080", "--ops-port", "8082"]) is not None
    assert parse_flags(["--local"]) is not None


def test_flags_become_overrides_only_where_given():
    options = options_of(ServeFlags(port=1), Path("/h"))

    assert options.overrides == {"server.port": 1}
    assert (options.home, options.config_path, options.local) == (Path("/h"), None, False)


def test_a_model_implies_local():
    options = options_of(ServeFlags(model=Path("m.gguf")), Path("/h"))

    assert options.local
    assert options.model_path == Path("m.gguf")


def fake_runtime(monkeypatch, run):
    runtime = types.ModuleType("arkway.runtime.serve")
    runtime.run = run
    monkeypatch.setitem(sys.modules, "arkway.runtime.serve", runtime)


def test_run_hands_over_to_the_runtime(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setenv("ARKWAY_HOME", str(tmp_path))
    fake_runtime(monkeypatch, lambda options: seen.append(options) or 3)

    assert serve.run(ServeFlags(local=True)) == 3
    assert (seen[0].home, seen[0].local) == (tmp_path, True)


def test_an_early_interrupt_is_one_line(monkeypatch, capsys):
    def interrupted(_options):
        raise KeyboardInterrupt

    fake_runtime(monkeypatch, interrupted)

    assert serve.run(ServeFlags()) == 130
    assert capsys.readouterr().err == "arkway serve: interrupted\n"
