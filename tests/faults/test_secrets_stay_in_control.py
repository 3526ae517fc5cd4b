"""The promise, where operators are: no secret comes out of the control process or a command.

Everything that an operator gives the gateway, or that it makes for one, is a canary; then the admin
API, the console, the command line, the start and the code itself fail in thirty ways and more, at
level debug. All that is shown anywhere afterwards is searched, in a browser too.
"""

import base64
import contextlib
import http.client
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from unittest.mock import patch

import pytest

from arkway.cli import main
from arkway.store.secret_io import SECRET_VARIABLE
from support.admin_lab import Answer
from support.browser import Tab, chromium, needed
from support.canaries import found
from support.control import wait_admin
from support.gateway import Gateway, accounts, ask, encode, free_port
from support.otlp import Collector
from support.upstream import Upstream

pytestmark = pytest.mark.slow
# What operators give. What the gateway makes (tokens, keys, cookies) is known once it runs.
GIVEN = {
    "gateway secret": "canary-gateway-secret-0123456789-hawthorn",
    "credential of the environment": "canary-environment-credential-larch",
    "sealed credential": "canary-sealed-credential-rowan",
    "refused credential": "canary refused credential maple",
    "password in a URL": "canary-password-in-a-url-willow",
    "secret in the file": "canary-secret-in-the-file-alder",
    "secret as a setting": "canary-secret-as-a-setting-hazel",
    "another gateway secret": "canary-another-gateway-secret-0123456789",
    "weak secret": "canary-weak-secret",
    "wrong admin token": "adm-canaryWrongAdminTokenElder0000000000000000000000",
    "malformed admin token": "adm-canary-malformed-juniper",
    "wrong API key": "sk-canary-wrong-api-key-cypress",
    "prompt": "canary-prompt-cedar",
    "answer": "canary-answer-spruce",
    "conversation": "canary-conversation-beech",
    "text of a crash": "canary-text-of-a-crash-linden",
}
MADE = (
    "first admin token", "admin token", "revoked admin token", "API key", "revoked API key",
    "rotated API key", "API key after rotation", "session cookie", "ended session cookie",
    "CSRF token",
)  # fmt: skip
PAGES = (
    "/", "/accounts", "/keys", "/keys/KEY", "/usage", "/calls", "/calls/CALL", "/models", "/audit",
    "/playground", "/lab", "/settings", "/access", "/none", "/docs/keys",
)  # fmt: skip
# Makes the processes crash where a request says so: imported by Python at its start.
CRASHING = f"""
import sys
if "arkway" in sys.orig_argv or "arkway.runtime.control_io" in sys.orig_argv:
    import arkway.pipeline
    import arkway.store.tenants
    validate, get = arkway.pipeline.validate, arkway.store.tenants.get
    def crash(request, *rest):
        if b"crash-please" in request.body:
            raise RuntimeError("{GIVEN["text of a crash"]}", request.body, request.authorization)
        return validate(request, *rest)
    def broken(connection, name):
        if name == "crash-please":
            raise RuntimeError("{GIVEN["text of a crash"]}", connection)
        return get(connection, name)
    arkway.pipeline.validate, arkway.store.tenants.get = crash, broken
    from arkway.console.app import Console
    from arkway.runtime.ops_io import OpsConnection
    lost, socket = OpsConnection.connection_lost, Console._socket
    def breaking(self, error):
        lost(self, error)
        if b"crash-please" in self._url:
            raise RuntimeError("{GIVEN["text of a crash"]}", self._url)
    async def dying(self, scope, receive, send):
        if b"crash-please" in scope["query_string"]:
            raise RuntimeError("{GIVEN["text of a crash"]}", scope)
        await socket(self, scope, receive, send)
    OpsConnection.connection_lost, Console._socket = breaking, dying
"""


