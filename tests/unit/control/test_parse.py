from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.control.parse import parse_text
from arkway.control.settings import SECTIONS

BASE = Path("/etc/arkway")
HASH = "sha256:" + "0" * 64


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
        ("port = 1", "port: unknown setting; did you mean server.port?"),
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
        ("[account]", "account: unknown section; did you mean accounts?"),
        ("server = 1", "server: must be a table, written [server]"),
        ("[[server]]", "server: must be a table, written [server]"),
        ("[keys]", "keys: must be a table, written [[keys]]"),
        ("keys = [1]", "keys[0]: must be a table, written [[keys]]"),
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


def test_entries_are_called_by_name_or_by_position():
    text = f"[[keys]]\nname = 'a'\n[[keys]]\nname = ''\nhash = '{HASH}'"

    assert problems_of(text) == [
        "keys.a.hash: is required; string, sha256: and 64 lower-case hexadecimal digits",
        "keys[1].name: must be a string, 1 to 128 characters, no control characters",
    ]


@pytest.mark.parametrize("field", ["key", "api_key", "API_KEY", "token", "password"])
def test_a_credential_in_the_file_gets_its_own_words(field):
    text = (
        "[[accounts]]\nname = 'a'\ndialect = 'ark'\nbase_url = 'https://h'\n"
        f"key_env = 'K'\n{field} = 'hunter2'"
    )

    (problem,) = problems_of(text)

    assert problem.startswith(f"accounts.a.{field}: a credential does not belong in this file")
    assert "key_env or key_file" in problem
    assert "hunter2" not in problem


def test_a_key_in_the_file_gets_its_own_words():
    (problem,) = problems_of(f"[[keys]]\nname = 'a'\nhash = '{HASH}'\nkey = 'sk-hunter2'")

    assert "only its hash does; `arkway keys create` makes both" in problem
    assert "hunter2" not in problem


def test_a_key_pasted_as_its_hash_is_not_repeated():
    (problem,) = problems_of("[[keys]]\nname = 'a'\nhash = 'sk-hunter2'")

    assert "hunter2" not in problem


def test_base_urls_come_out_in_their_normal_form():
    text = "[[accounts]]\nname = 'a'\ndialect = 'ark'\nbase_url = 'HTTPS://H/v1/'\nkey_env = 'K'"

    (account,) = parse_text(text, BASE, "f").entries["accounts"]

    assert account.base_url == "https://h/v1"


def test_relative_paths_start_at_the_file():
    text = (
        "[local]\nmodel = 'm.gguf'\n"
        "[[accounts]]\nname = 'a'\ndialect = 'ark'\nbase_url = 'https://h'\nkey_file = 'secret'\n"
        "[[accounts]]\nname = 'b'\ndialect = 'ark'\nbase_url = 'https://h'\nkey_file = '/run/s'\n"
    )

    parsed = parse_text(text, BASE, "f")

    assert parsed.scalars["local.model"] == "/etc/arkway/m.gguf"
    assert [a.key_file for a in parsed.entries["accounts"]] == ["/etc/arkway/secret", "/run/s"]


def test_an_empty_path_stays_empty():
    assert parse_text("[local]\nmodel = ''", BASE, "f").scalars == {"local.model": ""}


def test_a_built_in_model_can_be_changed_field_by_field():
    parsed = parse_text("[[models]]\nname = 'Doubao-pro-32k'\ntotal_s = 30", BASE, "f")

    (model,) = parsed.entries["models"]
    assert (model.upstream_model, model.total_s) == ("doubao-pro-32k-241215", 30.0)


def test_a_model_of_ones_own_needs_all_it_takes():
    assert [problem.partition(":")[0] for problem in problems_of("[[models]]\nname = 'm'")] == [
        "models.m.upstream_model",
        "models.m.context_tokens",
        "models.m.max_output_tokens",
    ]


@pytest.mark.parametrize("table", SECTIONS)
def test_every_section_may_be_empty(table):
    assert problems_of(f"[{table}]") == []
