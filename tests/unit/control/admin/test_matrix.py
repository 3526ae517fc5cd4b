"""Who may do what? Every route of the router, with every kind of credential.

What should be is `support.policies`, written by hand. The routes are the real ones with the work
taken out: what counts is whether it is reached.
"""

import dataclasses
from typing import Any

import pytest

from arkway.control.admin.operation import OPEN, Credential, Operation
from arkway.control.admin.operations import OPERATIONS
from arkway.runtime.control_app import MOUNTED, _AdminRoute, application
from arkway.store import admin_tokens, keys
from arkway.store.admin_tokens import Role
from support.admin_lab import ORIGIN, AdminLab
from support.policies import CONTROL, LEAST_ROLE, OWN_SESSION
from support.policies import OPEN as OPEN_TO_ALL
from support.stores import do

PASSED = 200
FOREIGN = "https://evil.example"


def without_work(operation: Operation) -> Operation:
    work = lambda _desk, _ask: {"done": operation.name}  # noqa: E731
    return dataclasses.replace(operation, work=work, answer=dict[str, Any], body=None, status=200)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with AdminLab(tmp_path_factory.mktemp("matrix"), tuple(map(without_work, OPERATIONS))) as lab:
        yield lab


@pytest.fixture(scope="module")
def credentials(lab):
    """Return, for each class of credential, its headers and who it is: (kind, role) or a status.

    A third item is the status of a change, for what may read and not change.
    """
    sessions = {name: open_session(lab, name) for name in ("viewer", "operator", "admin")}
    table = {**no_credentials(lab), **tokens(lab), **cookies(lab, sessions)}
    for role in Role:
        cookie, csrf, _ = sessions[role.value]
        table[f"token of a {role}"] = (bearer(lab.tokens[role.value]), (Credential.TOKEN, role))
        headers = browser(cookie, ("x-csrf-token", csrf))
        table[f"session of a {role}"] = (headers, (Credential.SESSION, role))
    return table


def bearer(text, scheme="Bearer"):
    return [("authorization", f"{scheme} {text}")]


def browser(cookie, *more):
    return [("cookie", cookie), ("origin", ORIGIN), *more]


def no_credentials(lab):
    good = lab.tokens["admin"]
    return {
        "none": ([], 401),
        "malformed": (bearer("adm-short"), 401),
        "empty": (bearer(""), 401),
        "unknown": (bearer("adm-" + "x" * 48), 401),
        "quoted": (bearer("' OR '1'='1"), 401),
        "API key": (bearer(do(lab.store, keys.create, {"name": "caller"}).text), 401),
        "in the query": ([], 401),
        "in x-api-key": ([("x-api-key", good)], 401),
        "Basic": (bearer("OmFkbS14", "Basic"), 401),
        "another scheme": (bearer(good, "Token"), 401),
        "Basic with a token": (bearer(good, "Basic"), 401),
        "no scheme": ([("authorization", good)], 401),
        "two headers": (bearer(good) + bearer(good), 401),
        "two in one header": (bearer(f"{good}, Bearer {good}"), 401),
        "trailing space": (bearer(good + " "), 401),
    }


def tokens(lab):
    revoked = lab.make_token("revoked", "admin")
    do(lab.store, admin_tokens.revoke, "revoked")
    expired = lab.make_token("expired", "admin", expires="1d")
    with lab.store.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE admin_tokens SET expires_unix_s = 1 WHERE name = 'expired'"
        )
        digest = connection.exec_driver_sql(
            "SELECT hex(digest) FROM admin_tokens WHERE name = 'admin'"
        ).scalar_one()
    good = lab.tokens["admin"]
    admin = (Credential.TOKEN, Role.ADMIN)
    return {
        "revoked": (bearer(revoked), 401),
        "expired": (bearer(expired), 401),
        "digest of a token": (bearer(f"adm-{digest[:48]}"), 401),
        "lower-case scheme": (bearer(good, "bearer"), admin),
        "token from another origin": ([*bearer(good), ("origin", FOREIGN)], (*admin, 403)),
    }


