"""The gate of the console: who comes through, to what, and what is said to the others."""

import asyncio
import subprocess
import sys

import pytest

from arkway.console import app
from arkway.console.pages import audit
from arkway.telemetry.log_io import Log
from support.admin_lab import ORIGIN, AdminLab

LOG = Log("error", "json")
HOST = ("host", "127.0.0.1:8081")


@pytest.fixture
def lab(tmp_path):
    with AdminLab(tmp_path) as made:
        yield made


def ask(console, path, *, method="GET", kind="http", headers=(), query=""):
    """Send one request to the console as the guard passes it on; return its messages."""
    sent = []

    async def send(message):
        sent.append(message)

    first = [{"type": "http.request" if kind == "http" else "websocket.connect"}]

    async def receive():
        if not first:
            await asyncio.Event().wait()  # the browser says nothing more
        return first.pop()

    scope = {
        "type": kind, "method": method, "path": path, "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in (HOST, *headers)],
        "state": {"origin": ORIGIN, "is_https": False, "request_id": "x"}, "root_path": "",
    }  # fmt: skip

    async def all_of_it():
        from arkway.console import visitor

        visitor._threads.clear()  # of another loop
        await console(scope, receive, send)

    asyncio.run(all_of_it())
    return sent


def status(sent):
    return sent[0]["status"]


def headers(sent):
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize("path", ["/", "/keys", "/keys/key_1", "/export/usage.csv", "/no/such"])
def test_who_has_not_logged_in_is_sent_to_the_login(lab, path):
    sent = ask(app.Console(lab.api, LOG), path, query="a=b")
    assert status(sent) == 303
    assert headers(sent)["location"] == f"/login?next={path}%3Fa%3Db"
    assert status(ask(app.Console(lab.api, LOG), path, method="POST")) == 401


def test_nobody_unknown_gets_a_socket_and_nobody_polls(lab):
    sent = ask(app.Console(lab.api, LOG), "/_nicegui_ws/socket.io/", kind="websocket")
    assert sent == [{"type": "websocket.close", "code": 1008}]
    cookie = ("cookie", "arkway_session=nonsense")
    sent = ask(app.Console(lab.api, LOG), "/_nicegui_ws/x", kind="websocket", headers=[cookie])
    assert sent[0]["type"] == "websocket.close"
    for method in ("GET", "POST"):
        assert (
            status(ask(app.Console(lab.api, LOG), "/_nicegui_ws/socket.io/", method=method)) == 404
        )


def test_the_login_needs_nothing_of_nicegui(lab):
    sent = ask(app.Console(lab.api, LOG), "/login", query="next=//evil.example")
    assert status(sent) == 200
    assert b'data-target="/"' in sent[1]["body"]
    sent = ask(app.Console(lab.api, LOG), "/console/console.css")
    assert (status(sent), headers(sent)["cache-control"]) == (200, "public, max-age=86400")
    for path in ("/console/../texts.toml", "/console/none", "/console/"):
        assert status(ask(app.Console(lab.api, LOG), path)) == 404
    assert status(ask(app.Console(lab.api, LOG), "/console/console.css", method="POST")) == 405


def test_without_the_extra_it_says_so_and_the_rest_works(lab, monkeypatch):
    monkeypatch.setattr(app.importlib.util, "find_spec", lambda _: None)
    sent = ask(app.make(lab.api, LOG), "/")
    assert status(sent) == 404
    assert b"pip install 'arkway[console]'" in sent[1]["body"]
    assert ask(app.make(lab.api, LOG), "/", kind="websocket")[0]["type"] == "websocket.close"


def test_the_control_process_does_not_need_what_the_extra_brings():
    code = (
        "import sys; import arkway.runtime.control_io; "
        "print([name for name in ('nicegui', 'httpx', 'fastapi') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_change_is_told_in_a_line_and_what_is_new_without_what_says_nothing():
    assert audit.change({"budget": "5", "name": "a"}, {"budget": None, "name": "a"}) == (
        'budget: "5" → null'
    )
    made = {"id": "key_1", "created_unix_ms": 1, "models": [], "budget": None, "enabled": False}
    assert (
        audit.change({}, {**made, "name": "a", "rate": 0}) == 'enabled: false · name: "a" · rate: 0'
    )
    assert audit.change({"rule": []}, {"rule": ["x"]}) == 'rule: [] → ["x"]'
