"""What each noun does: bodies, answers, refusals, audit rows."""

import json

import pytest

NEAR = {"dialect": "openai", "base_url": "http://127.0.0.1:9"}
V1 = "/admin/v1"
# What is made, then what is done with it: (path of the list, body, its name, changes).
MADE = {
    "tenant": ("tenants", {"name": "t"}),
    "key": (
        "keys",
        {"name": "k", "expires": "30d", "budget": "12.5", "models": ["Doubao-pro-32k"]},
    ),
    "account": ("accounts", {"name": "a", **NEAR, "credential": "canary-credential"}),
    "model": (
        "models",
        {"name": "M/1", "upstream_model": "m", "context_tokens": 9, "max_output_tokens": 5},
    ),
    "price": ("prices", {"model": "Doubao-pro-32k", "input": "1", "output": "2"}),
    "admin token": ("tokens", {"name": "n", "role": "operator"}),
}


def audit(lab):
    return lab.ask("GET", f"{V1}/audit?limit=1").json["items"][0]


def all_audit(lab):
    return lab.ask("GET", f"{V1}/audit?limit=200").json["items"]


@pytest.mark.parametrize("noun", MADE)
def test_what_is_made_is_listed_shown_and_in_the_audit_log_without_secrets(lab, noun):
    path, body = MADE[noun]

    made = lab.ask("POST", f"{V1}/{path}", body)

    assert made.status == 201
    row = audit(lab)
    assert (row["actor"], row["noun"]) == ("admin:admin", noun)
    assert row["after"]
    listed = lab.ask("GET", f"{V1}/{path}?limit=200").json["items"]
    view = {k: v for k, v in made.json.items() if k != "token" and (k != "key" or noun != "key")}
    assert view in listed
    texts = json.dumps([row, listed])
    for secret in ("canary-credential", *(str(made.json.get(k, "~")) for k in ("key", "token"))):
        assert secret not in texts


def test_nobody_takes_the_name_that_tests_of_accounts_are_booked_to(lab):
    answer = lab.ask("POST", f"{V1}/tenants", {"name": "@operator"})

    assert answer.status == 400
    assert answer.json["error"]["problems"][0]["path"] == "name"


@pytest.mark.parametrize("noun", MADE)
def test_an_unknown_field_is_refused_with_the_nearest_name(lab, noun):
    path, body = MADE[noun]
    field = next(iter(body))

    answer = lab.ask("POST", f"{V1}/{path}", {**body, field + "x": 1})

    assert answer.status == 400
    assert answer.json["error"]["problems"] == [
        {"path": field + "x", "message": "unknown parameter", "hint": f"did you mean {field}?"}
    ]
    assert not any(each["actor"] == "admin:admin" for each in all_audit(lab))


def test_every_problem_of_a_body_is_named_at_once(lab):
    body = {"nam": "x", "concurrency": 0, "budget_period": "weak", "models": "all"}

    problems = lab.ask("POST", f"{V1}/keys", body).json["error"]["problems"]

    assert {each["path"] for each in problems} == {*body, "name"}


def test_a_key_is_edited_rotated_and_revoked(lab):
    made = lab.ask("POST", f"{V1}/keys", {"name": "k", "concurrency": 3}).json

    edited = lab.ask("PATCH", f"{V1}/keys/k", {"concurrency": None, "budget": "1"})
    assert edited.json["concurrency"] is None
    row = audit(lab)
    assert row["before"]["concurrency"] == 3
    assert row["before"]["budget"] is None
    assert row["after"]["budget"] == "1.00"

    rotated = lab.ask("POST", f"{V1}/keys/{made['id']}/rotate", {"overlap_h": 0}).json
    assert rotated["key"] != made["key"]
    assert rotated["id"] == made["id"]
    assert lab.ask("POST", f"{V1}/keys/k/rotate", {"overlap_h": -1}).status == 400
    assert lab.ask("DELETE", f"{V1}/keys/k").json["revoked_unix_ms"]
    assert lab.ask("PATCH", f"{V1}/keys/{made['id']}", {"name": "z"}).status == 400
    assert lab.ask("GET", f"{V1}/keys").json["items"] == []
    assert len(lab.ask("GET", f"{V1}/keys?revoked=true").json["items"]) == 1
    assert lab.ask("GET", f"{V1}/keys?name=k&revoked=true&tenant=default").json["items"]
    assert lab.ask("GET", f"{V1}/keys?tenant=other&revoked=true").json["items"] == []


def test_an_account_is_edited_drained_enabled_and_removed(lab):
    lab.ask("POST", f"{V1}/accounts", {"name": "a", **NEAR})

    assert lab.ask("POST", f"{V1}/accounts/a/drain", role="operator").json["is_draining"] is True
    assert lab.ask("POST", f"{V1}/accounts/a/enable", role="operator").json["is_draining"] is False
    edited = lab.ask("PATCH", f"{V1}/accounts/a", {"weight": 3, "credential": "canary"})
    assert (edited.json["weight"], edited.json["credential"]) == (3, "store")
    assert "canary" not in json.dumps(audit(lab))
    assert lab.ask("PATCH", f"{V1}/accounts/a", {"name": "b"}).status == 400
    assert lab.ask("DELETE", f"{V1}/accounts/a").status == 200
    assert lab.ask("GET", f"{V1}/accounts/a").code == "not_found"


