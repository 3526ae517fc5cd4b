"""Every route of every listener, with every credential: what the table of policies says, no more.

Rows are read from the routers, columns are credentials, shown to real processes over real
connections. What the admin API does for those who may is walked without its work in
tests/unit/control/admin/test_matrix.py; here its changes are asked for by those alone who may not.
"""

import base64
import http.client
import re
import time
from contextlib import ExitStack, closing

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from arkway.runtime.control_app import application
from arkway.store.admin_tokens import Role
from support import policies, routers
from support.admin_lab import AdminLab
from support.browser import needed
from support.control import admin_ask, wait_admin
from support.gateway import KEY, MODEL, OTHER_KEY, Gateway, ask, encode, free_port
from support.policies import REACHED, Policy, Shown, expected
from support.upstream import Upstream

pytestmark = pytest.mark.slow
UNKNOWN_KEY = "sk-" + "x" * 48
UNKNOWN_TOKEN = "adm-" + "x" * 48
REFUSALS = (303, 401, 403, 405, 500)
FOREIGN = "https://evil.example"
VERSION = routers.nicegui_version()
# What stands for a route's parameters: something that is there, where a page shows it.
SAMPLES = {
    "{key}": "test", "{call}": "none", "VERSION": VERSION, "_ws/*": "_ws/socket.io/",
    "docs/*": "docs/keys_and_budgets", "*": MODEL, "{path:path}": "keys",
}  # fmt: skip


