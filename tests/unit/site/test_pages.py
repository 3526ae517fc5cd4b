"""What is the answer to GET? Pages in two forms, search, questions, static files; nothing else."""

import json
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.site import source_io
from arkway.site.ask import MAX_QUESTION_CHARS
from arkway.site.pages import MAX_RESULTS, Site, marked, render, wants, window

TEXTS = {
    "README.md": "# Docs\n\nThe contents.\n\n## Use\n\n"
    "- [Keys](keys.md): make keys.\n- [All](adr/README.md)\n",
    "keys.md": "# Keys\n\n## Rotate a key\n\n"
    "It gets a <b>new</b> text. See [one](adr/0001-x.md).\n",
    "adr/README.md": "# Decisions\n\n- [0001](0001-x.md)\n",
    "adr/0001-x.md": "# 0001: X\n\n## Context\n\nTurtles. See [keys](../keys.md#rotate-a-key).\n",
}


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(TEXTS)


def text(site: Site, path: str, query: str = "", accept: str = "") -> str:
    page = site.render(path, query, accept)
    assert page is not None
    return page.body.decode()


@pytest.mark.parametrize("path", ["", "/", "keys", "/keys", "adr/", "adr/0001-x"])
def test_pages_as_html(site, path):
    page = site.render(path, "", "text/html")

    assert (page.status, page.content_type) == (200, "text/html; charset=utf-8")
    assert page.body.startswith(b"<!doctype html>")
    assert page.cache_control == "no-cache"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("index.md", "README.md"),
        ("README.md", "README.md"),
        ("keys.md", "keys.md"),
        ("adr/index.md", "adr/README.md"),
        ("adr/0001-x.md", "adr/0001-x.md"),
    ],
)
def test_pages_as_markdown(site, path, source):
    page = site.render(path, "", "")

    assert page.content_type == "text/markdown; charset=utf-8"
    assert page.body.decode() == TEXTS[source]


def test_a_program_that_asks_for_markdown_gets_it_from_the_first_address(site):
    assert text(site, "keys", accept="text/markdown") == TEXTS["keys.md"]
    assert text(site, "keys", accept="text/html, text/markdown").startswith("<!doctype")


@pytest.mark.parametrize(
    "path",
    [
        "nosuch",
        "keys/",
        "adr",
        "../pyproject.toml",
        "static/nosuch",
        "keys.md.md",
        "//keys",
        "\x00",
    ],
)
def test_other_addresses_are_none(site, path):
    assert site.render(path, "", "") is None
    assert site.missing(path).status == 404


@given(
    st.text(max_size=40) | st.sampled_from(["search", "keys.md", "static/x/docs.css"]),
    st.text(max_size=60) | st.text(max_size=60).map("ask={}".format) | st.just("q=%ff%00"),
    st.text(max_size=20) | st.just("application/json"),
)
def test_no_request_is_a_bug(path, query, accept):
    site = whole()
    page = site.render(path, query, accept) or site.missing(path)

    assert page.status in {200, 400, 404}
    assert isinstance(page.body, bytes)


@cache
def whole() -> Site:
    return Site(TEXTS)


def test_a_path_without_end_gets_a_short_answer(site):
    assert len(site.missing("x/" * 4000).body) < 100


def test_static_files_may_be_kept_for_ever_since_their_address_changes(site):
    page = site.render(f"static/{site.assets}/docs.css", "", "")

    assert page.cache_control == "public, max-age=31536000, immutable"
    assert page.body == source_io.read_static("docs.css")
    assert f"static/{site.assets}/docs.css" in text(site, "keys")
    assert f"../static/{site.assets}/docs.css" in text(site, "adr/0001-x")


def test_search_as_html_and_json(site):
    html = text(site, "search", "q=rotating+keys")
    found = json.loads(text(site, "search", "q=rotating+keys", "application/json"))

    assert '<a href="keys#rotate-a-key">Rotate a key</a>' in html
    assert found["query"] == "rotating keys"
    assert found["results"][0]["url"] == "keys#rotate-a-key"
    assert found["results"][0]["text"] == "It gets a <b>new</b> text. See one."
    assert len(found["results"]) <= MAX_RESULTS


def test_a_search_that_asks_shows_the_answer_too(site):
    assert 'class="answer"' in text(site, "search", "q=How+do+I+rotate+a+key%3F")
    assert 'class="answer"' in text(site, "search", "q=%E8%BD%AE%E6%8D%A2%E5%AF%86%E9%92%A5")
    assert 'class="answer"' not in text(site, "search", "q=rotate+key")
    assert 'class="answer"' not in text(site, "search", "q=rotate+an+elephant")


