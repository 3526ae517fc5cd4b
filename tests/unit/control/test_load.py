from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.control.config import Config
from arkway.control.load import MAX_CONFIG_BYTES, assemble, load
from arkway.control.settings import SCALARS

FILE = Path("/etc/arkway/arkway.toml")
SOURCES = ["default", "file", "ARKWAY_SERVER_PORT", "flag"]


def assembled(text="", environ=None, overrides=None):
    return assemble(text, FILE, environ or {}, overrides)


def lines(problems):
    return [str(problem) for problem in problems]


def test_nothing_at_all_is_a_configuration():
    loaded = assembled()

    assert loaded.config == Config()
    assert set(loaded.sources.values()) == {"default"}
    assert loaded.sources.keys() == {setting.dotted for setting in SCALARS}


@given(st.sets(st.sampled_from([1, 2, 3])))
def test_flags_win_over_environment_over_file_over_defaults(layers):
    loaded = assembled(
        "[server]\nport = 1" if 1 in layers else "",
        {"ARKWAY_SERVER_PORT": "2"} if 2 in layers else {},
        {"server.port": 3} if 3 in layers else {},
    )

    top = max(layers, default=0)
    assert loaded.config.server.port == (top or 8080)
    assert loaded.sources["server.port"] == SOURCES[top]


def test_a_bad_value_is_a_problem_even_where_a_better_layer_hides_it():
    loaded = assembled("[server]\nport = -1", {"ARKWAY_SERVER_PORT": "x"}, {"server.port": 8080})

    assert loaded.config is None
    assert lines(loaded.problems) == [
        "server.port: must be an integer, 0 to 65535, got -1",
        "ARKWAY_SERVER_PORT: must be an integer, 0 to 65535",
    ]


@pytest.mark.parametrize("setting", SCALARS, ids=lambda s: s.dotted)
def test_every_setting_is_a_variable_too(setting):
    text = str(setting.default).lower() if isinstance(setting.default, bool) else setting.default

    loaded = assembled(environ={setting.variable: str(text)})

    assert loaded.problems == ()
    assert loaded.sources[setting.dotted] == setting.variable
    assert loaded.config == Config()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "ARKWAY_SERVER_PROT",
            "ARKWAY_SERVER_PROT: unknown setting; did you mean ARKWAY_SERVER_PORT?",
        ),
        (
            "ARKWAY_LOG_LEVELS",
            "ARKWAY_LOG_LEVELS: unknown setting; did you mean ARKWAY_LOG_LEVEL?",
        ),
    ],
)
def test_a_variable_that_looks_like_a_setting_is_one_or_a_problem(name, problem):
    assert lines(assembled(environ={name: "1"}).problems) == [problem]


@pytest.mark.parametrize(
    "name", ["ARKWAY_HOME", "ARKWAY_CONFIG", "ARKWAY_API_KEY", "ARKWAY_TEST_CACHE", "PORT"]
)
def test_other_variables_are_nobodys_business(name):
    loaded = assembled(environ={name: "1"})

    assert loaded.problems == loaded.warnings == ()


def test_a_section_misspelt_in_a_variable_is_a_warning():
    loaded = assembled(environ={"ARKWAY_SEVER_PORT": "1"})

    assert loaded.problems == ()
    assert lines(loaded.warnings) == [
        "ARKWAY_SEVER_PORT: is not a setting; did you mean ARKWAY_SERVER_PORT?"
    ]


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (
            {"server.port": 70000},
            "server.port (command line): must be an integer, 0 to 65535, got 70000",
        ),
        ({"server.prot": 1}, "server.prot: unknown setting; did you mean server.port?"),
    ],
)
def test_flags_keep_the_rules_too(overrides, problem):
    assert lines(assembled(overrides=overrides).problems) == [problem]


def test_all_problems_come_at_once():
    text = """
        port = 1
        [server]
        port = "80"
        [limits]
        max_body_bytes = 1048576
        max_buffered_body_bytes = 1024
        [[accounts]]
        name = "a"
    """
    environ = {"ARKWAY_LOG_LEVEL": "x"}

    places = [
        problem.path for problem in assembled(text, environ, {"server.ops_port": -1}).problems
    ]

    assert places == [
        "port",
        "server.port",
        "accounts",
        "ARKWAY_LOG_LEVEL",
        "server.ops_port (command line)",
        "limits.max_buffered_body_bytes",
    ]


def test_the_draft_holds_what_is_right():
    loaded = assembled("[server]\nport = 1\nops_port = 'x'")

    assert loaded.config is None
    assert (loaded.draft.server.port, loaded.draft.server.ops_port) == (1, 8082)


def test_a_missing_default_file_means_the_defaults(tmp_path):
    loaded = load(tmp_path, None, {})

    assert loaded.problems == ()
    assert loaded.path == tmp_path / "arkway.toml"


@pytest.mark.parametrize("by_flag", [True, False])
def test_a_named_file_must_exist(tmp_path, by_flag):
    missing = tmp_path / "other.toml"

    loaded = (
        load(tmp_path, missing, {})
        if by_flag
        else load(tmp_path, None, {"ARKWAY_CONFIG": str(missing)})
    )

    assert lines(loaded.problems) == [f"{missing}: does not exist"]


def test_the_flag_wins_over_the_variable(tmp_path):
    named = tmp_path / "a.toml"
    named.write_text("[server]\nport = 1")

    loaded = load(tmp_path, named, {"ARKWAY_CONFIG": "/nowhere"})

    assert loaded.config.server.port == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff", "it is not UTF-8 at byte 0"),
        (b"#" * (MAX_CONFIG_BYTES + 1), f"it is larger than {MAX_CONFIG_BYTES} bytes"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path, content, reason):
    file = tmp_path / "arkway.toml"
    file.write_bytes(content)

    assert lines(load(tmp_path, None, {}).problems) == [f"{file}: cannot be read: {reason}"]


def test_a_directory_in_its_place_is_a_problem(tmp_path):
    (tmp_path / "arkway.toml").mkdir()

    (problem,) = load(tmp_path, None, {}).problems

    assert problem.message == "cannot be read: Is a directory"


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path):
    (tmp_path / "arkway.toml").write_bytes(b"\xef\xbb\xbf[server]\r\nport = 1\r\n")

    assert load(tmp_path, None, {}).config.server.port == 1
