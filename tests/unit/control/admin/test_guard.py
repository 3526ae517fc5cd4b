"""What every request of the control process goes through."""

import asyncio
import json

import pytest

from arkway.control.admin.guard import POLICIES, Guard, Names
from arkway.telemetry.log_io import Log
from support.admin_lab import HOST, AdminLab

PAGE = "/admin/openapi.json"


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8081", "127.0.0.1", "[::1]:8081", "console.localhost"],
)  # fmt: skip
def test_a_loopback_name_is_answered(lab, host):
    assert lab.ask("GET", PAGE, host=host).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "localhost@evil.example",
     "evil.example:8081", "127.0.0.2", "0", "", " ", "localhost:99999", "localhost:", "localhost:x",
     "[::1", "::1", "localhost/..", "2130706433", "127.1", "localhost, evil.example", "\xff", None],
)  # fmt: skip
def test_another_name_is_refused_before_anything_is_looked_at(lab, host):
    answer = lab.ask("GET", PAGE, host=host)

    assert (answer.status, answer.code) == (421, "unknown_host")


def test_two_hosts_are_refused(lab):
    assert lab.ask("GET", PAGE, headers=[("host", "localhost")]).code == "unknown_host"


def test_the_address_that_was_bound_and_the_public_name_are_ours(tmp_path):
    overrides = {"control.host": "192.0.2.7", "control.public_url": "https://a.example:8443"}
    with AdminLab(tmp_path, overrides=overrides) as lab:
        seen = {
            host: lab.ask("GET", PAGE, host=host).status
            for host in (
                "192.0.2.7:8081",
                "a.example:8443",
                "a.example",
                "a.example:1",
                "b.example",
            )
        }

    assert list(seen.values()) == [200, 200, 421, 421, 421]


@pytest.mark.parametrize("path", [PAGE, "/admin/v1/keys", "/admin/none"])
def test_every_answer_has_the_headers(lab, path):
    headers = lab.ask("GET", path, role=None).headers

    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert len(headers["x-request-id"]) == 36
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_every_content_policy_forbids_framing():
    assert list(POLICIES)[-1] == ""
    assert all("frame-ancestors 'none'" in policy for policy in POLICIES.values())


def run(app, scope, *received):
    sent, waiting = [], list(received)

    async def receive():
        return waiting.pop(0) if waiting else {"type": "websocket.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def guarded(app, log=None):
    return Guard(app, Names("127.0.0.1", ""), log)


def scope(kind="http", **headers):
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": kind, "path": "/x", "headers": raw}


def test_a_crash_is_one_line_without_its_text(lab, tmp_path):
    async def crash(*_):
        raise RuntimeError("canary text")

    guard = guarded(crash, Log("info", "json", lab.logged))
    sent = run(guard, scope(host=HOST))

    assert sent[0]["status"] == 500
    assert b"canary" not in sent[1]["body"]
    line = json.loads(lab.logged.getvalue())
    assert (line["event"], line["kind"]) == ("control_error", "RuntimeError")
    assert "canary" not in str(line)
    lab.logged.truncate(0)


def test_what_an_application_says_of_its_own_is_kept():
    async def asset(_scope, _receive, send):
        headers = [(b"cache-control", b"max-age=60")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    headers = dict(run(guarded(asset), scope(host=HOST))[0]["headers"])

    assert headers[b"cache-control"] == b"max-age=60"
    assert headers[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize(
    ("headers", "is_let_in"),
    [
        ({"host": HOST, "origin": f"http://{HOST}"}, True),
        ({"host": HOST}, False),
        ({"host": HOST, "origin": "http://evil.example"}, False),
        ({"host": HOST, "origin": "null"}, False),
        ({"host": "evil.example", "origin": "http://evil.example"}, False),
    ],
)
def test_a_socket_is_opened_by_our_own_pages_alone(headers, is_let_in):
    async def page(_scope, _receive, send):
        await send({"type": "websocket.accept"})

    sent = run(guarded(page), scope("websocket", **headers), {"type": "websocket.connect"})

    assert [each["type"] for each in sent] == [
        "websocket.accept" if is_let_in else "websocket.close"
    ]
