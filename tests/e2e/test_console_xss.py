"""Whatever people and upstreams write is shown as text: on every page, in a real browser.

All forty strings go into every field of the admin API that takes a text (which fields those are is
read from its shapes), into calls and their headers, into addresses, and into what upstreams say.
Then every page is opened, and so are its dialogs. A script that runs opens an `alert`, which the
tab notes; an element that a string has made is found by `support.xss.born`.
"""

import json
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

import arkway.console
from arkway.control.admin.operations import OPERATIONS
from arkway.store.schema import fields_of
from support.answers import whole
from support.browser import Tab, chromium, needed
from support.control import admin_ask, wait_admin
from support.gateway import KEY, MODEL, Gateway, ask, free_port
from support.policies import CONTROL, Policy
from support.upstream import Upstream
from support.xss import STRINGS, born

pytestmark = pytest.mark.slow
# Fields that take any text by their shape, and where the strings in them come to be shown.
PLANTED = {
    "create_tenant.name", "create_key.name", "create_key.tenant", "create_key.models",
    "create_account.base_url", "create_account.models", "create_account.ca_file",
    "create_account.model_limits", "create_model.name", "create_model.upstream_model",
    "create_model.aliases", "set_price.model", "create_token.name",
    "edit_key.name", "edit_key.tenant", "edit_key.models", "edit_account.base_url",
    "edit_account.models", "edit_account.ca_file", "edit_account.model_limits",
    "edit_model.upstream_model", "edit_model.aliases",
}  # fmt: skip
# Fields that take any text by their shape, and refuse it by their meaning.
REFUSED = {
    "create_key.expires", "create_key.budget", "edit_key.expires", "edit_key.budget",
    "set_price.input", "set_price.output", "set_price.cached_input", "set_price.cache_creation",
    "create_token.expires", "begin_session.token", "test_account.model",
}  # fmt: skip
NEVER_SHOWN = {"create_account.credential", "edit_account.credential"}
PAGES = [route.removeprefix("GET ") for route, each in CONTROL.items() if each is Policy.PAGE]
OWN_PAGES = [path for path in PAGES if "{" not in path and not path.startswith("/export")]
SHAPES = (lambda t: t, lambda t: [t], lambda t: {t: "x"}, lambda t: {"m": t}, lambda t: {t: {}})
CONSOLE = Path(arkway.console.__file__).parent
FAR = "https://127.0.0.2:9/v1"


def takes_text(field):
    return not field.choices and any(field.accepts(make(t)) for t in STRINGS for make in SHAPES)


