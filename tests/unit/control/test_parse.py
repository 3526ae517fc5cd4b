from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.control.parse import parse_text
from arkway.control.settings import SECTIONS

BASE = Path("/etc/arkway")


def problems_of(text):
    return [str(problem) for problem in parse_text(text, BASE, "arkway.toml").problems]


def test_an_empty_file_says_nothing():
    parsed = parse_text("", BASE, "arkway.toml")

    assert parsed.scalars == {}
    assert parsed.problems == []


def test_values_come_out_in_their_types():
    parsed = parse_text("[server]\nport = 1\ndrain_s = 5\n[log]\nlevel = 'debug'", BASE, "f")

    assert parsed.scalars == {"server.port": 1, "server.drain_s": 5.0, "log.level": "debug"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[server]\nprot = 1", "server.prot: unknown setting; did you mean server.port?"),
        ("port = 1", "port: unknown setting; did you mean server.port or control.port?"),
        (
            "max_connections = 1",
            (
                "max_connections: unknown setting; "
                "did you mean server.max_connections or upstream.max_connections?"
            ),
        ),
        (
            "[server]\nconnect_s = 1",
            "server.connect_s: unknown setting; did you mean upstream.connect_s?",
        ),
        ("[sever]", "sever: unknown section; did you mean server?"),
        ("server = 1", "server: must be a table, written [server]"),
        ("[[server]]", "server: must be a table, written [server]"),
        *(
            (
                text,
                f"{name}: belongs into the store, not here; `arkway config import` moves it there",
            )
            for text, name in (
                ("[[keys]]\nname = 'a'", "keys"),
                ("[[accounts]]", "accounts"),
                ("[[models]]", "models"),
                ("keys = 1", "keys"),
                ("[catalogue]\nbuiltin_models = false", "catalogue"),
            )
        ),
        (
            "[log]\nlevel = 'wraning'",
            (
                'log.level: must be one of "debug", "info", "warning", "error"; did you mean '
                '"warning"?'
            ),
        ),
    ],
)
def test_a_problem_names_its_place_and_what_was_meant(text, problem):
    assert problems_of(text) == [problem]


def test_malformed_toml_is_one_problem_with_its_line():
    assert problems_of("[server]\nport = = 1") == [
        "arkway.toml: is not valid TOML: Invalid value (at line 2, column 8)"
    ]


@pytest.mark.parametrize("text", ["x = " + "[" * 100_000, "x = " + "9" * 5000])
def test_hostile_toml_is_a_problem_and_not_a_crash(text):
    assert len(problems_of(text)) == 1


@given(st.text())
def test_no_text_crashes_the_parser(text):
    parse_text(text, BASE, "f")


def test_a_section_keeps_what_is_right_beside_what_is_wrong():
    parsed = parse_text("[server]\nport = 1\nops_port = 'x'\nhots = 'h'", BASE, "f")

    assert parsed.scalars == {"server.port": 1}
    assert len(parsed.problems) == 2


def test_a_key_pasted_into_the_file_is_not_repeated():
    assert "hunter2" not in str(problems_of("[[keys]]\nname = 'a'\nhash = 'sk-hunter2'"))


def test_relative_paths_start_at_the_file():
    for text, path in (("m.gguf", "/etc/arkway/m.gguf"), ("/m.gguf", "/m.gguf")):
        parsed = parse_text(f"[local]\nmodel = '{text}'", BASE, "f")
        assert parsed.scalars == {"local.model": path}


def test_an_empty_path_stays_empty():
    assert parse_text("[local]\nmodel = ''", BASE, "f").scalars == {"local.model": ""}


@pytest.mark.parametrize("table", SECTIONS)
def test_every_section_may_be_empty(table):
    assert problems_of(f"[{table}]") == []
