"""The console in a real browser: log in, run the gateway, see what it did, and nothing else."""

import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from support.answers import fail, reply
from support.browser import AXE, Tab, chromium, needed
from support.control import admin_ask, wait_admin
from support.gateway import KEY, MODEL, Gateway, ask, free_port
from support.upstream import Upstream

pytestmark = pytest.mark.slow
PAGES = (
    "/", "/accounts", "/keys", "/usage", "/calls", "/models", "/audit", "/playground", "/lab",
    "/settings", "/access",
)  # fmt: skip
PRICE = {"input": "100", "cached_input": "20", "output": "200"}


class Place:
    """A gateway with its console, and a browser."""

    def __init__(self, stack):
        self.port = free_port()
        self.upstream = stack.enter_context(Upstream(2))
        account = {"name": "first", "dialect": "openai", "base_url": self.upstream.base_url(0)}
        settings = {
            "accounts": [account], "control": {"port": self.port}, "prices": {MODEL: PRICE}
        }  # fmt: skip
        self.gateway = stack.enter_context(Gateway(settings))
        wait_admin(self.port, self.gateway.is_running)
        self.token = (self.gateway.home / "first-admin-token").read_text().strip()
        self.browser = stack.enter_context(chromium())
        self.url = f"http://127.0.0.1:{self.port}"

    def admin(self, method, path, body=None):
        return admin_ask(self.port, method, f"/admin/v1/{path}", self.token, body)

    @property
    def tested(self):
        """Return the attempts that are booked to operators, and how many of them are settled."""
        lines = self.admin("GET", "usage?by=tenant")[1]["items"]
        booked = [line for line in lines if line["tenant"] == "@operator"]
        return tuple(sum(line[name] for line in booked) for name in ("attempts", "settled"))

    def tab(self, look="en.light", token=None):
        return Tab(self.browser, self.url, look).log_in(token or self.token)

    def call(self, key, prompt="Hello"):
        return self.gateway.post(ask(prompt), key=key)


@pytest.fixture(scope="module")
def place():
    needed()
    with ExitStack() as stack:
        yield Place(stack)


def within(seconds, holds):
    ends_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends_s, "it did not come"
        time.sleep(0.1)


def test_an_account_is_added(place):
    with place.tab() as tab:
        page = tab.open("/accounts")
        tab.button("Add an account")
        tab.fill("Name", "second", "dialog")
        tab.fill("Base URL", place.upstream.base_url(1), "dialog")
        page.locator("dialog").get_by_label("API", exact=True).select_option("openai")
        tab.fill("Calls at once", "8", "dialog")
        tab.button("Save", "dialog")
        tab.see("second was added.")
        assert place.admin("GET", "accounts/second")[1]["in_flight"] == 8
        assert tab.wrong == []


def test_an_account_is_tested(place):
    dead = {"name": "dead", "dialect": "openai", "base_url": f"http://127.0.0.1:{free_port()}",
            "is_draining": True}  # fmt: skip
    assert place.admin("POST", "accounts", dead)[0] == 201
    with place.tab() as tab:
        page = tab.open("/accounts")
        page.get_by_role("button", name="Test: first").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog[open]")
        page.get_by_label("Model", exact=True).press("Enter")  # a form is sent by its fields
        tab.button("Test", "dialog")
        tab.see("It answers")
        tab.see("21 input and 7 output tokens")
        if AXE.exists():
            assert tab.violations() == []
        asked = place.upstream.log[-1]
        assert (asked.account, asked.json["max_tokens"]) == (0, 1)
        page.get_by_role("link", name="Its story").click()
        tab.see("@operator")
        tab.see("Price arithmetic")

        tab.open("/accounts")
        tab.button("Test: dead")
        tab.button("Test", "dialog")
        tab.see("It could not be reached")
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")
        assert page.evaluate("() => document.activeElement.ariaLabel") == "Test: dead"
        assert tab.wrong == []
    within(5, lambda: place.tested == (2, 1))
    assert place.admin("DELETE", "accounts/dead")[0] == 200


def test_errors_are_counted_by_the_upstreams_code(place):
    limited = place.upstream.plan(fail(429, "RateLimitExceeded.EndpointRPMExceeded"), reply("ok"))
    place.call(KEY, limited)
    name = ("first", "second")[place.upstream.seen(limited)[0].account]
    with place.tab() as tab:
        page = tab.open("/accounts")
        row = page.get_by_role("row").filter(has_text="a limit of the account")
        row.first.wait_for()
        assert "RateLimitExceeded" in row.first.text_content()
        assert tab.wrong == []
    health = place.admin("GET", f"accounts/{name}/health")[1]
    assert [each["code"] for each in health["errors"]] == ["RateLimitExceeded"]