class Place:
    """A gateway in which everything that can be named has the forty strings for names."""

    def __init__(self, stack):
        self.port, self.url = free_port(), ""
        self.url = f"http://127.0.0.1:{self.port}"
        self.upstream = stack.enter_context(Upstream(1))
        account = {"name": "good", "dialect": "openai", "base_url": self.upstream.base_url(0)}
        settings = {
            "accounts": [account],
            "control": {"port": self.port},
            "telemetry": {"service_name": STRINGS[0]},
            "routing": {"failures_in_a_row": 1000, "failure_share": 1.0, "retries_per_s": 1000},
        }
        self.gateway = stack.enter_context(Gateway(settings))
        wait_admin(self.port, self.gateway.is_running)
        self.token = (self.gateway.home / "first-admin-token").read_text().strip()
        self.keys = [self.plant(text) for text in STRINGS]
        self.edit()
        self.calls = [call for at in range(len(STRINGS)) for call in self.call(at)]
        self.browser = stack.enter_context(chromium())

    def admin(self, method, path, body=None, token=None, wanted=(200, 201)):
        status, answer = admin_ask(
            self.port, method, f"/admin/v1/{path}", token or self.token, body
        )
        assert status in wanted, (path, body, answer)
        return answer

    def plant(self, text):
        """Make one of everything with this string in every field that takes it."""
        token = self.admin("POST", "tokens", {"name": text, "role": "operator"})["token"]
        self.admin("POST", "tenants", {"name": text}, token)  # the audit log has it as an actor
        model = {"context_tokens": 9999, "max_output_tokens": 100}
        names = {"name": text, "upstream_model": text, "aliases": [f"a {text}"]}
        self.admin("POST", "models", {**model, **names})
        self.admin("POST", "prices", {"model": text, "input": "1", "output": "2"})
        number = STRINGS.index(text)
        listed = {
            "models": {text: text}, "model_limits": {text: {"in_flight": 3}}, "ca_file": text,
            "name": f"a{number}", "dialect": "openai", "enabled": False, "credential": "none",
        }  # fmt: skip
        address = f"https://127.0.0.2:9/{text}"
        path = quote(text, safe="<>=()'\"/;:&{}$`!@,")
        for base_url in (address, f"https://127.0.0.2:9/{path}"):
            body = {**listed, "base_url": base_url}
            status, answer = admin_ask(self.port, "POST", "/admin/v1/accounts", self.token, body)
            if status == 201:
                break
        assert status == 201, answer
        key = {"name": text, "tenant": text, "models": [text]}
        return self.admin("POST", "keys", key, token)

    def edit(self):
        """Change everything to the string after its own, so that the audit log has a diff."""
        for number, (key, text) in enumerate(zip(self.keys, STRINGS, strict=True)):
            other = STRINGS[number - 1]
            self.admin("PATCH", f"keys/{key['id']}", {"name": f"k {text}"[:128], "tenant": other})
            models = {"models": {other: text}, "model_limits": {other: {"in_flight": 2}}}
            body = {"ca_file": f"/x{text}", "base_url": FAR + "/<b>'\"", **models}
            self.admin("PATCH", f"accounts/a{number}", body)
            path = f"models/{quote(text, safe='')}"
            self.admin("PATCH", path, {"upstream_model": f"u {text}", "aliases": [f"b {text}"]})

    def call(self, number):
        """Call the model that a string names, well and badly; return the calls' ids."""
        text, key = STRINGS[number], self.keys[number]["key"]
        said = {"error": {"message": text, "code": text, "type": text, "param": text}}
        answers = ([], [whole(400, said)], [whole(500, said)] * 3)
        ends_s = time.monotonic() + 5
        while self.gateway.call("GET", "/v1/models", key=key).status != 200:
            assert time.monotonic() < ends_s
            time.sleep(0.02)
        named = self.gateway.post(ask(text), key=KEY, headers=[("X-Conversation-Id", text)])
        assert named.status == 200 or named.error["param"] == "X-Conversation-Id"
        found = []
        for at, answer in enumerate(answers):
            script = [lambda _, step=step: [step] for step in answer]
            prompt = self.upstream.plan(*script) if script else f"{text} {at}"
            headers = [(name, text) for name in ("X-Client-Request-Id", "User-Agent", "Referer")]
            body = ask(prompt, user=text) | {"model": text}
            came = self.gateway.post(body, key=key, headers=headers)
            assert came.header("content-type") == "application/json"
            assert (came.status == 200) is (at == 0), came
            found.append(came.header("x-request-id"))
        return found

    def tab(self):
        return Tab(self.browser, self.url).log_in(self.token)


@pytest.fixture(scope="module")
def place():
    needed()
    with ExitStack() as stack:
        yield Place(stack)


def shown(page):
    """Return what a page shows: its text, and what its fields hold."""
    fields = "() => [...document.querySelectorAll('input, textarea, option')]"
    held = page.evaluate(f"{fields}.map((e) => e.value + ' ' + e.text).join(' ')")
    return " ".join((page.inner_text("body") + " " + held).split())


def missing(page, make=str):
    text = shown(page)
    return [each for each in STRINGS if " ".join(make(each).split()) not in text]


def clean(tab, path):
    """Hold that nothing ran, nothing was made, and nobody else was asked."""
    assert born(tab.page) == [], path
    assert tab.wrong == [], path


def test_every_field_that_takes_a_text_is_tried():
    found = {
        f"{each.name}.{name}"
        for each in OPERATIONS
        if each.body is not None
        for name, field in fields_of(each.body).items()
        if takes_text(field)
    }

    assert found == PLANTED | REFUSED | NEVER_SHOWN