class Run:
    """A gateway with its control process, what was said of it, and how often it failed."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        (folder / "sitecustomize.py").write_text(CRASHING)
        self.collector = stack.enter_context(Collector())
        upstream = stack.enter_context(Upstream(2))
        self.port = free_port()
        settings = {
            "accounts": accounts(upstream),
            "control": {"port": self.port},
            "log": {"level": "debug", "calls": True},
            "telemetry": {"otlp_endpoint": self.collector.url, "sample_ratio": 1.0},
        }
        self.env = {
            "UPSTREAM_KEY": GIVEN["credential of the environment"],
            SECRET_VARIABLE: GIVEN["gateway secret"],
            "PYTHONPATH": str(folder),
        }
        self.gateway = stack.enter_context(Gateway(settings, env=self.env))
        wait_admin(self.port, self.gateway.is_running)
        self.home = self.gateway.home
        self.secrets = dict(GIVEN)
        self.places: dict[str, bytes] = {}
        self.failures = 0

    # -- asking --------------------------------------------------------------------------------

    def ask(self, method, path, body=None, *, token=None, headers=()):
        """Ask the control process; keep what it says, but not what it says once and for good."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as wire:
            given = {"content-type": "application/json"} if body is not None else {}
            bearer = self.secrets["admin token"] if token is None else token
            given |= {"authorization": f"Bearer {bearer}"} if bearer else {}
            given |= dict(headers)
            content = body if isinstance(body, bytes) else json.dumps(body) if body else None
            wire.request(method, path, content, given)
            came = wire.getresponse()
            return Answer(came.status, dict(came.getheaders()), came.read())

    def fails(self, name, answer, status):
        assert answer.status == status, (name, answer.status, answer.body)
        self.failures += 1
        self.places[f"answer: {name}"] = repr(answer.headers).encode() + answer.body

    def command(self, name, *arguments, fails=False, env=None, text=""):
        """Run a command; keep all that it prints. What serves gets a process of its own."""
        whole = {**self.gateway._env, "COLUMNS": "200", **(env or {})}
        if arguments[0] in ("serve", "control"):
            command = [sys.executable, "-m", "arkway", *arguments]
            done = subprocess.run(
                command, env=whole, cwd=self.home, capture_output=True, timeout=60
            )
            status, said = done.returncode, done.stdout + done.stderr
        else:
            status, said = in_process(self.home, whole, arguments, text)
        if fails is not None:
            assert (status != 0) is fails, (name, said)
            self.failures += fails
        self.places[f"command: {name}"] = said

    # -- what is done --------------------------------------------------------------------------

    def make(self):
        """Let the gateway make secrets of every kind."""
        first = (self.home / "first-admin-token").read_text().strip()
        said, v1 = self.secrets, "/admin/v1"
        said["first admin token"] = first
        for name in ("admin token", "revoked admin token"):
            body = {"name": name, "role": "admin"}
            said[name] = self.ask("POST", f"{v1}/tokens", body, token=first).json["token"]
        for name in ("API key", "revoked API key", "rotated API key"):
            said[name] = self.ask("POST", f"{v1}/keys", {"name": name}).json["key"]
        rotated = self.ask("POST", f"{v1}/keys/rotated%20API%20key/rotate", {"overlap_h": 1})
        said["API key after rotation"] = rotated.json["key"]
        self.ask("DELETE", f"{v1}/keys/revoked%20API%20key")
        for name in ("session cookie", "ended session cookie"):
            answer = self.ask("POST", f"{v1}/session", {"token": said["admin token"]}, token="")
            said[name] = re.search("arkway_session=([^;]+)", answer.headers["set-cookie"])[1]
        said["CSRF token"] = answer.json["csrf_token"]
        sealed = {
            "name": "sealed", "dialect": "openai", "base_url": "https://127.0.0.2:9/v1",
            "credential": GIVEN["sealed credential"], "enabled": False,
        }  # fmt: skip
        assert self.ask("POST", f"{v1}/accounts", sealed).status == 201
        again = {"credential": GIVEN["sealed credential"]}
        assert self.ask("PATCH", f"{v1}/accounts/sealed", again).status == 200

    def end_session(self):
        cookie = [
            ("cookie", f"arkway_session={self.secrets['ended session cookie']}"),
            ("origin", f"http://127.0.0.1:{self.port}"),
            ("x-csrf-token", self.secrets["CSRF token"]),
        ]
        self.ask("DELETE", "/admin/v1/tokens/revoked%20admin%20token")
        session = "/admin/v1/session"
        assert self.ask("DELETE", session, token="", headers=cookie).status == 200
        self.fails("ended session", self.ask("GET", session, token="", headers=cookie), 401)

    def call(self):
        """Call with good, bad and crashing requests."""
        said = self.secrets
        headers = [("X-Conversation-Id", GIVEN["conversation"])]
        good = self.gateway.post(ask(GIVEN["prompt"]), key=said["API key"], headers=headers)
        assert good.status == 200
        self.call_id = good.header("x-request-id")
        ends_s = time.monotonic() + 5  # its rows follow half a second later
        while self.ask("GET", f"/admin/v1/calls/{self.call_id}").status != 200:
            assert time.monotonic() < ends_s
            time.sleep(0.05)
        crash = ask(GIVEN["prompt"], user="crash-please")
        for name, key, body in (
            ("crash", said["API key"], crash),
            ("wrong key", GIVEN["wrong API key"], ask(GIVEN["prompt"])),
            ("revoked key", said["revoked API key"], ask(GIVEN["prompt"])),
            ("admin token", said["admin token"], ask(GIVEN["prompt"])),
            ("unknown model", said["API key"], ask(GIVEN["prompt"]) | {"model": "none"}),
        ):
            path = "/v1/chat/completions"
            raw = self.gateway.raw(encode("POST", path, body, key=key, headers=headers))
            assert not raw.startswith(b"HTTP/1.1 200"), name
            self.places[f"call: {name}"] = raw
            self.failures += 1

    def fail_the_admin_api(self):
        v1, login = "/admin/v1", "/admin/v1/session"
        for name in ("wrong admin token", "malformed admin token", "wrong API key", "API key"):
            token = self.secrets[name]
            self.fails(f"{name} as token", self.ask("GET", f"{v1}/keys", token=token), 401)
        for name in ("wrong admin token", "API key", "revoked admin token", "gateway secret"):
            body = {"token": self.secrets[name]}
            self.fails(f"login with {name}", self.ask("POST", login, body, token=""), 401)
        bad = self.ask("POST", login, {"token": GIVEN["wrong admin token"]}, token="")
        self.fails("one login more", bad, 401)
        slow = self.ask("POST", login, {"token": self.secrets["admin token"]}, token="")
        self.fails("throttled login", slow, 429)
        self.fails("query", self.ask("GET", f"{v1}/keys?token={GIVEN['weak secret']}"), 400)
        self.fails("broken body", self.ask("POST", f"{v1}/accounts", self.broken()), 400)
        near = {"name": "x", "dialect": "openai", "base_url": "https://127.0.0.2/v1"}
        user = f"https://user:{GIVEN['password in a URL']}@127.0.0.2/v1"
        for field, value in (
            ("credential", GIVEN["refused credential"] + "\n"),
            ("base_url", user),
            ("key_env", GIVEN["sealed credential"]),
            ("credentials", GIVEN["sealed credential"]),
            ("weight", GIVEN["sealed credential"]),
            ("models", [GIVEN["sealed credential"]]),
            ("dialect", GIVEN["sealed credential"]),
            ("name", GIVEN["sealed credential"].upper()),
        ):
            answer = self.ask("POST", f"{v1}/accounts", {**near, field: value})
            self.fails(f"account with {field}", answer, 400)
        self.fails("crash", self.ask("GET", f"{v1}/tenants/crash-please"), 500)
        upgrade = {
            "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13",
            "sec-websocket-key": "x" * 22 + "==", "origin": f"http://127.0.0.1:{self.port}",
        }  # fmt: skip
        socket = "/_nicegui_ws/socket.io/?crash-please"
        self.fails("crash of a socket", self.ask("GET", socket, headers=upgrade.items()), 500)
        self.fails("no such key", self.ask("GET", f"{v1}/keys/{self.secrets['API key']}"), 404)
        self.fails("no such route", self.ask("GET", f"/admin/{self.secrets['API key']}"), 404)

    def broken(self):
        return b'{"credential": "%b", ' % GIVEN["sealed credential"].encode()

    def lose_the_books(self):
        """Put what is no file in the ledger's place, and then the ledger back."""
        book, aside = self.home / "ledger.db", self.home / "aside"
        book.rename(aside)
        book.mkdir()
        try:
            self.fails("no ledger", self.ask("GET", "/admin/v1/usage"), 503)
            self.fails("no ledger, call", self.ask("GET", f"/admin/v1/calls/{self.call_id}"), 503)
            self.command("explain of no ledger", "explain", self.call_id, fails=True)
        finally:
            book.rmdir()
            aside.rename(book)

    def list_all(self):
        """Ask for everything that the admin API lists or shows."""
        document = self.ask("GET", "/admin/openapi.json").json
        for path, methods in document["paths"].items():
            if "get" in methods and "{" not in path:
                more = "?limit=200" if _has_limit(methods["get"]) else ""
                answer = self.ask("GET", path + more)
                assert answer.status == 200, (path, answer.body)
                self.places[f"list: {path}"] = answer.body
        keys = json.loads(self.places["list: /admin/v1/keys"])["items"]
        self.key_id = next(each["id"] for each in keys if each["name"] == "API key")
        for path in (f"keys/{self.key_id}", "accounts/sealed", f"calls/{self.call_id}"):
            self.places[f"one: {path}"] = self.ask("GET", f"/admin/v1/{path}").body

    def look(self, browser):
        """Open every page, in a browser that keeps what came."""
        url = f"http://127.0.0.1:{self.port}"
        with Tab(browser, url) as tab:
            self.fail_to_log_in(tab)
            self.look_around(tab)

    def look_around(self, tab):
        token = self.ask("POST", "/admin/v1/tokens", {"name": "looker", "role": "admin"}).json
        tab.log_in(token["token"])
        for path in PAGES:
            where = path.replace("KEY", self.key_id).replace("CALL", self.call_id)
            source = tab.page.goto(tab.url + where).body()
            if path == "/":
                tab.see("Gateway ready")  # came over the WebSocket
            tab.page.wait_for_timeout(400)
            shown = tab.page.content() + tab.page.inner_text("body")
            self.places[f"page: {path}"] = source + shown.encode()
        self.places["frames"] = b"".join(tab.frames)
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as wire:
            cookie = tab.context.cookies()
            text = "; ".join(f"{each['name']}={each['value']}" for each in cookie)
            wire.request("GET", "/export/usage.csv?by=key,model", headers={"cookie": text})
            self.places["export"] = wire.getresponse().read()
            wire.request("GET", "/login?next=/keys&why=ended")
            self.places["login"] = wire.getresponse().read()

    def fail_to_log_in(self, tab):
        tab.page.goto(f"{tab.url}/login?next=/keys")
        tab.page.fill("#token", GIVEN["wrong admin token"])
        tab.page.click("button[type=submit]")
        tab.page.wait_for_timeout(500)
        self.places["page: failed login"] = tab.page.content().encode()
        self.places["console of a failed login"] = repr(tab.wrong).encode()
        self.failures += 1

    def commands(self):
        """Run every command that shows something, and commands that fail over a secret."""
        for words in (
            "keys list --all --json", "keys list", "accounts list --json", "accounts list",
            "accounts show sealed --json", "accounts show sealed", "audit --limit 1000 --json",
            "audit", "admin tokens list --all --json", "admin sessions list --json",
            "config show --json", "config show", "config check", "usage --json", "db check --json",
            "ledger verify --json", "top --once --json", "tenants list --json", "models list",
        ):  # fmt: skip
            self.command(words, *words.split())
        self.command("explain", "explain", self.call_id)
        self.command("explain --json", "explain", self.call_id, "--json")
        for words in ("doctor", "doctor --json"):
            self.command(words, *words.split(), fails=None)  # as this machine is
        add = ("accounts", "add", "x", "--dialect", "openai", "--base-url")
        far, fails = "https://127.0.0.2/v1", {"fails": True}
        user = f"https://user:{GIVEN['password in a URL']}@127.0.0.2/v1"
        self.command("add with a user", *add, user, "--key-env", "UPSTREAM_KEY", **fails)
        self.command("secret as VAR", *add, far, "--key-env", GIVEN["sealed credential"], **fails)
        bad = GIVEN["refused credential"] + "\nand more"
        self.command("bad credential", *add, far, "--key-stdin", text=bad, **fails)
        wrong = {"ARKWAY_API_KEY": GIVEN["wrong API key"]}
        self.command("chat", "chat", GIVEN["prompt"], env=wrong, **fails)
        odd = {"ARKWAY_API_KEY": GIVEN["wrong API key"] + "\x7f"}
        self.command("chat with odd key", "chat", GIVEN["prompt"], env=odd, **fails)

    def refuse_to_start(self):
        """Start, and start commands, with secrets that are wrong or in the wrong place."""
        fails = {"fails": True}
        weak = {SECRET_VARIABLE: GIVEN["weak secret"]}
        other = {SECRET_VARIABLE: GIVEN["another gateway secret"]}
        setting = {"ARKWAY_SERVER_PORT": GIVEN["secret as a setting"]}
        unknown = {"ARKWAY_LOG_LEVEL": GIVEN["secret as a setting"]}
        for words in ("serve", "control", "keys list", "db check"):
            for name, env in (("weak", weak), ("other", other)):
                self.command(f"{words}, {name} secret", *words.split(), env=env, **fails)
        for name, env in (("port", setting), ("level", unknown)):
            self.command(f"serve, secret as {name}", "serve", env=env, **fails)
            self.command(f"check, secret as {name}", "config", "check", env=env, **fails)
        secret = GIVEN["secret in the file"]
        for name, text in (
            ("unknown key", f'[server]\nsecret = "{secret}"\n'),
            ("unknown table", f'[secrets]\nx = "{secret}"\n'),
            ("wrong type", f'[server]\nport = "{secret}"\n'),
            ("syntax", f"[server]\nport = {secret}\n"),
            ("open text", f'[server]\nhost = "{secret}\n'),
            ("otlp", f'[telemetry]\notlp_endpoint = "http://user:{secret}@127.0.0.1"\n'),
            ("public url", f'[control]\npublic_url = "http://user:{secret}@127.0.0.1"\n'),
        ):
            file = self.home / "bad.toml"
            file.write_text(text)
            self.command(f"file, {name}", "serve", "--config", "bad.toml", **fails)
            self.command(f"file check, {name}", "config", "check", "--config", "bad.toml", **fails)
            file.unlink()

    def ports(self):
        for path in ("/metrics", "/status", "/readyz", "/none", "/crash-please"):
            with closing(http.client.HTTPConnection("127.0.0.1", self.gateway.ops_port)) as wire:
                wire.request("GET", path)
                self.places[f"ops {path}"] = wire.getresponse().read()

    def processes(self):
        """Look at what everybody on the machine may see of a process, and its children's own."""
        family = self.gateway.family()
        assert len(family) == 2, "the gateway, and its control process"
        lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in family]
        self.places["command lines"] = b"\n".join(lines)

    def end(self):
        """Stop it, and look at what it wrote."""
        self.gateway.process.terminate()
        self.gateway.wait_exit()
        self.places["stderr"] = self.gateway.stderr().encode()
        first = self.secrets["first admin token"]
        out = self.gateway.stdout()
        assert out.count(first) == 1, "it is printed once"
        self.places["stdout"] = out.replace(first, "").encode()
        self.places["spans and metrics"] = b"".join(self.collector.bodies)
        for database in self.home.glob("*.db"):
            with closing(sqlite3.connect(database)) as opened:
                self.places[f"dump of {database.name}"] = "\n".join(opened.iterdump()).encode()
        kept = ("first-admin-token", "arkway.toml")
        for file in self.home.rglob("*"):
            if file.is_file() and file.name not in kept:
                text = file.read_bytes()
                text = text.replace(first.encode(), b"") if file.name == "stdout.log" else text
                self.places[f"bytes of {file.name}"] = text
        self.gateway.spawn().wait_ready()


