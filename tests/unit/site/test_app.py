"""Is it served right? Any prefix, validators, headers that keep everything else out."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from arkway.site.app import docs_app
from arkway.site.pages import Site
from arkway.site.rules import MAX_QUERY_BYTES

TEXTS = {
    "README.md": "# Docs\n\nThe contents.\n\n## Use\n\n- [Keys](keys.md)\n",
    "keys.md": "# Keys\n\n## Rotate a key\n\nIt gets a new text within 24 hours.\n",
}


async def _write(_question, _excerpts):
    return "A new text, in 24 hours."


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(TEXTS)


@pytest.fixture(params=["", "/docs", "/a/b"])
def client(request, site):
    app = docs_app(site)
    if request.param:
        app = Starlette(routes=[Mount(request.param, app)])
    return TestClient(app, base_url=f"http://testserver{request.param}/")


def test_pages_search_and_questions_under_any_prefix(client):
    assert "<h1" in client.get("").text
    assert "Rotate a key" in client.get("keys").text
    assert client.get("keys.md").text == TEXTS["keys.md"]
    assert "keys#rotate-a-key" in client.get("search?q=rotate").text
    assert "24 hours" in client.get("keys.md?ask=How+do+I+rotate+a+key%3F").text
    assert client.get("llms.txt").status_code == 200


def test_a_page_loads_nothing_but_itself(client):
    for path in ("", "keys", "search?q=x", "nosuch"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in answer.headers
        assert "://" not in answer.text.replace("http://www.w3.org", "")
        assert "<style" not in answer.text
        assert " style=" not in answer.text
        assert answer.text.count("<script") == answer.text.count("<script src=") == 1


def test_what_the_asker_has_is_not_sent_again(client):
    first = client.get("keys")
    again = client.get("keys", headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert client.get("keys", headers={"if-none-match": '"other"'}).status_code == 200


def test_head_has_the_headers_alone(client):
    whole, head = client.get("keys"), client.head("keys")

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(whole.content))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(client, method):
    assert client.request(method, "keys").status_code == 405


def test_an_address_without_a_page(client):
    answer = client.get("nosuch/page")

    assert answer.status_code == 404
    assert "There is no such page" in answer.text


def test_a_query_has_a_bound(client):
    assert client.get("search?q=" + "x" * MAX_QUERY_BYTES).status_code == 414


def test_answers_may_be_written_by_a_model(site):
    client = TestClient(docs_app(site, _write))
    answer = client.get("/keys.md?ask=rotate+a+key", headers={"accept": "application/json"}).json()

    assert (answer["answer"], answer["written_by"]) == ("A new text, in 24 hours.", "model")
    assert client.get("/keys.md?ask=").status_code == 400


def test_an_address_with_an_encoded_slash_is_no_page(client):
    answer = client.get("keys%2Fx")

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")
