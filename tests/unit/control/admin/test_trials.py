"""Test and health of an account: what the gateway is asked, and what becomes of its words."""

import json

import pytest

from support.admin_lab import AdminLab
from support.gateway import free_port
from support.ops import REFUSED, Ops, account_now, status_of, trial_told

V1 = "/admin/v1"
ACCOUNT = {
    "name": "main", "dialect": "openai", "base_url": "http://127.0.0.1:9",
    "credential": "canary-credential",
}  # fmt: skip


@pytest.fixture
def ops():
    with Ops() as ops:
        yield ops


@pytest.fixture
def lab(tmp_path, ops):
    with AdminLab(tmp_path, overrides={"server.ops_port": ops.port}) as lab:
        ops.key = lab.store.secrets.ops
        assert lab.ask("POST", f"{V1}/accounts", ACCOUNT).status == 201
        yield lab
        assert "control_error" not in lab.logged.getvalue()


def test_a_test_tells_what_came_of_it_and_is_in_the_audit_log(lab, ops):
    answer = lab.ask("POST", f"{V1}/accounts/main/test", {"model": "M"}, role="operator")

    assert answer.status == 200
    advice = "It works. If it was out, it is tried again."
    assert answer.json == {**trial_told(), "advice": advice, "cost": "0.0000014"}
    ((target, is_proved),) = ops.trial_asks
    assert is_proved
    assert target.startswith("/accounts/test?account=main&revision=")
    assert target.endswith("&model=M")
    row = lab.ask("GET", f"{V1}/audit?limit=1").json["items"][0]
    assert (row["actor"], row["action"], row["noun"], row["noun_id"]) == (
        "admin:operator", "test", "account", "main",
    )  # fmt: skip
    assert row["after"]["request_id"] == trial_told()["request_id"]
    assert "canary-credential" not in json.dumps([row, answer.json])


def test_the_gateway_has_to_have_taken_the_last_change(lab, ops):
    lab.ask("PATCH", f"{V1}/accounts/main", {"weight": 2})
    lab.ask("POST", f"{V1}/accounts/main/test", {})

    revision = lab.ask("GET", f"{V1}/health").json["control"]["revision"]
    assert f"&revision={revision - 1}" in ops.trial_asks[0][0]  # the audit row is one more


def test_a_failure_comes_with_what_to_do(lab, ops):
    ops.trials = [(200, trial_told(**REFUSED))]
    answer = lab.ask("POST", f"{V1}/accounts/main/test", {})

    assert answer.status == 200
    assert answer.json["code"] == "AccountOverdueError"
    assert answer.json["advice"].startswith("The upstream refuses the account")


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("not_served", 409, "not_in_use"),
        ("model_not_served", 400, "invalid_request"),
        ("ledger_unavailable", 503, "ledger_unavailable"),
        ("busy", 503, "gateway_unavailable"),
        ("draining", 503, "gateway_unavailable"),
        ("forbidden", 503, "gateway_unavailable"),
    ],
)
def test_what_was_not_tested_is_refused_and_not_recorded(lab, ops, word, status, code):
    ops.trials = [(429, {"code": word, "message": "a sentence"})]
    answer = lab.ask("POST", f"{V1}/accounts/main/test", {})

    assert (answer.status, answer.code) == (status, code)
    assert lab.ask("GET", f"{V1}/audit?limit=1").json["items"][0]["action"] == "create"


def test_a_disabled_account_is_not_tested(lab, ops):
    lab.ask("PATCH", f"{V1}/accounts/main", {"enabled": False})
    answer = lab.ask("POST", f"{V1}/accounts/main/test", {})

    assert (answer.status, answer.code) == (409, "not_in_use")
    assert ops.trial_asks == []


@pytest.mark.parametrize("path", ["accounts/mian/test", "accounts/mian/health"])
def test_another_name_is_not_found(lab, path):
    answer = lab.ask("POST" if path.endswith("test") else "GET", f"{V1}/{path}",
                     {} if path.endswith("test") else None)  # fmt: skip

    assert answer.status == 404
    assert "main" in answer.json["error"]["problems"][0]["hint"]


def test_a_viewer_may_look_and_not_test(lab, ops):
    ops.status = status_of("/h", account_now())

    assert lab.ask("POST", f"{V1}/accounts/main/test", {}, role="viewer").code == "forbidden"
    assert lab.ask("GET", f"{V1}/accounts/main/health", role="viewer").status == 200
    assert ops.trial_asks == []


def test_health_tells_the_errors_by_code(lab, ops):
    errors = [{"error_class": "transient", "code": "timeout", "hour": 1, "day": 5}]
    ops.status = status_of("/h", account_now(errors=errors, models=[]), account_now("b"))
    answer = lab.ask("GET", f"{V1}/accounts/main/health")

    assert answer.json["errors"] == errors
    assert (answer.json["account"], answer.json["is_in_use"], answer.json["state"]) == (
        "main", True, "up",
    )  # fmt: skip
    ops.status = status_of("/h", account_now("b"))
    absent = lab.ask("GET", f"{V1}/accounts/main/health").json
    assert (absent["account"], absent["is_in_use"], absent["errors"]) == ("main", False, [])


def test_without_a_gateway_there_is_no_health_and_no_test(tmp_path):
    with AdminLab(tmp_path, overrides={"server.ops_port": free_port()}) as lab:
        lab.ask("POST", f"{V1}/accounts", ACCOUNT)

        assert lab.ask("GET", f"{V1}/accounts/main/health").code == "gateway_unavailable"
        assert lab.ask("POST", f"{V1}/accounts/main/test", {}).code == "gateway_unavailable"
