"""What stands around a page? The frame, the navigation, the results of a search.

Plain strings: three templates are no reason for a template engine. Everything that is not our own
markup goes through `escape`. Links are relative to the page's address, so any prefix works.
"""

from collections.abc import Iterable, Sequence
from html import escape

import msgspec

from arkway.site.book import Book, Leaf, markdown_address, relative
from arkway.site.markdown import Heading, Rendered

_SHOWN_LEVELS = (2, 3)  # of a page's own table of contents
# A page with 40 commands has a contents list longer than the screen: then only its chapters.
_MAX_SHOWN_HEADINGS = 40


class Found(msgspec.Struct, frozen=True):
    """A search result."""

    title: str
    page: str
    url: str  # from the site's root
    text: str  # one passage, plain
    marked: str  # the same as HTML, the words of the query marked


class Frame:
    """The frame around all pages of a book."""

    def __init__(self, book: Book, version: str, assets: str) -> None:
        self._book = book
        self._version = version
        self._assets = assets  # changes with the static files, so that they may be cached for ever

    def page(self, leaf: Leaf, rendered: Rendered) -> str:
        """Return the HTML of a page."""
        before, after = self._book.neighbours(leaf.path)
        here = leaf.address
        markdown = relative(here, markdown_address(leaf.path))
        body = (
            f'<main id="content" tabindex="-1"><article>{rendered.html}</article>'
            f'<p class="source"><a href="{markdown}">This page as Markdown</a></p>'
            f"{_turn(here, before, after)}</main>{_contents(rendered.headings)}"
        )
        return self.around(here, leaf.title, body, leaf.path)

    def results(self, query: str, answer: str, found: Sequence[Found]) -> str:
        """Return the page of search results; `answer` is HTML, empty when there is none."""
        items = "".join(
            f'<li><a href="{escape(hit.url)}">{escape(hit.title)}</a>'
            f' <span class="where">{escape(hit.page)}</span><p>{hit.marked}</p></li>'
            for hit in found
        )
        if not query:
            said = "Type what you look for, or a whole question."
        else:
            said = f"{len(found)} {'section' if len(found) == 1 else 'sections'} for "
            said += f"<strong>{escape(query)}</strong>" if found else ""
            said = said if found else f"Nothing was found for <strong>{escape(query)}</strong>."
        box = f'<section class="answer" aria-label="Answer">{answer}</section>' if answer else ""
        body = (
            '<main id="content" tabindex="-1" class="results"><h1>Search</h1>'
            f'<p role="status">{said}</p>{box}<ol class="found">{items}</ol></main>'
        )
        return self.around("search", "Search", body, query=query)

    def missing(self, here: str) -> str:
        """Return the page for an address that has none."""
        home = escape(relative(here, ""))
        body = (
            '<main id="content" tabindex="-1"><h1>There is no such page</h1>'
            f'<p>The <a href="{home}">contents</a> list all pages.</p></main>'
        )
        return self.around(here, "No such page", body)

    def around(self, here: str, title: str, body: str, path: str = "", query: str = "") -> str:
        """Return a whole HTML document for the address `here`."""
        home = escape(relative(here, ""))
        static = escape(relative(here, f"static/{self._assets}"))
        whole_title = title if path == "README.md" else f"{title} - Arkway documentation"
        markdown = ""
        if path:
            source = escape(relative(here, markdown_address(path)))
            markdown = f'<link rel="alternate" type="text/markdown" href="{source}">'
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(whole_title)}</title>"
            '<meta name="color-scheme" content="light dark">'
            f'<link rel="icon" href="{static}/icon.svg" type="image/svg+xml">'
            f'<link rel="stylesheet" href="{static}/docs.css">{markdown}'
            f'<script src="{static}/docs.js" defer></script></head>\n'
            f'<body data-root="{home}"><a class="skip" href="#content">Skip to the text</a>'
            f'<header><a class="brand" href="{home}">Arkway <span>docs</span></a>'
            f'<form role="search" action="{home}search" method="get">'
            '<input type="search" name="q" maxlength="200" autocomplete="off" spellcheck="false"'
            f' placeholder="Search or ask" aria-label="Search or ask" value="{escape(query)}">'
            "<kbd>/</kbd></form></header>\n"
            f'<div class="columns">{self._navigation(here, path)}{body}</div>\n'
            f"<footer>Arkway {escape(self._version)}. Served by your own gateway. "
            f'<a href="{home}llms.txt">llms.txt</a></footer></body></html>\n'
        )

    def _navigation(self, here: str, path: str) -> str:
        parts = "".join(
            f"<h2>{escape(part.name)}</h2><ul>"
            + "".join(_entry(here, leaf, path) for leaf in part.leaves)
            + "</ul>"
            for part in self._book.parts
        )
        # Open for wide screens by the style sheet; a phone opens it by the summary.
        return (
            '<nav class="pages" aria-label="Pages"><details><summary>Pages</summary>'
            f"{parts}</details></nav>"
        )


def _entry(here: str, leaf: Leaf, path: str) -> str:
    folder = leaf.path.removesuffix("README.md") if leaf.path.endswith("/README.md") else ""
    is_here = leaf.path == path or bool(folder and path.startswith(folder))
    current = ' aria-current="page"' if is_here else ""
    link = escape(relative(here, leaf.address))
    return f'<li><a href="{link}"{current}>{escape(leaf.name)}</a></li>'


def _turn(here: str, before: Leaf | None, after: Leaf | None) -> str:
    """Return the links to the pages before and after."""
    links = "".join(
        f'<a rel="{rel}" href="{escape(relative(here, leaf.address))}"><span>{word}</span>'
        f"{escape(leaf.name)}</a>"
        for leaf, rel, word in ((before, "prev", "Previous"), (after, "next", "Next"))
        if leaf is not None
    )
    return f'<nav class="turn" aria-label="Previous and next page">{links}</nav>'


def _contents(headings: Iterable[Heading]) -> str:
    """Return the page's own table of contents."""
    shown = [heading for heading in headings if heading.level in _SHOWN_LEVELS]
    if len(shown) > _MAX_SHOWN_HEADINGS:
        chapters = [heading for heading in shown if heading.level == _SHOWN_LEVELS[0]]
        shown = chapters if len(chapters) > _SHOWN_LEVELS[0] else shown
    items = "".join(
        f'<li class="level-{heading.level}"><a href="#{escape(heading.anchor)}">'
        f"{escape(heading.text)}</a></li>"
        for heading in shown
    )
    return (
        f'<nav class="here" aria-label="On this page"><h2>On this page</h2><ul>{items}</ul></nav>'
    )
