"""Sessions of browsers: begun, used, rotated, ended; and tokens."""

import pytest

from arkway.control.admin.throttle import FAILURES
from support.admin_lab import HOST, ORIGIN, AdminLab

SESSION = "/admin/v1/session"
MINUTE_MS = 60_000


def test_a_login_gives_a_cookie_that_scripts_and_other_sites_cannot_use(lab):
    answer = lab.ask("POST", SESSION, {"token": lab.tokens["operator"]}, role=None)

    assert answer.status == 201
    (cookie,) = answer.cookies
    text, *attributes = cookie.split("; ")
    assert text.startswith("arkway_session=")
    assert set(attributes) == {"Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"}
    assert answer.json["role"] == "operator"
    assert lab.tokens["operator"] not in answer.body.decode()


def test_a_session_sees_and_with_its_csrf_token_changes(lab):
    browser = lab.login("operator")

    assert browser.ask("GET", SESSION, csrf=None, origin=None).json["csrf_token"] == browser.csrf
    made = browser.ask("POST", "/admin/v1/tenants", {"name": "t"})
    assert made.status == 201
    assert browser.ask("POST", "/admin/v1/models", {}).code == "forbidden"
    assert lab.ask("GET", "/admin/v1/audit").json["items"][0]["actor"] == "admin:operator"


def test_the_store_holds_no_text_of_a_cookie_or_token(lab):
    browser = lab.login()
    with lab.store.engine.connect() as connection:
        dump = "\n".join(connection.connection.iterdump())

    text = browser.cookie.partition("=")[2]
    for secret in (text, browser.csrf, *lab.tokens.values()):
        assert secret not in dump


def test_a_login_ends_the_session_that_the_browser_had(lab):
    old = lab.login("viewer")

    answer = lab.ask(
        "POST", SESSION, {"token": lab.tokens["admin"]}, role=None, headers=[("cookie", old.cookie)]
    )

    assert answer.status == 201
    assert answer.cookies[0].partition(";")[0] != old.cookie
    assert old.ask("GET", SESSION).code == "invalid_credential"


def test_a_cookie_that_somebody_planted_is_never_taken_over(lab):
    planted = "arkway_session=planted"

    answer = lab.ask(
        "POST", SESSION, {"token": lab.tokens["admin"]}, role=None, headers=[("cookie", planted)]
    )

    assert "planted" not in answer.cookies[0]
    assert lab.ask("GET", SESSION, role=None, headers=[("cookie", planted)]).status == 401


def test_logging_out_ends_one_session_or_all_of_a_token(lab):
    here, there, other = lab.login(), lab.login(), lab.login("viewer")

    answer = here.ask("DELETE", SESSION)
    assert answer.json == {"sessions": 1}
    assert "Max-Age=0" in answer.cookies[0]
    assert here.ask("GET", SESSION).status == 401
    assert there.ask("GET", SESSION).status == 200

    again = lab.login()
    assert there.ask("DELETE", f"{SESSION}?all=true").json == {"sessions": 2}
    assert again.ask("GET", SESSION).status == 401
    assert other.ask("GET", SESSION).status == 200


def test_an_administrator_ends_sessions_of_others(lab):
    one, two = lab.login("viewer"), lab.login("operator")
    listed = lab.ask("GET", "/admin/v1/sessions").json["items"]
    assert len(listed) == 2

    assert lab.ask("DELETE", f"/admin/v1/sessions/{listed[0]['id']}").status == 200
    assert [each.ask("GET", SESSION).status for each in (one, two)] == [401, 200]
    assert lab.ask("DELETE", "/admin/v1/sessions").json == {"sessions": 1}
    assert two.ask("GET", SESSION).status == 401
    assert lab.ask("DELETE", "/admin/v1/sessions/as_none").status == 404


def test_a_session_ends_with_its_token(lab):
    browser = lab.login("viewer")

    assert lab.ask("DELETE", "/admin/v1/tokens/viewer").status == 200

    assert browser.ask("GET", SESSION).status == 401
    assert lab.ask("GET", SESSION, role="viewer").code == "invalid_credential"
    assert lab.ask("DELETE", "/admin/v1/tokens/viewer").status == 404  # its name is free again