def test_what_a_field_refuses_is_told_as_json(place):
    model = {"model": MODEL, "input": "1", "output": "1"}
    bodies = {"keys": {"name": "x"}, "prices": model, "tokens": {"name": "x"}, "session": {}}
    paths = {"create_key": "keys", "set_price": "prices", "create_token": "tokens"}
    for name in sorted(REFUSED):
        operation, _, field = name.partition(".")
        if operation not in paths:
            continue  # an edit is refused as the making is; the login has its own limit
        for text in STRINGS:
            body = {**bodies[paths[operation]], field: text}
            place.admin("POST", paths[operation], body, wanted=(400,))


def test_the_strings_run_where_they_are_not_text(place):
    """The detector: each string, put into one place or another of a page of ours, is noticed."""
    sinks = """(text) => {
      const put = (markup) => {
        document.body.appendChild(document.createElement("div")).innerHTML = markup;
      };
      const area = document.createElement("textarea");
      area.innerHTML = text;
      const whole = new DOMParser().parseFromString(text, "text/html");
      const filled = /^{{(.*)}}$/.exec(text);
      const tries = [
        () => put(`<p>${text}</p>`),
        () => put(`<input title="${text}">`),
        () => put(`<input title='${text}'>`),
        () => put(area.value),
        () => put(`<a href="${text}">x</a>`),
        () => { for (const { name, value } of whole.body.attributes)
                  document.body.setAttribute(name, value); },
        () => { new Function("let x = `" + text + "`")(); },
        () => { if (text.startsWith(":")) new Function("return " + text.split("=")[1])(); },
        () => { if (filled) new Function("constructor", "return " + filled[1])(Object); },
      ];
      for (const one of tries) { try { one(); } catch {} }
    }"""
    unnoticed = []
    with Tab(place.browser, place.url) as tab:
        for text in STRINGS:
            page = tab.context.new_page()
            page.goto(f"{place.url}/login")
            page.evaluate(f"(text) => {{ ({sinks})(text); }}", text)
            page.wait_for_timeout(50)
            if not any("a script ran" in each for each in tab.wrong) and not born(page):
                unnoticed.append(text)
            page.close()
            tab.wrong.clear()
    assert unnoticed == [], "\n".join(unnoticed)


def test_every_page_shows_them_as_text(place):
    full = {
        "/keys": lambda text: f"k {text}",
        "/models": lambda text: f"b {text}",
        "/access": str,
        "/usage": str,
        "/calls": str,
        "/playground": str,
    }
    with place.tab() as tab:
        for path in OWN_PAGES:
            page = tab.open(path)
            page.wait_for_timeout(400)
            clean(tab, path)
            if path in full:
                assert missing(page, full[path]) == [], path
        tab.open("/accounts")
        assert missing(tab.page, lambda text: f"/x{text}") == [] or "a39" in shown(tab.page)
        for query in ("by=key,model", "by=tenant,key", "by=account,model", "by=day,model"):
            page = tab.open(f"/usage?{query}")
            chart = page.locator(".chart").first.bounding_box()
            for part in (0.3, 0.6, 0.98):  # its tooltip is made as the pointer comes
                page.mouse.move(chart["x"] + chart["width"] * part, chart["y"] + 60)
                page.wait_for_timeout(60)
            clean(tab, query)
        for noun in ("key", "account", "model", "price", "tenant", "admin token"):
            tab.open(f"/audit?{urlencode({'noun': noun})}").wait_for_timeout(200)
            clean(tab, noun)


def test_each_key_and_call_has_a_page_of_text(place):
    with place.tab() as tab:
        for key, text in zip(place.keys, STRINGS, strict=True):
            page = tab.open(f"/keys/{key['id']}")
            assert " ".join(f"k {text}".split()) in shown(page)
            clean(tab, text)
        for number, call in enumerate(place.calls):
            if number % 3 != number // 3 % 3:
                continue  # of each string's three calls one, of each kind a third
            tab.open(f"/calls/{call}")
            clean(tab, call)


