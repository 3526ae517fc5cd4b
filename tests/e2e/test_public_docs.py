"""Does the public port serve the documentation, if and only if it is told to, and nothing else?"""

import pytest

from support import browser
from support.gateway import Gateway
from support.httpraw import Connection, request

pytestmark = [pytest.mark.slow, pytest.mark.e2e]
ACCOUNT = {
    "name": "nowhere",
    "dialect": "openai",
    "base_url": "http://127.0.0.1:9/v1",
    "key_env": "UPSTREAM_KEY",
}
ASK = "/docs/keys_and_budgets.md?ask=How+do+I+rotate+a+key%3F"


@pytest.fixture(scope="module")
def gateway():
    with Gateway({"accounts": [ACCOUNT], "server": {"docs": True}}) as gateway:
        yield gateway
        assert gateway.unhandled() == ""


def read(gateway, path, method="GET", **headers):
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return gateway.call(method, path, key=None, headers=named)


@pytest.mark.parametrize(
    ("path", "kind", "part"),
    [
        ("/docs/", "text/html; charset=utf-8", b"<h1"),
        ("/docs/api", "text/html; charset=utf-8", b"Chat completions"),
        ("/docs/adr/", "text/html; charset=utf-8", b"<h1"),
        ("/docs/api.md", "text/markdown; charset=utf-8", b"# Chat completions"),
        ("/docs/llms.txt", "text/plain; charset=utf-8", b"(api.md)"),
        ("/docs/llms-full.txt", "text/plain; charset=utf-8", b"<!-- api.md -->"),
        ("/docs/openapi.json", "application/json", b'"/v1/chat/completions"'),
        ("/docs/images/keys-en-light.png", "image/png", b"PNG"),
        ("/docs/search?q=rotate+a+key", "text/html; charset=utf-8", b"rotate-a-key"),
        (ASK, "text/markdown; charset=utf-8", b"arkway keys rotate"),
    ],
)
def test_it_is_read_without_a_key(gateway, path, kind, part):
    for _ in range(2):  # made, then kept
        found = read(gateway, path)

        assert (found.status, found.header("content-type")) == (200, kind)
        assert part in found.body
        assert found.header("content-security-policy").startswith("default-src 'none'")
        assert found.header("x-content-type-options") == "nosniff"
        assert found.header("x-request-id")


def test_markdown_and_json_for_who_asks_for_them(gateway):
    assert read(gateway, "/docs/api", accept="text/markdown").body.startswith(b"# Chat")
    assert read(gateway, "/docs/api", accept="text/html").body.startswith(b"<!doctype html>")
    answer = read(gateway, ASK, accept="application/json").json()

    assert (answer["found"], answer["written_by"]) == (True, "extract")


def test_head_has_the_length_and_no_body(gateway):
    with Connection(gateway.port) as connection:  # both on one connection: nothing is left over
        for path in ("/docs/api", "/docs/llms-full.txt", "/docs/images/keys-en-light.png"):
            connection.send(request("HEAD", path))
            head = connection.read_response(method="HEAD")
            connection.send(request("GET", path))
            whole = connection.read_response()

            assert (head.status, whole.status) == (200, 200)
            assert head.header("content-length") == str(len(whole.body))
            assert head.header("etag") == whole.header("etag")


def test_what_the_reader_has_is_not_sent_again(gateway):
    etag = read(gateway, "/docs/api").header("etag")
    with Connection(gateway.port) as connection:
        connection.send(request("GET", "/docs/api", [("If-None-Match", etag)]))
        again = connection.read_response()
        connection.send(request("GET", "/docs/api", [("If-None-Match", '"other"')]))
        other = connection.read_response()

    assert (again.status, again.body, again.header("etag")) == (304, b"", etag)
    assert other.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/docs/nosuch",
        "/docs/../docs/api",
        "/docs/adr/../api",
        "/docs/%61pi",
        "/docs//api",
        "/docs/api/",
        "/docs/../../../../etc/passwd",
        "/docs/images/../api.md",
        "/docs/static/../docs.css",
        "/docs/static/x/y/docs.css",
    ],
)
def test_paths_match_byte_for_byte(gateway, path):
    found = read(gateway, path)

    assert found.status == 404
    assert b"There is no such page" in found.body


@pytest.mark.parametrize("path", ["/docsx", "/doc", "/Docs/", "//docs/", "/v1/docs/", "/", "/api"])
def test_other_addresses_are_unknown_as_ever(gateway, path):
    found = read(gateway, path)

    assert (found.status, found.error["code"]) == (404, "unknown_url")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_changed(gateway, method):
    found = read(gateway, "/docs/api", method)

    assert (found.status, found.error["code"]) == (405, "method_not_allowed")
    assert found.header("allow") == "GET, HEAD"


def test_the_contents_are_a_level_below(gateway):
    found = read(gateway, "/docs")

    assert (found.status, found.header("location")) == (307, "/docs/")


def test_the_api_itself_is_as_it_was(gateway):
    assert read(gateway, "/v1/models").error["code"] == "missing_api_key"
    assert gateway.call("GET", "/v1/models").status == 200
    assert gateway.call("HEAD", "/v1/models").status == 405
    assert gateway.call("GET", "/v1/chat/completions").header("allow") == "POST"


def test_who_asks_without_end_is_told_to_wait_and_others_are_not(gateway):
    words = "rotate+key+budget+limit+price+stream+cache+account+model+error"
    statuses = []
    with Connection(gateway.port) as connection:
        for number in range(400):
            connection.send(request("GET", f"/docs/search?q={words}+{number}"))
            found = connection.read_response()
            statuses.append(found.status)
            if found.status == 429:
                break

    assert statuses[:5] == [200] * 5
    assert statuses[-1] == 429, "never refused"
    assert int(found.header("retry-after")) >= 1
    assert gateway.call("GET", "/v1/models").status == 200
    assert read(gateway, "/docs/llms.txt").status == 200, "what is kept needs no work"


def test_a_browser_shows_it_and_has_nothing_to_complain_of():
    browser.needed()
    with (  # a gateway of its own: the last test has used up what questions may cost
        Gateway({"accounts": [ACCOUNT], "server": {"docs": True}}) as gateway,
        browser.chromium() as opened,
        browser.Tab(opened, f"http://127.0.0.1:{gateway.port}") as tab,
    ):
        tab.page.goto(f"{tab.url}/docs")
        tab.page.click("text=Chat completions >> nth=0")
        tab.page.wait_for_selector("h1:has-text('Chat completions')")
        tab.page.wait_for_selector("button:has-text('Copy')")  # the script has run
        tab.page.fill("input[type=search]", "rotate")
        tab.page.wait_for_selector("text=Rotate a key")
        tab.page.goto(f"{tab.url}/docs/search?q=How+do+I+rotate+a+key%3F")
        assert "arkway keys rotate" in tab.page.inner_text(".answer")

        assert tab.wrong == []


def test_it_is_off_by_default():
    with Gateway({"accounts": [ACCOUNT]}) as gateway:
        for path in ("/docs", "/docs/", "/docs/api.md", ASK):
            for method in ("GET", "POST"):
                found = read(gateway, path, method)
                assert (found.status, found.error["code"]) == (404, "unknown_url")
