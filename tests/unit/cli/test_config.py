import hashlib
import json
import stat

import pytest

from arkway.control.settings import SCALARS
from arkway.model.key_digest import key_digest
from arkway.store.read_io import StoreReader
from arkway.store.secret_io import gateway_secrets


@pytest.fixture
def write(arkway):
    def write_config(text):
        arkway.home.mkdir(exist_ok=True)
        (arkway.home / "arkway.toml").write_text(text)

    return write_config


def add(arkway, url):
    flags = ("--dialect", "ark", "--base-url", url, "--key-env", "NOBODY_SETS_THIS")
    assert arkway("accounts", "add", "a", *flags)[0] == 0


def test_a_fresh_home_has_no_problems(arkway):
    status, out, err = arkway("config", "check")

    assert (status, err) == (0, "")
    assert out.endswith("arkway.toml: no problems (nothing in the store yet)\n")
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
    add(arkway, "http://localhost")

    status, out, err = arkway("config", "check")

    assert status == 0
    assert "1 account, 0 keys" in out
    assert err.startswith("warning: accounts.a.key_env: NOBODY_SETS_THIS is not set")


def test_a_missing_credential_fails_a_check(arkway, write):
    add(arkway, "https://h")

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


def test_the_settings_are_data_too(arkway, write):
    write("[server]\nport = 1\n")

    _, out, _ = arkway("config", "show", "--json")

    shown = json.loads(out)
    assert shown["settings"]["server.port"] == {"value": 1, "source": "file"}
    assert shown["settings"].keys() == {setting.dotted for setting in SCALARS}


def test_a_broken_configuration_is_not_shown(arkway, write):
    write("[sever]")

    assert arkway("config", "show")[0] == 2


OLD = """
# a comment
[server]
port = 1  # kept
[[accounts]]
name = "a"
dialect = "ark"
base_url = "https://h"
key_file = "credential"
[accounts.models]
"Doubao-pro-32k" = "ep-1"
[[keys]]
name = "k"
hash = "sha256:%s"
tenant = "t"
[[models]]
name = "mine"
upstream_model = "m"
context_tokens = 9
max_output_tokens = 9
[log]
level = "debug"
"""


def test_an_old_file_moves_into_the_store(arkway, write):
    text = "sk-held-by-a-caller-since-long-ago"
    write(OLD % hashlib.sha256(text.encode()).hexdigest())
    (arkway.home / "credential").write_text("hunter2")
    assert arkway("config", "check")[0] == 2

    status, out, err = arkway("config", "import")

    assert status == 0, err
    assert "1 models, 1 accounts, 1 keys" in out
    assert err == "mine is not served until it has a price: arkway prices set\n"
    file = arkway.home / "arkway.toml"
    assert file.read_text() == '\n# a comment\n[server]\nport = 1  # kept\n[log]\nlevel = "debug"\n'
    kept = arkway.home / "arkway.toml.before-import"
    assert "[[keys]]" in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    view, secrets = look(arkway.home)
    spec = view.keys[key_digest(secrets.api_keys, text.encode())]
    assert (spec.name, spec.tenant) == ("k", "t")
    assert view.accounts[0].credential == "hunter2"
    assert arkway("config", "check")[0] == 0


def test_an_old_file_with_a_problem_moves_nothing(arkway, write):
    text = OLD % "short" + "[[accounts]]\nname = 'b'\ndialect = 'arc'\nbase_url = 'https://h'\n"
    write(text)

    status, _, err = arkway("config", "import")

    assert status == 2
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        "accounts.a.key_file",
        "accounts.b.dialect",
        "keys.k.hash",
    ]
    assert (arkway.home / "arkway.toml").read_text() == text
    assert look(arkway.home)[0].accounts == ()


def look(home):
    secrets = gateway_secrets(home, {}, make=False)
    reader = StoreReader(home, secrets)
    try:
        return reader.read(), secrets
    finally:
        reader.close()
