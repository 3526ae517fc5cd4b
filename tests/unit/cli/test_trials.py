import json

import pytest

from arkway.store.secret_io import derived
from support.gateway import free_port
from support.ops import REFUSED, Ops, trial_told
from support.stores import SECRET

ADD = ["accounts", "add", "main", "--dialect", "openai", "--base-url", "http://127.0.0.1:9011/v1"]


@pytest.fixture
def ops(arkway, monkeypatch):
    monkeypatch.setenv("ARKWAY_SECRET_KEY", SECRET)
    with Ops(derived(SECRET.encode()).ops) as ops:
        monkeypatch.setenv("ARKWAY_SERVER_OPS_PORT", str(ops.port))
        assert arkway(*ADD)[0] == 0
        yield ops


def audit(arkway):
    return json.loads(arkway("audit", "--json")[1].splitlines()[-1])


def test_an_account_that_answers(arkway, ops):
    status, out, err = arkway("accounts", "test", "main")

    assert (status, err) == (0, "")
    for words in ("answers", "yes", "340 ms, 12 of them to connect", "8 input + 1 output tokens",
                  "0.0000014 CNY, booked as settle", "It works."):  # fmt: skip
        assert words in out
    assert ops.trial_asks[0][1], "a good proof"


def test_one_that_does_not_is_a_failure_with_what_to_do(arkway, ops):
    ops.trials = [(200, trial_told(**REFUSED))]
    status, out, _ = arkway("accounts", "test", "main", "--model", "M")

    assert status == 1
    assert "AccountOverdueError (broken)" in out
    assert "check its credential, its balance" in out
    assert ops.trial_asks[0][0].endswith("&model=M")


def test_scripts_get_all_of_it(arkway, ops):
    status, out, _ = arkway("accounts", "test", "main", "--json")

    found = json.loads(out)
    assert status == 0
    assert found.pop("advice").startswith("It works.")
    assert found == trial_told()


def test_it_is_in_the_audit_log(arkway, ops):
    arkway("accounts", "test", "main")

    row = audit(arkway)
    row = row[-1] if isinstance(row, list) else row
    assert (row["action"], row["noun_id"]) == ("test", "main")
    assert row["actor"].startswith("cli:")


@pytest.mark.parametrize(
    ("word", "status"), [("model_not_served", 2), ("busy", 1), ("draining", 1)]
)
def test_what_was_not_tested_says_why(arkway, ops, word, status):
    ops.trials = [(429, {"code": word, "message": "a sentence"})]

    found, out, err = arkway("accounts", "test", "main")
    assert (found, out) == (status, "")
    assert "account main was not tested: a sentence" in err


def test_without_a_gateway_it_says_so(arkway, ops, monkeypatch):
    monkeypatch.setenv("ARKWAY_SERVER_OPS_PORT", str(free_port()))

    status, _, err = arkway("accounts", "test", "main")
    assert status == 1
    assert "no gateway answers on 127.0.0.1:" in err


def test_a_disabled_account_is_not_tested(arkway, ops):
    arkway("accounts", "edit", "main", "--disable")

    status, _, err = arkway("accounts", "test", "main")
    assert status == 1
    assert "is disabled: drain it instead" in err
    assert ops.trial_asks == []
