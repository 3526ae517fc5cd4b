import json

import pytest

from arkway.control.settings import SCALARS


@pytest.fixture
def write(arkway):
    def write_config(text):
        arkway.home.mkdir(exist_ok=True)
        (arkway.home / "arkway.toml").write_text(text)

    return write_config


def test_a_fresh_home_has_no_problems(arkway):
    status, out, err = arkway("config", "check")

    assert (status, err) == (0, "")
    assert out.endswith("arkway.toml: no problems (4 models, 0 accounts, 0 keys)\n")
    assert not arkway.home.exists()  # looking changes nothing


def test_all_problems_come_at_once_on_standard_error(arkway, write, monkeypatch):
    monkeypatch.setenv("ARKWAY_LOG_LEVEL", "x")
    write("[server]\nprot = 1\n[limits]\nmax_headers = 0\n")

    status, out, err = arkway("config", "check")

    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "arkway: server.prot: unknown setting; did you mean server.port?",
        "arkway: limits.max_headers: must be an integer, 16 to 10000, got 0",
        'arkway: ARKWAY_LOG_LEVEL: must be one of "debug", "info", "warning", "error"',
    ]


def test_the_verdict_is_data_too(arkway, write):
    write("[server]\nprot = 1\n")

    status, out, err = arkway("config", "check", "--json")

    assert (status, err) == (2, "")
    verdict = json.loads(out)
    assert not verdict["ok"]
    assert verdict["problems"] == [
        {"path": "server.prot", "message": "unknown setting", "hint": "did you mean server.port?"}
    ]


def test_warnings_do_not_fail_a_check(arkway, write):
    write(
        "[[accounts]]\nname = 'a'\ndialect = 'ark'\nbase_url = 'http://localhost'\n"
        "key_env = 'NOBODY_SETS_THIS'"
    )

    status, out, err = arkway("config", "check")

    assert status == 0
    assert "1 account, 0 keys" in out
    assert err.startswith("warning: accounts.a.key_env: NOBODY_SETS_THIS is not set")


def test_a_missing_credential_fails_a_check(arkway, write):
    write(
        "[[accounts]]\nname = 'a'\ndialect = 'ark'\nbase_url = 'https://h'\n"
        "key_env = 'NOBODY_SETS_THIS'"
    )

    status, _, err = arkway("config", "check")

    assert status == 2
    assert err == "arkway: accounts.a.key_env: NOBODY_SETS_THIS is not set in the environment\n"


def test_a_named_file_is_checked_instead(arkway, tmp_path):
    named = tmp_path / "new.toml"
    named.write_text("[sever]")

    assert arkway("config", "check", "--config", named)[0] == 2


def test_every_setting_is_shown_with_its_source(arkway, write, monkeypatch):
    monkeypatch.setenv("ARKWAY_LOG_LEVEL", "debug")
    write("[server]\nport = 1\n")

    status, out, _ = arkway("config", "show")
    rows = {row.split()[0]: row.split()[1:] for row in out.splitlines()[1:-1]}

    assert status == 0
    assert rows.keys() == {setting.dotted for setting in SCALARS}
    assert rows["server.port"] == ["1", "file"]
    assert rows["log.level"] == ['"debug"', "ARKWAY_LOG_LEVEL"]
    assert rows["catalogue.builtin_models"] == ["true", "default"]


def test_the_settings_are_data_too(arkway, write):
    write("[server]\nport = 1\n")

    _, out, _ = arkway("config", "show", "--json")

    shown = json.loads(out)
    assert shown["settings"]["server.port"] == {"value": 1, "source": "file"}
    assert shown["settings"].keys() == {setting.dotted for setting in SCALARS}
    assert (shown["models"], shown["accounts"], shown["keys"]) == (4, 0, 0)


def test_a_broken_configuration_is_not_shown(arkway, write):
    write("[sever]")

    assert arkway("config", "show")[0] == 2