class Place:
    """A gateway with everything it listens on, and credentials of every kind."""

    def __init__(self, stack: ExitStack) -> None:
        self.port = free_port()
        upstream = stack.enter_context(Upstream(1))
        account = {"name": "a", "dialect": "openai", "base_url": upstream.base_url(0)}
        settings = {
            "accounts": [account],
            "control": {"port": self.port},
            "server": {"docs": True},
        }
        self.gateway = stack.enter_context(Gateway(settings))
        wait_admin(self.port, self.gateway.is_running)
        self.first = (self.gateway.home / "first-admin-token").read_text().strip()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.tokens = {role: self.token(role) for role in Role}
        self.shown = {**self.strangers(), **self.keys(), **self.holders(), **self.browsers()}

    def admin(self, method, path, body=None, token=None):
        status, answer = admin_ask(
            self.port, method, f"/admin/v1/{path}", token or self.first, body
        )
        assert status < 300, answer
        return answer

    def token(self, role, name=None):
        body = {"name": name or f"a {role}", "role": role}
        return self.admin("POST", "tokens", body)["token"]

    def session(self, token):
        """Return the cookie and the CSRF token of a new session."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as wire:
            body = b'{"token": "%b"}' % token.encode()
            wire.request("POST", "/admin/v1/session", body, {"content-type": "application/json"})
            answer = wire.getresponse()
            cookie = answer.headers["set-cookie"].partition(";")[0]
            csrf = re.search(rb'"csrf_token":"(\w+)"', answer.read())[1].decode()
        return cookie, csrf

    def strangers(self):
        """Return credentials that are none, or not where one is looked for."""
        good = {"key": KEY, "token": self.tokens[Role.ADMIN]}
        found = {
            "none": Shown(),
            "malformed": bearer("sk-x"),
            "malformed token": bearer("adm-x"),
            "empty": bearer(""),
            "unknown key": bearer(UNKNOWN_KEY),
            "unknown token": bearer(UNKNOWN_TOKEN),
        }
        for what, text in good.items():
            basic = base64.b64encode(f"user:{text}".encode()).decode()
            given = f"api_key={text}&token={text}&access_token={text}&key={text}"
            found |= {
                f"{what} in the query": Shown(query=given),
                f"{what} as Basic": Shown((("authorization", f"Basic {basic}"),)),
                f"{what} without a scheme": Shown((("authorization", text),)),
                f"{what} of another scheme": Shown((("authorization", f"Token {text}"),)),
                f"{what} in x-api-key": Shown((("x-api-key", text), ("api-key", text))),
                f"{what} as a cookie": Shown((("cookie", f"arkway_session={text}"),)),
                f"{what} twice": Shown((("authorization", f"Bearer {text}"),) * 2),
                f"{what} after another": Shown(
                    (("authorization", "Bearer x"), ("authorization", f"Bearer {text}"))
                ),
                f"{what} twice in one header": bearer(f"{text}, Bearer {text}"),
            }
        return found

    def keys(self):
        """Return API keys: good ones, and those that were."""
        gone = self.admin("POST", "keys", {"name": "gone"})
        late = self.admin("POST", "keys", {"name": "late"})
        off = self.admin("POST", "keys", {"name": "off now"})
        for key in (gone, late, off):
            self.until(key["key"], 200)
        self.admin("DELETE", f"keys/{gone['id']}")
        self.admin("PATCH", f"keys/{late['id']}", {"expires_unix_s": int(time.time()) + 1})
        self.admin("PATCH", f"keys/{off['id']}", {"enabled": False})
        for key in (gone, late, off):
            self.until(key["key"], 401)
        return {
            "API key": bearer(KEY, api_key=True),
            "API key of another tenant": bearer(OTHER_KEY, api_key=True),
            "revoked key": bearer(gone["key"]),
            "expired key": bearer(late["key"]),
            "disabled key": bearer(off["key"]),
        }

    def until(self, key, status):
        """Wait until the gateway answers `key` with `status`."""
        ends_s = time.monotonic() + 5
        while self.gateway.call("GET", "/v1/models", key=key).status != status:
            assert time.monotonic() < ends_s
            time.sleep(0.02)

    def holders(self):
        """Return admin tokens: good ones, and those that were."""
        gone = self.token("admin", "gone")
        self.admin("DELETE", "tokens/gone")
        return {
            "revoked token": bearer(gone),
            **{f"token of a {role}": bearer(self.tokens[role], token=role) for role in Role},
        }

    def browsers(self):
        """Return sessions, with and without what proves whose page asks."""
        found = {}
        for role in Role:
            cookie, csrf = self.session(self.tokens[role])
            found[f"session of a {role}"] = self.page(cookie, csrf, session=role)
        cookie, csrf = self.session(self.tokens[Role.ADMIN])
        other = self.session(self.tokens[Role.VIEWER])[1]
        admin = {"session": Role.ADMIN}
        ended = self.session(self.token("admin", "leaver"))
        self.admin("DELETE", "tokens/leaver")
        return found | {
            "cookie alone": self.page(cookie, "", origin="none", **admin),
            "cookie without CSRF": self.page(cookie, "", **admin),
            "cookie with another's CSRF": self.page(cookie, other, csrf=False, **admin),
            "cookie without Origin": self.page(cookie, csrf, origin="none", **admin),
            "cookie from a foreign page": self.page(cookie, csrf, origin="foreign", **admin),
            "session of a revoked token": self.page(*ended, session=None),
            "unknown session": self.page("arkway_session=" + "x" * 43, csrf, session=None),
            "two cookies": self.page(f"{cookie}; {cookie}", csrf, session=None),
            "key beside a session": Shown(
                (("authorization", f"Bearer {KEY}"), ("cookie", cookie)), api_key=True
            ),
        }

    def page(self, cookie, text, *, session, csrf=None, origin="ours"):
        headers = [("cookie", cookie)]
        headers += [("x-csrf-token", text)] if text else []
        origins = {"ours": self.origin, "foreign": FOREIGN}
        headers += [("origin", origins[origin])] if origin != "none" else []
        has_csrf = bool(text) if csrf is None else csrf
        return Shown(tuple(headers), session=session, csrf=has_csrf, origin=origin)

    def statuses(self, port, route, shown, path):
        method = route.partition(" ")[0]
        query = f"?{shown.query}" if shown.query else ""
        if method == "SOCKET":
            return handshake(port, f"{path}?EIO=4&transport=websocket&{shown.query}", shown)
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as wire:
            wire.putrequest(method, path + query)
            for name, value in shown.headers:
                wire.putheader(name, value)
            body = b""
            if method in ("POST", "PATCH"):
                body = encode("POST", "/", ask("hello")).partition(b"\r\n\r\n")[2]
                wire.putheader("content-type", "application/json")
                wire.putheader("content-length", str(len(body)))
            wire.endheaders(body)
            answer = wire.getresponse()
            answer.read()
            return answer.status


def bearer(text, **is_good):
    return Shown((("authorization", f"Bearer {text}"),), **is_good)


def handshake(port, target, shown):
    """Return the status of an attempt to open a WebSocket."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as wire:
        wire.putrequest("GET", target)
        upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        for pair in [*upgrade.items(), ("sec-websocket-key", "x" * 22 + "=="), *shown.headers]:
            wire.putheader(*pair)
        wire.endheaders()
        return wire.getresponse().status


@pytest.fixture(scope="module")
def place():
    needed()
    with ExitStack() as stack:
        yield Place(stack)


@pytest.fixture(scope="module")
def control_routes(tmp_path_factory):
    with AdminLab(tmp_path_factory.mktemp("routes")) as lab:
        return routers.control(application(lab.desk, None))


def path_of(route):
    path = route.partition(" ")[2]
    for name, sample in SAMPLES.items():
        path = path.replace(name, sample)
    return re.sub(r"\{\w+(:path)?\}", "none", path)