def in_process(home, env, arguments, text):
    """Run a command in this process; return its status, and what it printed."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with (
        patch.dict(os.environ, env, clear=True),
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()))),
        contextlib.chdir(home),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        status = main(arguments)
    out.flush()
    return status, out.buffer.getvalue()


def _has_limit(operation):
    return any(each["name"] == "limit" for each in operation.get("parameters", ()))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    needed()
    with ExitStack() as stack:
        run = Run(stack, tmp_path_factory.mktemp("site"))
        run.make()
        run.call()
        run.end_session()
        run.list_all()
        with chromium() as browser:
            run.look(browser)
        run.lose_the_books()
        run.fail_the_admin_api()
        run.commands()
        run.refuse_to_start()
        run.ports()
        run.processes()
        run.end()
        yield run


@pytest.mark.parametrize("kind", [*GIVEN, *MADE])
def test_a_secret_is_nowhere(run, kind):
    assert found(run.secrets[kind], run.places) == []


def test_enough_failed_and_everything_that_was_searched_says_something(run):
    assert run.failures >= 60
    signs = {
        "page: /keys": b"rotated API key", "page: /keys/KEY": b"API key",
        "frames": b"Gateway ready",
        "page: /accounts": b"sealed", "page: /calls/CALL": run.call_id.encode(),
        "page: /audit": b"rotate", "page: /settings": b"otlp_endpoint", "page: /access": b"looker",
        "page: failed login": b"mistyped, revoked or expired", "export": b"API key",
        "answer: crash": b"internal_error", "call: crash": b"500",
        "answer: account with credential": b"credential",
        "list: /admin/v1/accounts": b"sealed", "list: /admin/v1/audit": b"store (new)",
        f"one: calls/{run.call_id}": b"story", "command: doctor": b"account-0",
        "command: accounts show sealed --json": b"sealed", "command: explain": b"attempt 1",
        "command: config show --json": b"otlp_endpoint", "command: audit": b"revoke",
        "command: serve, weak secret": b"ARKWAY_SECRET_KEY", "command: file, syntax": b"bad.toml",
        "command: bad credential": b"credential", "stderr": b"control_error", "stdout": b"is ready",
        "spans and metrics": b"account-", "dump of store.db": b"rotated API key",
        "dump of ledger.db": b"account-", "ops /metrics": b"arkway_", "ops /status": b"account-",
        "command lines": b"arkway.runtime.control_io",
    }  # fmt: skip
    assert [place for place, sign in signs.items() if sign not in run.places[place]] == []
    said = [json.loads(line) for line in run.places["stderr"].splitlines()]
    crashed = [line["event"] for line in said if line.get("kind") == "RuntimeError"]
    assert sorted(crashed) == ["control_error", "internal_error", "unhandled", "unhandled"]


@pytest.mark.parametrize("kind", ["sealed credential", "API key", "refused credential"])
def test_a_secret_would_be_found_however_it_was_written(run, kind):
    secret = run.secrets[kind]
    for text in (
        secret.encode(),
        b"x" + base64.b64encode(f"user:{secret}".encode()),
        base64.urlsafe_b64encode(f"ab{secret}cd".encode()),
        secret.encode().hex().encode(),
    ):
        assert found(secret, {**run.places, "here": b"<" + text + b">"}) == ["here"]
