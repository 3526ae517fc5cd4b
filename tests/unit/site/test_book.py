"""Which pages are where? The contents, addresses, links between them."""

import pytest

from arkway.site.book import Book, address, markdown_address, relative

TEXTS = {
    "README.md": "# Docs\n\nOpening.\n\n## Start\n\n- [First](a.md): what *a* says.\n\n"
    "## Inside\n\n- [Decisions](adr/README.md)\n- [Gone](gone.md)\n",
    "a.md": "# A page\n\nText.\n",
    "new.md": "# New\n\nText.\n",
    "adr/README.md": "# All\n\nText.\n",
    "adr/0001-x.md": "# 0001: X\n\nText.\n",
}


@pytest.fixture
def book() -> Book:
    return Book(TEXTS)


def test_parts_are_the_headings_of_the_contents(book):
    assert [(part.name, [leaf.path for leaf in part.leaves]) for part in book.parts] == [
        ("Start", ["a.md"]),
        ("Inside", ["adr/README.md"]),
        ("More", ["new.md"]),
    ]
    assert book.parts[0].leaves[0].name == "First"
    assert book.parts[0].leaves[0].summary == "what a says."


def test_every_page_is_served_listed_or_not(book):
    assert set(book.leaves) == set(TEXTS)
    assert set(book.by_address) == {"", "a", "adr/", "new", "adr/0001-x"}


def test_neighbours_go_through_the_whole_book(book):
    order = [book.neighbours(path)[1] for path in book.leaves]

    assert [leaf.path for leaf in order[:-1]] == list(book.leaves)[1:]
    assert order[-1] is None
    assert book.neighbours("README.md")[0] is None


def test_the_contents_are_not_searched(book):
    assert {section.page for section in book.sections()} == set(TEXTS) - {"README.md"}


@pytest.mark.parametrize(
    ("path", "html", "markdown"),
    [
        ("README.md", "", "index.md"),
        ("api.md", "api", "api.md"),
        ("adr/README.md", "adr/", "adr/index.md"),
        ("adr/0001-x.md", "adr/0001-x", "adr/0001-x.md"),
    ],
)
def test_addresses(path, html, markdown):
    assert address(path) == html
    assert markdown_address(path) == markdown


@pytest.mark.parametrize(
    ("here", "there", "link"),
    [
        ("", "api", "api"),
        ("api", "", "./"),
        ("api", "errors", "errors"),
        ("adr/", "api", "../api"),
        ("adr/0001-x", "adr/", "./"),
        ("adr/0001-x", "", "../"),
        ("api", "adr/0001-x", "adr/0001-x"),
    ],
)
def test_links_hold_under_any_prefix(here, there, link):
    assert relative(here, there) == link
