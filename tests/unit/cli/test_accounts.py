import io
import json
from pathlib import Path

import pytest

from support.ops import Ops, account_now, status_of
from support.stores import SECRET, view_of

LINE = "accounts add fast --dialect openai --base-url http://127.0.0.1:9011/v1"
RELIED_ON = [*LINE.split(), "--key-env", "UPSTREAM_KEY"]


@pytest.fixture(autouse=True)
def one_secret(arkway, monkeypatch):
    monkeypatch.setenv("ARKWAY_SECRET_KEY", SECRET)


def accounts(arkway):
    return [stored.account for stored in view_of(arkway.home).accounts]


def test_the_line_scripts_rely_on(arkway, monkeypatch):
    monkeypatch.setenv("UPSTREAM_KEY", "sk-1")

    status, out, err = arkway(*RELIED_ON)

    (account,) = accounts(arkway)
    assert (status, err) == (0, "")
    assert out == "added account fast\n"
    assert (account.name, account.dialect, account.key_env) == ("fast", "openai", "UPSTREAM_KEY")
    assert account.base_url == "http://127.0.0.1:9011/v1"


def test_a_variable_that_is_not_set_here_is_remarked(arkway, monkeypatch):
    monkeypatch.delenv("UPSTREAM_KEY", raising=False)

    status, _, err = arkway(*RELIED_ON)

    assert status == 0
    assert err == "UPSTREAM_KEY is not set here; `arkway serve` will look for it.\n"


def test_every_field_has_a_flag(arkway, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text("hunter2\n")
    arkway(
        *("accounts", "add", "a", "--dialect", "ark", "--base-url", "https://h"),
        *(
            "--key-file",
            "secret",
            "--rpm",
            "5",
            "--tpm",
            "6",
            "--in-flight",
            "7",
            "--ca-file",
            "ca.pem",
            "--weight",
            "3",
            "--only-listed-models",
        ),
        *("--model", "Doubao-pro-32k=ep-1", "--model", "Doubao-1.5-pro-32k=ep=2"),
    )

    (account,) = accounts(arkway)
    assert view_of(arkway.home).accounts[0].credential == "hunter2"
    limits = (account.requests_per_min, account.tokens_per_min, account.in_flight)
    assert limits == (5, 6, 7)
    assert Path(account.ca_file) == tmp_path / "ca.pem"
    assert account.models == {"Doubao-pro-32k": "ep-1", "Doubao-1.5-pro-32k": "ep=2"}
    assert (account.weight, account.only_listed_models) == (3, True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model", "x"], "must be PUBLIC=UPSTREAM"),
        (["--model", "=x"], "must be PUBLIC=UPSTREAM"),
        (["--model", "nope=x"], '"nope" is not a model here'),
        (["--weight", "0"], "weight: must be an integer, 1 to 1000, got 0"),
        (["--key-file", __file__], "must be one line of 1 to 8000 visible ASCII characters"),
        (["--dialect", "arc"], "'arc' is not one of"),
        (["--base-url", "https://u:hunter2@h"], "must not hold a user or password"),
    ],
)
def test_what_breaks_a_rule_is_one_line_and_status_2(arkway, flags, message):
    status, out, err = arkway(*RELIED_ON, *flags)

    assert (status, out) == (2, "")
    assert message in err
    assert "hunter2" not in err
    assert err.startswith("arkway: ")
    assert arkway("accounts", "list", "--json")[1] == "[]\n"


def test_adding_is_data_too(arkway):
    _, out, _ = arkway(*RELIED_ON, "--json")
    _, listed, _ = arkway("accounts", "list", "--json")

    assert json.loads(listed) == [{**json.loads(out), "live": None}]
    assert json.loads(out)["key_env"] == "UPSTREAM_KEY"


def test_the_list_says_where_credentials_come_from_and_never_shows_one(arkway, monkeypatch):
    monkeypatch.setenv("UPSTREAM_KEY", "hunter2")
    arkway(*RELIED_ON)
    arkway("accounts", "add", "bare", "--dialect", "ark", "--base-url", "http://localhost")

    _, out, _ = arkway("accounts", "list")
    monkeypatch.delenv("UPSTREAM_KEY")
    _, unset, _ = arkway("accounts", "list")

    assert "$UPSTREAM_KEY " in out
    assert "none" in out
    assert "hunter2" not in out
    assert "$UPSTREAM_KEY (not set here)" in unset


def test_a_credential_from_standard_input_is_sealed_and_never_shown(arkway, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter2\n"))
    far = ("--dialect", "ark", "--base-url", "https://h")
    shown = [arkway("accounts", "add", "far", *far, "--key-stdin", "--json")]
    shown += [arkway("accounts", "list"), arkway("accounts", "show", "far"), arkway("audit")]

    assert view_of(arkway.home).accounts[0].credential == "hunter2"
    assert json.loads(shown[0][1])["credential"] == "store"
    assert "hunter2" not in repr(shown)


def test_an_account_is_drained_enabled_changed_and_removed(arkway):
    arkway(*RELIED_ON)

    assert "draining" in arkway("accounts", "drain", "fast")[1]
    assert accounts(arkway)[0].is_draining
    arkway("accounts", "edit", "fast", "--disable", "--weight", "7")
    assert (accounts(arkway)[0].enabled, accounts(arkway)[0].weight) == (False, 7)
    arkway("accounts", "enable", "fast")
    assert (accounts(arkway)[0].enabled, accounts(arkway)[0].is_draining) == (True, False)
    assert arkway("accounts", "remove", "fast")[0] == 0
    assert accounts(arkway) == []
    assert arkway("accounts", "remove", "fast")[0] == 2


def test_one_source_of_a_credential_is_enough(arkway):
    status, _, err = arkway(*RELIED_ON, "--key-stdin", "--key-file", __file__)

    assert status == 2
    assert "give one of them" in err


@pytest.fixture
def running(arkway, monkeypatch):
    with Ops() as ops:
        monkeypatch.setenv("ARKWAY_SERVER_OPS_PORT", str(ops.port))
        yield ops


def test_a_running_gateway_says_how_each_account_does(arkway, running):
    arkway(*RELIED_ON)
    arkway(*(word.replace("fast", "slow") for word in RELIED_ON))
    out = account_now("fast", state="ejected", reason="5 failures", returns_in_s=9.0)
    running.status = status_of(arkway.home.resolve(), out)

    _, table, _ = arkway("accounts", "list")
    listed = json.loads(arkway("accounts", "list", "--json")[1])

    heads, fast, slow = table.splitlines()
    assert heads.split()[-4:] == ["STATE", "USED", "CACHE", "WHY"]
    assert fast.split()[-9:] == ["ejected", "50%", "80%", "5", "failures;", "back", "in", "9", "s"]
    assert "left out" in slow
    assert [each["live"] for each in listed] == [out, None]


def test_a_gateway_of_another_home_says_nothing_here(arkway, running):
    arkway(*RELIED_ON)
    running.status = status_of("/elsewhere", account_now("fast", state="ejected"))

    assert "ejected" not in arkway("accounts", "list")[1]
    assert running.asked == 1