@pytest.mark.parametrize("variable", ["ARKWAY_SECRET_KEY", "arkway_secret_key"])
def test_the_gateways_own_secret_is_no_accounts_credential(lab, variable):
    body = {"name": "a", **NEAR, "key_env": variable}

    assert lab.ask("POST", f"{V1}/accounts", body).json["error"]["problems"][0]["path"] == "key_env"


def test_a_model_is_served_once_it_has_a_price_and_its_name_may_hold_a_slash(lab):
    assert lab.ask("POST", f"{V1}/models", MADE["model"][1]).json["is_served"] is False

    priced = lab.ask("POST", f"{V1}/prices", {"model": "M/1", "input": "0.5", "output": "2"})

    assert priced.json["cached_input"] == "0.50"
    assert lab.ask("GET", f"{V1}/models/M%2F1").json["is_served"] is True
    assert lab.ask("GET", f"{V1}/models/M/1").code == "not_found"
    edited = lab.ask("PATCH", f"{V1}/models/M%2F1", {"aliases": ["m1"]})
    assert edited.json["aliases"] == ["m1"]
    lab.ask("POST", f"{V1}/prices", {"model": "m1", "input": "0.7", "output": "2"})
    history = lab.ask("GET", f"{V1}/prices?model=M/1").json["items"]
    assert [each["input"] for each in history] == ["0.70", "0.50"]
    assert (
        lab.ask("POST", f"{V1}/prices", {"model": "M/1", "input": "x", "output": "2"}).status == 400
    )


@pytest.mark.parametrize(
    ("method", "path", "noun"),
    [
        ("GET", "keys/non", "key"),
        ("PATCH", "keys/non", "key"),
        ("DELETE", "keys/non", "key"),
        ("POST", "keys/non/rotate", "key"),
        ("GET", "accounts/non", "account"),
        ("POST", "accounts/non/drain", "account"),
        ("DELETE", "accounts/non", "account"),
        ("GET", "models/non", "model"),
        ("PATCH", "models/non", "model"),
        ("GET", "prices?model=non", "model"),
        ("GET", "tenants/non", "tenant"),
        ("GET", "tokens/non", "token"),
        ("DELETE", "sessions/non", "session"),
    ],
)
def test_what_is_not_here_is_said(lab, method, path, noun):
    body = {} if method in ("PATCH", "POST") and "drain" not in path else None

    answer = lab.ask(method, f"{V1}/{path}", body)

    assert (answer.status, answer.code) == (404, "not_found")
    assert answer.json["error"]["problems"][0]["path"] == noun


def test_settings_say_where_each_comes_from(lab):
    items = lab.ask("GET", f"{V1}/settings?limit=200").json["items"]
    by_name = {each["name"]: each for each in items}

    assert by_name["server.port"]["value"] == 8080
    assert by_name["server.port"]["source"] == "default"
    assert by_name["server.port"]["variable"] == "ARKWAY_SERVER_PORT"
    assert not any("secret" in name for name in by_name)


def test_health_tells_a_worker_that_is_not_there(lab):
    health = lab.ask("GET", f"{V1}/health", role="viewer").json

    assert health["control"]["schema"] == "0002"
    assert health["worker"] == {
        "is_reachable": False,
        "is_ready": False,
        "status": "unreachable",
        "detail": {},
    }


def test_code_in_the_process_asks_by_the_same_policy(lab):
    from arkway.control.admin.errors import AdminError

    headers = [(b"authorization", f"Bearer {lab.tokens['viewer']}".encode())]
    by = lab.api.authenticate(headers, is_https=False)

    listed = lab.api.perform(by, "list_keys", {"query": {"limit": 3, "revoked": True}})
    assert listed == {"items": [], "next_cursor": None}
    with pytest.raises(AdminError) as refusal:
        lab.api.perform(by, "create_key", {"body": {"name": "k"}})
    assert refusal.value.code == "forbidden"


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"{", [], "invalid_request"),
        (b"[]", [], "invalid_request"),
        (b"\xff", [], "invalid_request"),
        (b"[" * 100_000, [], "invalid_request"),
        (b'{"name": "' + b"x" * 300_000 + b'"}', [], "body_too_large"),
        (b'{"name": "\\u0000"}', [], "invalid_request"),
        (b'{"name": 1e999}', [], "invalid_request"),
    ],
)
def test_bodies_that_are_none(lab, body, headers, code):
    assert lab.ask("POST", f"{V1}/keys", body, headers=headers).code == code


def test_a_body_must_say_that_it_is_json(lab):
    token = [("authorization", f"Bearer {lab.tokens['admin']}")]
    body = b'{"name": "t"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        given = [("content-type", kind)] if kind else []
        path, call = f"{V1}/tenants", lab._runner.run
        headers = [(k.encode(), v.encode()) for k, v in [("host", "localhost"), *token, *given]]
        answer = call(lab._asked("POST", path, headers, body, "127.0.0.1"))
        assert answer.code == "json_required"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=1&limit=2", "cursor=zz", "cursor=WzFd", "lmit=1",
     "limit", "%ff=1", "&", "limit=1;x=2", "x=1&" * 40],
)  # fmt: skip
def test_queries_that_are_none(lab, query):
    answer = lab.ask("GET", f"{V1}/keys?{query}")

    assert (answer.status, answer.code) == (400, "invalid_request")


def test_a_store_that_somebody_holds_is_said(lab, monkeypatch):
    from arkway.store import tenants

    def held(*_):
        raise TimeoutError("another process has held it")

    monkeypatch.setattr(tenants, "create", held)

    answer = lab.ask("POST", f"{V1}/tenants", {"name": "t"})

    assert (answer.status, answer.code) == (503, "store_unavailable")
