import json
import re

import pytest

from arkway.model.key_digest import key_digest
from arkway.store.engine import open_store
from support.stores import ENVIRON, SECRET, view_of


@pytest.fixture(autouse=True)
def one_secret(arkway, monkeypatch):
    monkeypatch.setenv("ARKWAY_SECRET_KEY", SECRET)


def specs(arkway):
    return {spec.name: spec for spec in view_of(arkway.home).keys.values()}


def test_the_line_scripts_rely_on(arkway):
    status, out, err = arkway("keys", "create", "--name", "bench", "--json")

    made = json.loads(out)
    secret = open_store(arkway.home, ENVIRON).secrets.api_keys
    assert (status, err, out.count("\n")) == (0, "", 1)
    assert re.fullmatch(r"sk-[A-Za-z0-9]{48}", made["key"])
    assert list(view_of(arkway.home).keys) == [key_digest(secret, made["key"].encode())]
    assert (made["name"], made["tenant"], made["models"]) == ("bench", "default", [])


def test_only_the_key_goes_to_standard_output(arkway):
    _, out, err = arkway("keys", "create", "--name", "ci")

    assert out.startswith("sk-")
    assert len(out) == len("sk-") + 48 + 1
    assert "only time" in err
    assert out.strip() not in err


def test_every_rule_has_a_flag_and_none_takes_it_away(arkway):
    arkway("tenants", "create", "t")
    status, _, err = arkway(
        *("keys", "create", "--name", "5", "--tenant", "t", "--model", "Doubao-pro-32k"),
        *("--expires", "30d", "--allow", "10.0.0.0/8", "--deny", "10.1.0.0/16", "--rpm", "60"),
        *("--tpm", "600", "--concurrency", "2", "--total-tokens", "9", "--budget", "10"),
        *("--budget-period", "day", "--on-disconnect", "drain"),
    )
    assert status == 0, err
    spec = specs(arkway)["5"]
    assert (spec.tenant, spec.models, spec.on_disconnect) == ("t", {"Doubao-pro-32k"}, "drain")
    assert spec.limits.budget_nano == 10 * 10**9
    assert (spec.limits.requests_per_min, spec.limits.tokens_per_min) == (60, 600)

    taken = ("model", "expires", "allow", "deny", "rpm", "tpm", "concurrency", "total-tokens")
    flags = [word for name in (*taken, "budget") for word in (f"--{name}", "none")]
    status, _, err = arkway("keys", "edit", "5", *flags, "--disable")
    assert status == 0, err

    spec = specs(arkway)["5"]
    assert (spec.models, spec.expires_unix_s, spec.enabled) == (None, None, False)
    assert spec.allowed_networks == spec.denied_networks == ()
    limits = spec.limits
    assert {limits.requests_per_min, limits.total_tokens, limits.budget_nano} == {None}


def test_what_breaks_a_rule_is_a_line_each_and_status_2(arkway):
    arkway("keys", "create", "--name", "a")

    status, out, err = arkway(
        *("keys", "create", "--name", "a", "--model", "Doubao-pro-32", "--rpm", "many"),
        *("--budget", "x", "--expires", "3"),
    )

    assert (status, out) == (2, "")
    assert sorted(line.split(":")[1].strip() for line in err.splitlines()) == [
        "budget",
        "expires",
        "models",
        "name",
        "requests_per_min",
    ]
    assert "did you mean Doubao-pro-32k?" in err


def test_a_key_is_shown_rotated_and_revoked(arkway):
    first = json.loads(arkway("keys", "create", "--name", "a", "--json")[1])
    second = json.loads(arkway("keys", "rotate", "a", "--overlap-h", "1", "--json")[1])
    assert second["id"] == first["id"]
    assert second["key"] != first["key"]

    _, shown, _ = arkway("keys", "show", first["id"])
    assert "enabled" in shown
    assert first["key"] not in shown

    assert arkway("keys", "revoke", "a")[0] == 0
    assert arkway("keys", "list", "--json")[1] == "[]\n"
    (listed,) = json.loads(arkway("keys", "list", "--all", "--json")[1])
    assert listed["revoked_unix_ms"] is not None
    assert "revoked" in arkway("keys", "list", "--all")[1]
    assert arkway("keys", "show", "a")[0] == 2