def cookies(lab, sessions):
    """Sessions are opened straight in the store: the login's work is taken out here."""
    cookie, csrf, _ = sessions["admin"]
    gone = open_session(lab, "admin")
    with lab.store.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE admin_sessions SET ends_unix_ms = 1 WHERE id = ?", (gone[2],)
        )
    lab.tokens["other"] = lab.make_token("other", "admin")
    orphan = open_session(lab, "other")
    with lab.store.engine.begin() as connection:  # revoked behind the back of its session
        connection.exec_driver_sql(
            "UPDATE admin_tokens SET revoked_unix_ms = 1 WHERE name = 'other'"
        )
    secure = cookie.replace("arkway_session", "__Host-arkway_session")
    shown = ("x-csrf-token", csrf)
    changes_nothing = (Credential.SESSION, Role.ADMIN, 403)
    foreign = [("cookie", cookie), shown, ("origin", FOREIGN)]
    return {
        "bad header beside a good cookie": (bearer("adm-x") + browser(cookie, shown), 401),
        "ended session": (browser(gone[0], ("x-csrf-token", gone[1])), 401),
        "session of a revoked token": (browser(orphan[0], ("x-csrf-token", orphan[1])), 401),
        "two cookies": (browser(f"{cookie}; {cookie}", shown), 401),
        "the other cookie's name": (browser(secure, shown), 401),
        "cookie without CSRF": (browser(cookie), changes_nothing),
        "cookie with another's CSRF": (
            browser(cookie, ("x-csrf-token", sessions["viewer"][1])),
            changes_nothing,
        ),
        "cookie without Origin": ([("cookie", cookie), shown], changes_nothing),
        "cookie from another origin": (foreign, changes_nothing),
    }


def open_session(lab, role):
    from arkway.store import admin_sessions

    token = lab.tokens[role]
    with lab.desk.reading() as connection:
        record = admin_tokens.find(connection, lab.store.secrets.admin, token)
    text = admin_sessions.new_text()
    ends_ms = lab.now_ms() + 3_600_000
    begun = do(lab.store, admin_sessions.begin, record, text, "127.0.0.1", ends_ms)
    csrf = admin_sessions.csrf_text(lab.store.secrets.admin, text)
    return f"arkway_session={text}", csrf, begun.id


def expected(operation: Operation, who) -> int:
    policy = CONTROL[f"{operation.method} {operation.path}"]
    if policy is OPEN_TO_ALL:
        # Open to all; but a page of another origin may not post to it.
        foreign = isinstance(who, tuple) and len(who) == 3
        return 403 if operation.writes and foreign else PASSED
    if isinstance(who, int):
        return who
    kind, role, *on_write = who
    if policy is OWN_SESSION and kind is not Credential.SESSION:
        return 403
    if not role.covers(LEAST_ROLE.get(policy, Role.VIEWER)):
        return 403
    return on_write[0] if on_write and operation.writes else PASSED


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_every_route_with_every_credential(lab, credentials, operation):
    path = operation.path.replace("{", "").replace("}", "")
    seen, wanted = {}, {}
    for name, (headers, who) in credentials.items():
        query = ""
        if name == "in the query":
            query = f"?token={lab.tokens['admin']}&access_token={lab.tokens['admin']}"
        answer = lab.ask(operation.method, path + query, role=None, headers=headers)
        foreign = ("origin", FOREIGN) in headers
        seen[name] = answer.status
        wanted[name] = expected(operation, who)
        if operation.policy.role is None:
            if name == "in the query":
                wanted[name] = 400  # it has no such parameters
            elif operation.writes and not foreign:
                wanted[name] = PASSED
        if answer.status == PASSED:
            assert answer.json == {"done": operation.name}
        else:
            assert set(answer.json["error"]) == {"code", "message", "problems", "request_id"}
            assert lab.tokens["admin"] not in answer.body.decode()
        if answer.status == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")

    assert seen == wanted


def test_what_is_open_is_what_is_listed():
    opened = [each.name for each in OPERATIONS if each.policy.role is None]

    assert sorted(opened) == sorted(OPEN)


def test_a_route_without_a_policy_cannot_be_made():
    fields = {each.name: each for each in dataclasses.fields(Operation)}

    assert fields["policy"].default is dataclasses.MISSING
    routes = [f"{each.method} {each.path}" for each in OPERATIONS]
    assert [route for route in routes if route not in CONTROL] == []


def test_changes_are_never_for_viewers_and_reads_change_nothing():
    for each in OPERATIONS:
        own_session = each.name in ("begin_session", "end_session")
        if each.writes and not own_session:
            assert each.policy.role in (Role.OPERATOR, Role.ADMIN), each.name
        assert each.method in ("GET", "POST", "PATCH", "DELETE")


def test_the_process_serves_the_admin_api_and_what_is_mounted_and_nothing_else(lab):
    guard = application(lab.desk, None)

    kinds = [type(route) for route in guard._app.routes]
    assert kinds[0] is _AdminRoute
    slashes = [prefix for prefix, _ in MOUNTED if prefix != "/"]  # `/docs` leads to `/docs/`
    assert len(kinds) == 1 + len(slashes) + len(MOUNTED)