def test_a_session_that_rests_ends_and_one_in_use_goes_on_to_its_end(lab):
    browser = lab.login()
    for _ in range(3):
        lab.ahead_ms += 29 * MINUTE_MS
        assert browser.ask("GET", SESSION).status == 200
    resting = lab.login()

    lab.ahead_ms += 31 * MINUTE_MS
    assert browser.ask("GET", SESSION).code == "invalid_credential"
    assert resting.ask("GET", SESSION).code == "invalid_credential"


def test_a_session_ends_at_last_however_much_it_is_used(lab):
    browser = lab.login()
    for _ in range(24):
        lab.ahead_ms += 29 * MINUTE_MS
        assert browser.ask("GET", SESSION).status == 200

    lab.ahead_ms += 29 * MINUTE_MS
    assert browser.ask("GET", SESSION).code == "invalid_credential"


def test_sessions_of_a_token_are_bounded(lab):
    browsers = [lab.login("viewer") for _ in range(34)]

    assert len(lab.ask("GET", "/admin/v1/sessions?limit=200").json["items"]) == 32
    assert browsers[0].ask("GET", SESSION).status == 401
    assert browsers[-1].ask("GET", SESSION).status == 200


def test_failed_logins_are_slowed_down_by_address(lab):
    def fail(peer="192.0.2.1"):
        return lab.ask("POST", SESSION, {"token": "adm-no"}, role=None, peer=peer)

    assert [fail().status for _ in range(FAILURES)] == [401] * FAILURES
    refused = lab.ask("POST", SESSION, {"token": lab.tokens["admin"]}, role=None, peer="192.0.2.1")
    assert (refused.status, refused.code) == (429, "too_many_logins")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert fail("192.0.2.2").status == 401

    lab.ahead_ms += 61_000
    assert lab.login(peer="192.0.2.1")


def test_a_foreign_page_cannot_log_in_or_use_a_token(lab):
    evil = [("origin", "https://evil.example")]

    login = lab.ask("POST", SESSION, {"token": lab.tokens["admin"]}, role=None, headers=evil)
    change = lab.ask("POST", "/admin/v1/tenants", {"name": "t"}, headers=evil)

    assert login.code == change.code == "foreign_origin"
    assert not login.cookies


@pytest.mark.parametrize(
    "origin", ["null", f"{ORIGIN}.evil.example", "http://127.0.0.1", "", "x:y"]
)
def test_an_origin_that_only_looks_like_ours_is_foreign(lab, origin):
    browser = lab.login()

    answer = browser.ask("POST", "/admin/v1/tenants", {"name": "t"}, origin=origin)

    assert answer.code == "foreign_origin"


def test_behind_tls_the_cookie_is_secure_and_of_this_host(tmp_path):
    url = "https://arkway.example.com"
    with AdminLab(tmp_path, overrides={"control.public_url": url}) as lab:
        body = {"token": lab.tokens["admin"]}
        answer = lab.ask("POST", SESSION, body, role=None, host="arkway.example.com")
        (cookie,) = answer.cookies
        assert cookie.startswith("__Host-arkway_session=")
        assert "Secure" in cookie.split("; ")
        headers = [
            ("cookie", cookie.partition(";")[0]),
            ("origin", url),
            ("x-csrf-token", answer.json["csrf_token"]),
        ]
        name = {"name": "t"}
        near = lab.ask("POST", "/admin/v1/tenants", name, role=None, headers=headers, host=HOST)
        done = lab.ask(
            "POST", "/admin/v1/tenants", name, role=None, headers=headers, host="arkway.example.com"
        )

    assert near.status in (401, 403)  # without TLS that cookie is none
    assert done.status == 201


def test_tokens_are_made_shown_once_and_revoked(lab):
    made = lab.ask("POST", "/admin/v1/tokens", {"name": "dash", "expires": "90d"})

    assert made.status == 201
    assert made.json["role"] == "viewer"
    lab.tokens["dash"] = made.json["token"]
    assert lab.ask("GET", "/admin/v1/tenants", role="dash").status == 200
    shown = lab.ask("GET", "/admin/v1/tokens/dash")
    assert "token" not in shown.json
    lab.ahead_ms = 91 * 24 * 3600 * 1000
    assert lab.ask("GET", "/admin/v1/tenants", role="dash").status == 401
    again = lab.ask("POST", "/admin/v1/tokens", {"name": "dash"})
    assert "exists already" in again.json["error"]["message"]
    assert lab.ask("POST", "/admin/v1/tokens", {"name": "x", "role": "root"}).status == 400
    assert lab.ask("POST", "/admin/v1/tokens", {"name": "x", "expires": "soon"}).status == 400