def test_a_key_is_made_used_limited_and_revoked(place, tmp_path):
    with place.tab() as tab:
        page = tab.open("/keys")
        tab.button("Create a key")
        tab.fill("Name", "shop", "dialog")
        tab.button("Create a key", "dialog")
        text = page.get_by_test_id("secret").text_content()
        tab.button("I have kept it")
        page.get_by_role("link", name="shop").first.wait_for()
        assert text not in page.content(), "it is shown once"

        tab.open("/calls")
        within(5, lambda: place.call(text).status == 200)
        row = page.get_by_role("row").filter(has_text="shop").filter(has_text="answered").first
        row.wait_for()  # it came by itself
        row.get_by_role("link").first.click()
        tab.see("Price arithmetic")
        story = page.locator("pre").first.text_content()
        assert "attempt 1 at account" in story
        assert "price    version" in story

        page = tab.open("/keys?name=shop")
        tab.button("Edit: shop")
        tab.fill("Budget, CNY", "0.01", "dialog")
        page.locator("dialog").get_by_label("Starts afresh").select_option("month")
        tab.button("Save", "dialog")
        tab.see("this month")
        within(10, lambda: place.call(text).status == 429)
        page.get_by_role("link", name="shop").first.click()
        tab.see("Budget left, CNY")

        tab.button("Revoke")
        tab.button("Revoke", "dialog")
        tab.see("Revoked ·")
        within(5, lambda: place.call(text).status == 401)

        tab.open("/usage?range=today&by=key,model")
        with page.expect_download() as download:
            page.get_by_role("link", name="Export as CSV").click()
        download.value.save_as(tmp_path / "usage.csv")
        head, *lines = (tmp_path / "usage.csv").read_text().splitlines()
        assert head.startswith("day,model,key,")
        assert any(",shop," in line and line.count(",") == head.count(",") for line in lines)

        tab.open("/audit?noun=key")
        tab.see("budget")
        assert tab.wrong == []


def test_what_was_done_is_said_on_the_page_that_opens_after_it(place):
    with place.tab() as tab:
        page = tab.open("/keys")
        page.evaluate("document.old = true")
        tab.button("Add a tenant")
        tab.fill("Name", "acme", "dialog")
        tab.button("Add a tenant", "dialog")
        page.wait_for_function("() => !document.old")
        tab.see("The tenant acme was added.")
        tab.open("/keys")
        page.wait_for_timeout(500)
        assert page.get_by_text("The tenant acme was added.").count() == 0
        assert tab.wrong == []


def test_the_overview_lives_and_asks_nothing_while_it_is_hidden(place):
    with place.tab() as tab:
        page = tab.open("/")
        assert place.call(KEY).status == 200
        page.get_by_role("row").filter(has_text="answered").first.wait_for()
        tab.see("Gateway ready")
        assert tab.wrong == []


def test_a_message_that_failed_can_be_sent_again(place):
    with place.tab() as tab:
        page = tab.open("/playground")
        box = page.get_by_label("Message (Ctrl+Enter sends)")
        tab.fill("API key", "sk-nobody")
        box.fill("a long question ")
        box.press("Control+Enter")
        page.locator(".turn.error").wait_for()
        assert box.input_value() == "a long question "
        tab.fill("API key", KEY)
        box.press("Control+Enter")
        page.get_by_text("affinity:").wait_for()
        assert box.input_value() == ""