def test_search_escapes_what_it_shows(site):
    html = text(site, "search", "q=%3Cscript%3Ealert(1)%3C/script%3E+new")

    assert "<script>alert" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;" in html


def test_a_search_for_nothing(site):
    assert "Type what you look for" in text(site, "search")
    assert "Nothing was found" in text(site, "search", "q=zebra")
    assert json.loads(text(site, "search", "q=", "application/json"))["results"] == []
    assert "Type what you look for" in text(site, "search", "&".join(["q=a"] * 50)), "no flood"


def test_a_search_that_is_being_typed(site):
    found = json.loads(text(site, "search", "typing=1&q=rot", "application/json"))

    assert [result["title"] for result in found["results"]] == ["Rotate a key"]


def test_a_question_as_markdown(site):
    page = site.render("keys.md", "ask=How+do+I+rotate+a+key%3F", "")

    assert page.content_type == "text/markdown; charset=utf-8"
    said = page.body.decode()
    assert said.startswith("> How do I rotate a key?\n\nIt gets a <b>new</b> text.")
    assert "Source: [Keys: Rotate a key](keys#rotate-a-key)" in said


def test_a_question_as_json(site):
    answer = json.loads(text(site, "keys.md", "ask=rotate+a+key", "application/json"))

    assert answer["found"] is True
    assert answer["written_by"] == "extract"
    assert answer["source"] == answer["excerpts"][0]["url"] == "keys#rotate-a-key"
    assert answer["answer"].startswith("It gets")


def test_a_quotation_keeps_its_links(site):
    """From a page in a folder, asked at one above: links lead where they led."""
    said = text(site, "keys.md", "ask=turtles+context")

    assert "[keys](keys.md#rotate-a-key)" in said
    assert "[one](0001-x.md)" in text(site, "adr/0001-x.md", "ask=rotate+a+key")
    assert "(../keys#rotate-a-key)" in text(site, "adr/0001-x.md", "ask=rotate+a+key")


def test_a_question_without_an_answer_is_told_so(site):
    said = text(site, "keys.md", "ask=How+do+I+rotate+an+elephant%3F")
    answer = json.loads(text(site, "keys.md", "ask=elephant+key", "application/json"))

    assert "The documentation does not answer this." in said
    assert "[Keys: Rotate a key](keys#rotate-a-key)" in said, "the nearest section is named"
    assert (answer["found"], answer["answer"], answer["source"]) == (False, "", None)


@pytest.mark.parametrize("question", ["", "+", "x" * (MAX_QUESTION_CHARS + 1)])
@pytest.mark.parametrize("accept", ["", "application/json"])
def test_a_question_has_bounds(site, question, accept):
    page = site.render("keys.md", f"ask={question}", accept)

    assert page.status == 400
    assert f"1 to {MAX_QUESTION_CHARS} characters" in page.body.decode()


def test_a_question_is_put_to_markdown_alone(site):
    assert text(site, "keys", "ask=rotate").startswith("<!doctype html>")
    assert site.render("nosuch.md", "ask=rotate", "") is None


def test_lists_for_language_models(site):
    listing, everything = text(site, "llms.txt"), text(site, "llms-full.txt")

    assert listing.startswith("# Docs\n\n> The contents.\n")
    assert "- [Keys](keys.md): make keys." in listing
    assert all(page.strip() in everything for page in TEXTS.values())


def test_html_is_made_once_and_all_of_it_can_be_made_before(site):
    site.warm()

    assert site.render("keys", "", "") is site.render("/keys", "", "")


def test_a_validator_is_of_the_bytes(site):
    first, again = site.render("keys", "", ""), Site(TEXTS).render("keys", "", "")

    assert first.etag == again.etag != site.render("", "", "").etag


@pytest.mark.parametrize(
    ("accept", "kind", "expected"),
    [
        ("application/json", "json", True),
        ("text/html, application/json", "json", False),
        ("application/json;q=0.9, text/html", "json", True),
        ("*/*", "json", False),
        ("", "json", False),
        ("TEXT/MARKDOWN", "markdown", True),
    ],
)
def test_what_a_client_wants(accept, kind, expected):
    assert wants(accept, kind) is expected


def test_words_of_the_query_are_marked_in_any_inflection():
    assert marked("Keys & <locks>", "key") == "<mark>Keys</mark> &amp; &lt;locks&gt;"


def test_a_long_passage_is_shown_around_the_word():
    shown = window("word " * 100 + "zebra " + "word " * 100, "zebra")

    assert shown.startswith("… word")
    assert "zebra" in shown
    assert shown.endswith(" …")
    assert len(shown) < 260
    assert window("short", "x") == "short"


def test_the_installed_documentation_is_a_site():
    assert render("api", "", "").status == 200
    assert render("nosuch", "", "") is None
