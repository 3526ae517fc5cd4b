"""What holds for every operation, made from the list of them: audit, unknown names, pages."""

import json

import pytest

from arkway.control.admin.operations import OPERATIONS
from arkway.store.schema import fields_of
from support.admin_lab import AdminLab
from support.ops import Ops

V1 = "/admin/v1"
NEAR = {"dialect": "openai", "base_url": "http://127.0.0.1:9"}
MODEL = {"name": "m", "upstream_model": "u", "context_tokens": 9, "max_output_tokens": 5}
# For every operation that is no GET: what it is done to, and with which body. What it is done to
# was made before, as `filled` does. A new one needs a line here.
CHANGES = {
    "create_tenant": ("", {"name": "new"}),
    "create_key": ("", {"name": "new", "expires": "30d", "budget": "1.5"}),
    "edit_key": ("k", {"concurrency": 7}),
    "revoke_key": ("k", None),
    "rotate_key": ("k", {"overlap_h": 1}),
    "create_account": ("", {"name": "new", **NEAR, "credential": "canary-credential"}),
    "edit_account": ("a", {"credential": "canary-credential"}),
    "remove_account": ("a", None),
    "drain_account": ("a", None),
    "enable_account": ("drained", None),
    "test_account": ("a", {}),
    "create_model": ("", {**MODEL, "name": "new"}),
    "edit_model": ("m", {"aliases": ["other"]}),
    "set_price": ("", {"model": "m", "input": "1", "output": "2"}),
    "create_token": ("", {"name": "new", "role": "operator"}),
    "revoke_token": ("t", None),
    "begin_session": ("", "the token of an admin"),
    "end_session": ("", None),
    "end_sessions": ("", None),
    "end_one_session": ("the session", None),
}
CHANGES_NOTHING: tuple[str, ...] = ()  # no GET, and still no change of anything that is kept
WRITES = [each for each in OPERATIONS if each.writes]
LISTS = [each for each in OPERATIONS if hasattr(each.answer, "__struct_fields__")]
LISTS = [each for each in LISTS if "items" in each.answer.__struct_fields__]


@pytest.fixture
def filled(tmp_path):
    with Ops() as ops, AdminLab(tmp_path, overrides={"server.ops_port": ops.port}) as lab:
        ops.key = lab.store.secrets.ops
        for path, body in (
            ("keys", {"name": "k"}),
            ("accounts", {"name": "a", **NEAR, "credential": "canary-credential"}),
            ("accounts", {"name": "drained", **NEAR, "is_draining": True}),
            ("models", MODEL),
            ("tokens", {"name": "t"}),
        ):
            assert lab.ask("POST", f"{V1}/{path}", body).status == 201
        yield lab


def audit(lab):
    return lab.ask("GET", f"{V1}/audit?limit=200").json["items"]


def done(lab, operation):
    """Do an operation as CHANGES has it, in a browser where it is for browsers."""
    which, body = CHANGES[operation.name]
    browser = lab.login()
    if which == "the session":
        which = lab.ask("GET", f"{V1}/sessions").json["items"][0]["id"]
    if operation.name == "begin_session":
        body = {"token": lab.tokens["admin"]}
    before = audit(lab)
    path = operation.path
    for name in operation.parameters:
        path = path.replace(f"{{{name}}}", which)
    is_login = operation.name == "begin_session"
    ask = browser.ask if operation.name == "end_session" else lab.ask
    answer = ask(operation.method, path, body, **({"role": None} if is_login else {}))
    return answer, [row for row in audit(lab) if row not in before]


def test_every_change_is_tried_here():
    assert {each.name for each in WRITES} == {*CHANGES, *CHANGES_NOTHING}


@pytest.mark.parametrize("operation", WRITES, ids=lambda each: each.name)
def test_every_change_is_an_audit_row_with_who_and_what(filled, operation):
    if operation.name in CHANGES_NOTHING:
        pytest.skip("it changes nothing")
    answer, rows = done(filled, operation)

    assert answer.status == operation.status, answer.body
    (row,) = rows
    assert row["actor"] == "admin:admin"
    assert row["action"]
    assert row["noun_id"]
    assert row["before"] or row["after"]
    assert row["before"] != row["after"]
    secrets = ["canary-credential", filled.tokens["admin"]]
    secrets += [answer.json.get(name) for name in ("key", "token", "csrf_token")]
    if operation.name == "set_price":
        secrets.remove("canary-credential")  # it has none
    text = json.dumps(row)
    assert [each for each in secrets if isinstance(each, str) and each in text] == []


@pytest.mark.parametrize("operation", WRITES, ids=lambda each: each.name)
def test_a_change_that_is_refused_is_no_row(filled, operation):
    path = operation.path.replace("{", "").replace("}", "")
    body = {"no such field": 1} if operation.body is not None else None
    before = audit(filled)

    answer = filled.ask(operation.method, path, body, role=None)

    assert answer.status in (400, 401)
    assert audit(filled) == before


@pytest.mark.parametrize(
    "operation", [each for each in WRITES if each.body], ids=lambda each: each.name
)
def test_every_unknown_field_is_refused_with_the_nearest(filled, operation):
    path = operation.path.replace("{", "").replace("}", "")
    for name in fields_of(operation.body):
        answer = filled.ask(operation.method, path, {name + "q": 1})

        assert answer.status == 400
        told = {each["path"]: each for each in answer.json["error"]["problems"]}
        assert told[name + "q"]["message"] == "unknown parameter"
        assert told[name + "q"]["hint"] == f"did you mean {name}?"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_every_unknown_parameter_is_refused_with_the_nearest(filled, operation):
    path = operation.path.replace("{", "").replace("}", "")
    ask = filled.login().ask if operation.name == "end_session" else filled.ask
    for name in fields_of(operation.query) or {"none": None}:
        answer = ask(operation.method, f"{path}?{name}q=1")

        assert answer.status == 400, operation.name
        (problem,) = answer.json["error"]["problems"]
        hint = f"did you mean {name}?" if fields_of(operation.query) else ""
        assert (problem["path"], problem["message"], problem["hint"]) == (
            f"{name}q", "unknown parameter", hint,
        )  # fmt: skip


@pytest.mark.parametrize("operation", LISTS, ids=lambda each: each.name)
def test_every_list_has_pages_and_a_cap(operation):
    fields = fields_of(operation.query)

    assert operation.method == "GET"
    assert set(operation.answer.__struct_fields__) == {"items", "next_cursor"}
    assert fields["limit"].accepts(1)
    assert not fields["limit"].accepts(0)
    assert not fields["limit"].accepts(2001)
    assert fields["limit"].default <= 200
    assert "cursor" in fields


def test_lists_are_those_that_say_so():
    named = {each.name for each in OPERATIONS if each.name.startswith("list_")}

    assert {each.name for each in LISTS} == named