def test_the_playground_talks_in_turns(place):
    with place.tab() as tab:
        page = tab.open("/playground")
        tab.fill("API key", KEY)
        for turn, prompt in enumerate(("a first question", "a second question"), start=1):
            page.get_by_label("Message (Ctrl+Enter sends)").fill(prompt)
            page.get_by_label("Message (Ctrl+Enter sends)").press("Control+Enter")
            page.get_by_text(f"echo: {prompt}").wait_for()
            page.get_by_text("affinity:").nth(turn - 1).wait_for()
        asked = place.upstream.log[-1].json["messages"]
        assert [each["role"] for each in asked] == ["user", "assistant", "user"]
        tab.see("21 in, 5 cached, 7 out")
        tab.button("Python")
        tab.see('extra_headers={"X-Conversation-Id": "play-')
        assert KEY not in page.locator("pre").first.text_content()
        stored = page.evaluate("() => JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert KEY not in stored
        assert tab.wrong == []


@pytest.mark.parametrize(
    ("look", "title", "tag"), [("en.light", "Overview", "en"), ("zh.dark", "概览", "zh-CN")]
)
def test_pages_are_there_in_both_languages_and_can_be_used_by_everybody(place, look, title, tag):
    if not AXE.exists():
        pytest.skip("axe-core was not fetched: `make test` does, with npm")
    with place.tab(look) as tab:
        assert tab.open("/").locator("h1").text_content() == title
        assert tab.page.evaluate("() => document.documentElement.lang") == tag
        found = []
        for path in PAGES:
            tab.open(path).wait_for_timeout(200)
            found += [f"{path} {each}" for each in tab.violations()]
        assert found == []
        assert tab.wrong == []


BEYOND = """() => [
  document.documentElement, ...document.querySelectorAll("main .scroll, .login form")
].map((each) => each.scrollWidth - each.clientWidth)"""


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_pages_and_their_tables_fit_a_telephone_a_tablet_and_a_laptop(place, width):
    assert place.call(KEY, "for a line of every table").status == 200
    with place.tab() as tab:
        tab.page.set_viewport_size({"width": width, "height": 844})
        found = {path: max(tab.open(path).evaluate(BEYOND)) for path in PAGES}
        tab.page.goto(f"{place.url}/login")
        found["/login"] = max(tab.page.evaluate(BEYOND))
        assert {path: more for path, more in found.items() if more > 0} == {}
        assert tab.wrong == []


def test_a_form_that_is_refused_shows_where_it_is_wrong(place):
    with place.tab() as tab:
        tab.page.set_viewport_size({"width": 390, "height": 700})
        page = tab.open("/keys")
        tab.button("Create a key")
        page.locator("dialog button[type=submit]").click()  # below the fold: the page scrolls there
        page.get_by_text("must be a string, 1 to 128 characters").wait_for()
        name = page.get_by_role("dialog").get_by_label("Name")
        page.wait_for_function("it => it === document.activeElement", arg=name.element_handle())
        assert 0 <= name.bounding_box()["y"] < 700
        assert tab.wrong == []


def test_what_is_not_there_leads_on(place):
    with place.tab() as tab:
        page = tab.open("/keys/key_none")
        page.locator("main .empty a").click()
        page.wait_for_url(f"{place.url}/")
        assert tab.wrong == []


def test_the_lab_simulates_this_gateways_own_calls(place):
    command = [sys.executable, "-m", "arkway", "simulate", "--help"]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("this arkway has no `simulate`")
    for number in range(4):
        assert place.call(KEY, f"question {number}").status == 200
    with place.tab() as tab:
        page = tab.open("/lab")
        tab.fill("Numbers of accounts", "1, 2")
        tab.button("Run")
        page.get_by_text("Done: 2 runs.").wait_for(timeout=40_000)
        assert page.get_by_role("row").filter(has_text="Elastic").count() == 2
        assert tab.wrong == []


def test_a_trace_is_taken_from_the_page_that_asked_for_it(place):
    with place.tab() as tab:
        page = tab.open("/lab")
        trace = {"name": "trace.jsonl", "mimeType": "text/plain", "buffer": b"{}\n"}
        page.locator("input[type=file]").set_input_files(trace)
        page.get_by_text("It is here. Choose it as the traffic").wait_for()
        assert tab.wrong == []


def test_a_viewer_sees_and_cannot_act(place):
    _, made = place.admin("POST", "tokens", {"name": "looker", "role": "viewer"})
    with place.tab(token=made["token"]) as tab:
        page = tab.open("/keys")
        tab.see("You may look, and change nothing")
        assert page.get_by_role("button", name="Create a key").count() == 0
        tab.open("/access")
        tab.see("For admins.")
        assert tab.wrong == []
        place.admin("DELETE", f"tokens/{made['id']}")
        page.goto(f"{place.url}/keys")
        page.wait_for_selector("#token")  # it has to log in again


def test_a_session_that_ends_takes_its_page_to_the_login(place):
    _, made = place.admin("POST", "tokens", {"name": "leaver", "role": "operator"})
    with place.tab(token=made["token"]) as tab:
        page = tab.open("/keys")
        place.admin("DELETE", f"tokens/{made['id']}")
        # By this press, or by itself just before it.
        page.evaluate("() => document.querySelector('main button.main-act')?.click()")
        page.wait_for_selector("#token")
        tab.see("Your session has ended.")


def test_language_is_switched_and_remembered(place):
    with place.tab() as tab:
        page = tab.open("/keys")
        tab.button("简体中文")
        page.get_by_role("heading", name="密钥", level=1).wait_for()
        tab.open("/usage")
        tab.see("用量")
        assert tab.wrong == []


def test_the_keyboard_reaches_the_content_and_closes_dialogs(place):
    with place.tab() as tab:
        page = tab.open("/keys")
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Create a key").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog[open]")
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")
        assert tab.wrong == []