def walked(place, port, table):
    """Return what was other than the table says, as lines: route, credential, got, wanted."""
    wrong = []
    for route, policy in table.items():
        path = path_of(route)
        alone = place.statuses(port, route, place.shown["none"], path)
        for name, shown in place.shown.items():
            wanted = expected(route, policy, shown)
            changes_admin = "/admin/v1/" in route and not route.startswith("GET ")
            if wanted == REACHED and changes_admin:
                continue  # its work would be done
            got = place.statuses(port, route, shown, path)
            if wanted != REACHED:
                is_right = got == wanted
            elif policy is Policy.OPEN:
                # The admin API has no such parameters, and says so.
                no_query = shown.query and "/admin/" in route
                is_right = got == (400 if no_query else alone) and alone not in REFUSALS
            else:
                is_right = got not in REFUSALS
            if not is_right:
                wrong.append(f"{route} | {name} | {got}, not {wanted} ({policy.name})")
    return wrong


def test_every_route_has_a_policy_and_every_policy_a_route(place, control_routes):
    found = {
        "public": policies.unlike(routers.public(), policies.PUBLIC),
        "ops": policies.unlike(routers.ops(place.gateway.ops_port), policies.OPS),
        "control": policies.unlike(control_routes, policies.CONTROL),
    }

    assert found == {"public": [], "ops": [], "control": []}


def test_a_route_that_is_added_anywhere_is_seen(monkeypatch, tmp_path):
    """Adds one to each kind of router; each is named as one without a policy."""
    from nicegui import app as pages

    from arkway.control.admin.operation import Operation
    from arkway.listener import routes
    from arkway.runtime import control_app

    added = Route("/added", lambda _: None)
    monkeypatch.setitem(routes._EXACT, b"/v1/added", ((b"GET",), None))
    monkeypatch.setattr(pages.router, "routes", [*pages.router.routes, added])
    mounted = ("/more", lambda *_: Starlette(routes=[added, Mount("/deep", routes=[added])]))
    monkeypatch.setattr(control_app, "MOUNTED", (mounted, *control_app.MOUNTED))
    with AdminLab(tmp_path) as lab:
        guard = application(lab.desk, None)
        api = guard._app.routes[0].app
        first = api.operations[0]
        fields = {name: getattr(first, name) for name in first.__dataclass_fields__}
        api.operations = (*api.operations, Operation(**fields | {"path": "/admin/v1/added"}))
        control = policies.unlike(routers.control(guard), policies.CONTROL)
    public = policies.unlike(routers.public(), policies.PUBLIC)

    assert public == ["GET /v1/added: a route without a policy"]
    assert set(control) == {
        f"GET {path}: a route without a policy"
        for path in ("/added", "/admin/v1/added", "/more", "/more/added", "/more/deep/added")
    }


def test_the_public_listener_is_for_api_keys(place):
    assert walked(place, place.gateway.port, policies.PUBLIC) == []


def test_the_ops_port_is_open_and_tells_no_secret(place):
    assert walked(place, place.gateway.ops_port, policies.OPS) == []


@pytest.mark.parametrize("policy", list(Policy), ids=lambda each: each.name)
def test_the_control_process_asks_as_each_policy_says(place, policy):
    table = {route: each for route, each in policies.CONTROL.items() if each is policy}
    assert table or policy in (Policy.API_KEY, Policy.PROVED)

    assert walked(place, place.port, table) == []
    assert "console_error" not in place.gateway.stderr()
    assert "control_error" not in place.gateway.stderr()


def test_a_page_is_no_page_under_another_method_or_name(place):
    admin = place.shown["session of a admin"]
    for route, policy in policies.CONTROL.items():
        if policy is not Policy.PAGE:
            continue
        path = path_of(route)
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            assert place.statuses(place.port, f"{method} {path}", admin, path) == 405
            assert place.statuses(place.port, f"{method} {path}", Shown(), path) == 401


def test_a_tenant_sees_its_own_and_nothing_of_another(place):
    mine = place.gateway.call("GET", "/v1/usage", key=KEY)
    assert mine.status == 200
    assert lines_of(mine)
    fresh = place.admin("POST", "keys", {"name": "fresh", "tenant": "other"})["key"]
    place.until(fresh, 200)

    assert lines_of(place.gateway.call("GET", "/v1/usage", key=fresh)) == []
    for query in ("key=test", "tenant=default", "by=key"):
        answer = place.gateway.call("GET", f"/v1/usage?{query}", key=fresh)
        assert answer.status == 400 or lines_of(answer) == [], query


def lines_of(answer):
    return answer.json()["data"]


def test_another_host_is_no_listener_of_ours(place):
    shown = place.shown["token of a admin"]
    for route in policies.CONTROL:
        if not route.startswith("GET "):
            continue
        with closing(http.client.HTTPConnection("127.0.0.1", place.port, timeout=10)) as wire:
            wire.putrequest("GET", path_of(route), skip_host=True)
            for name, value in (("host", "evil.example"), *shown.headers):
                wire.putheader(name, value)
            wire.endheaders()
            assert wire.getresponse().status == 421, route