def test_dialogs_and_notices_hold_text(place):
    with place.tab() as tab:
        for path, label in (
            ("/keys", "Edit: k {}"), ("/models", "Edit: {}"), ("/accounts", "Edit: a{n}"),
        ):  # fmt: skip
            page = tab.open(path)
            for number in (0, 2, 14, 31, 33):
                name = label.format(STRINGS[number], n=number)
                tab.button(name)
                page.wait_for_selector("dialog[open]")
                clean(tab, name)
                page.keyboard.press("Escape")
                page.wait_for_selector("dialog", state="detached")
        page = tab.open("/keys")
        for text in STRINGS[::4]:
            tab.button("Create a key")
            tab.fill("Name", f"k {text}", "dialog")
            tab.button("Create a key", "dialog")
            page.get_by_text("exists already").first.wait_for()
            clean(tab, text)
            page.keyboard.press("Escape")
            page.wait_for_selector("dialog", state="detached")


def test_nothing_in_the_console_makes_markup_of_a_text():
    """Notices, too, which a page that goes on may take away before a browser test has seen them."""
    makers = (
        "ui.html", "ui.markdown", "html=", "sanitize=",
        "v-html", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
    )  # fmt: skip
    files = [each for each in CONSOLE.rglob("*") if each.suffix in (".py", ".js", ".html")]
    found = [(each.name, maker) for each in files for maker in makers if maker in each.read_text()]

    assert len(files) > 40
    assert found == []


def test_the_playground_shows_answers_and_errors_as_text(place):
    with place.tab() as tab:
        page = tab.open("/playground")
        tab.fill("API key", place.keys[0]["key"])
        page.get_by_label("Model", exact=True).first.select_option(STRINGS[0])
        box = page.get_by_label("Message (Ctrl+Enter sends)")
        for turn, text in enumerate(STRINGS):
            box.fill(text)
            box.press("Control+Enter")
            page.get_by_text("affinity:").nth(turn).wait_for()  # the answer is whole
            assert box.input_value() == ""
        said = shown(page)
        assert [text for text in STRINGS if " ".join(f"echo: {text}".split()) not in said] == []
        for text in STRINGS[::4]:
            bad = {"error": {"message": text, "code": text}}
            box.fill(place.upstream.plan(lambda _, bad=bad: [whole(400, bad)]))
            errors = page.locator(".turn.error").count()
            box.press("Control+Enter")
            page.locator(".turn.error").nth(errors).wait_for()
        clean(tab, "playground")


def test_addresses_and_cookies_hold_text(place):
    names = ("name", "tenant", "key", "model", "account", "code", "id", "noun", "action", "actor")
    with place.tab() as tab:
        for text in STRINGS:
            here = urlencode(dict.fromkeys(names, text))
            ask_ = urlencode({"q": f"rotate {text} key", "ask": f"How is a key rotated {text}?"})
            name = quote(text, safe="")
            paths = [f"/docs/search?{ask_}", f"/docs/keys_and_budgets.md?{ask_}", f"/docs/{name}"]
            if text in STRINGS[::4]:
                paths += [f"/keys?{here}", f"/calls?{here}", f"/{name}", f"/keys/{name}"]
            for path in paths:
                tab.page.goto(place.url + path)
                assert born(tab.page) == [], path
        for path in ("/audit", "/usage", "/models", "/accounts", "/playground", "/lab"):
            for text in STRINGS[::5]:
                tab.page.goto(f"{place.url}{path}?{urlencode(dict.fromkeys(names, text))}")
                assert born(tab.page) == [], path
        assert [each for each in tab.wrong if "status of 404" not in each] == []
    for text in STRINGS[::3]:
        with Tab(place.browser, place.url, quote(text, safe="")) as tab:
            query = urlencode({"next": f"/{text}", "why": text})
            tab.page.goto(f"{place.url}/login?{query}")
            clean(tab, text)


def test_what_callers_are_told_is_json_that_no_browser_runs(place):
    for text in STRINGS:
        body = ask("x") | {"model": text, "messages": [{"role": text, "content": "x"}], text: 1}
        for answer in (
            place.gateway.post(body, key=place.keys[0]["key"]),
            place.gateway.call("GET", f"/v1/{quote(text, safe='')}"),
        ):
            assert answer.header("content-type") == "application/json"
            assert "error" in json.loads(answer.body)
