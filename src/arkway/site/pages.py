"""What is the answer to GET /docs/<path>? Everything the site says, as a pure function.

    Site.render(path, query, accept) -> Page | None

Pages, their Markdown, search, questions, the lists for language models, our static files. Nothing
of a request but these three strings matters. HTML is made when a page is first asked for and kept:
the number of pages bounds it. `app.py` gives it to ASGI; anybody else may call it, too.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from urllib.parse import parse_qs

import msgspec

from arkway import __version__
from arkway.site import ask, llms, markdown, source_io
from arkway.site.book import Book, Leaf, address
from arkway.site.index import Hit, Index
from arkway.site.layout import Found, Frame
from arkway.site.replies import as_json, as_markdown
from arkway.site.sections import Kind
from arkway.site.words import is_chinese, synonyms, terms

HTML = "text/html; charset=utf-8"
MARKDOWN = "text/markdown; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
MAX_SEARCH_CHARS = 200
MAX_RESULTS = 20
# Results far below the best one are noise: they share one common word with the query.
_NOISE = 0.3
_MAX_PASSAGE_CHARS = 240
_PROSE_BONUS = 0.5  # a sentence tells more than a command
# Who types fewer words looks for a place and not for an answer.
_QUESTION_WORDS = 3
_MAX_DEPTH = 8  # folders in the address of a page that does not exist; ours have one
_MAX_FIELDS = 8  # of a query string; we know two
_STATIC = {
    "docs.css": "text/css; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
# Pages change with a new version, at the same address: browsers ask each time, and get 304.
_FRESH = "no-cache"
_FOR_EVER = "public, max-age=31536000, immutable"


class Page(msgspec.Struct, frozen=True):
    """An answer to GET."""

    status: int
    content_type: str
    body: bytes
    cache_control: str = _FRESH

    @property
    def etag(self) -> str:
        """Return the validator of its bytes."""
        return f'"{hashlib.blake2b(self.body, digest_size=12).hexdigest()}"'


class Question(msgspec.Struct, frozen=True):
    """A `?ask=` with the page it was put to."""

    text: str
    page: str
    wants_json: bool


class Site:
    """The documentation, ready to be served.

    Cost:  50 ms to make, without any HTML; a page's first HTML takes 5 to 40 ms.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.book = Book(texts)
        self.index = Index(self.book.sections())
        self._images = source_io.read_images()
        self._descriptions = source_io.read_descriptions()
        self._static = {name: source_io.read_static(name) for name in _STATIC}
        whole = b"".join(self._static.values())
        self.assets = hashlib.blake2b(whole, digest_size=6).hexdigest()
        self.frame = Frame(self.book, __version__, self.assets)
        self._kept: dict[str, Page] = {}  # at most one for each page and list

    def render(self, path: str, query: str, accept: str) -> Page | None:
        """Return the answer to GET; None when there is no such address.

        Shapes:  path: from the site's root, with or without its first slash; query: as in the URL,
        without the question mark; accept: the header, or empty.
        """
        path = path.removeprefix("/")
        if path == "search":
            return self._search(query, accept)
        if question := self.question(path, query, accept):
            return self.reply(question, self.answer(question))
        return self._plain(path, accept)

    def question(self, path: str, query: str, accept: str) -> Question | None:
        """Return the question that a request asks; None when it asks none."""
        page = self._markdown_page(path.removeprefix("/"))
        text = _field(query, "ask")
        return Question(text, page, wants(accept, "json")) if page and text is not None else None

    def asked(self, name: str) -> str | None:
        """Return the page that is called `name`, with or without `.md`; None: there is none."""
        return self._markdown_page(name) or self._markdown_page(f"{name}.md") or None

    def answer(self, question: Question) -> ask.Answer | None:
        """Return the extractive answer; None when the question is empty or too long."""
        if not question.text.strip() or len(question.text) > ask.MAX_QUESTION_CHARS:
            return None
        return ask.answer(self.index, question.text, question.page)

    def reply(self, question: Question, answer: ask.Answer | None) -> Page:
        """Return an answer as the asker wants it."""
        if answer is None:
            said = f"A question has 1 to {ask.MAX_QUESTION_CHARS} characters."
            if question.wants_json:
                return Page(400, JSON, msgspec.json.encode({"error": said}))
            return Page(400, MARKDOWN, f"{said}\n".encode())
        if question.wants_json:
            return Page(200, JSON, as_json(answer, question.page))
        return Page(200, MARKDOWN, as_markdown(answer, question.page).encode())

    def missing(self, path: str) -> Page:
        """Return the page that says that there is none."""
        here = path.removeprefix("/")
        if here.count("/") > _MAX_DEPTH:  # its links would be longer than it
            return Page(404, TEXT, b"There is no such page.\n")
        return Page(404, HTML, self.frame.missing(here).encode())

    def warm(self) -> None:
        """Make the HTML of all pages now: for who must not be kept waiting by the first reader."""
        for leaf in self.book.leaves.values():
            self._plain(leaf.address, "")

    def _plain(self, path: str, accept: str) -> Page | None:
        """Return what does not depend on a query."""
        if path.startswith("static/"):
            return self._asset(path.removeprefix(f"static/{self.assets}/"))
        if path in self._images:
            return Page(200, "image/png", self._images[path])
        if path in self._descriptions:
            return Page(200, JSON, self._descriptions[path])
        leaf = self.book.by_address.get(path)
        source = self._markdown_page(path)
        if leaf and wants(accept, "markdown"):
            source = leaf.path
        key = source or path
        if key not in self._kept:
            made = self._make(path, source, leaf)
            if made is None:
                return None
            self._kept[key] = made
        return self._kept[key]

    def _make(self, path: str, source: str, leaf: Leaf | None) -> Page | None:
        if source:
            return Page(200, MARKDOWN, self.book.texts[source].encode())
        if leaf:
            text = self.book.texts[leaf.path]
            rendered = markdown.render(leaf.path, text, self.book.texts)
            return Page(200, HTML, self.frame.page(leaf, rendered).encode())
        if path == "llms.txt":
            return Page(200, TEXT, llms.listing(self.book).encode())
        if path == "llms-full.txt":
            return Page(200, TEXT, llms.everything(self.book).encode())
        return None

    def _asset(self, name: str) -> Page | None:
        if name not in _STATIC:
            return None
        return Page(200, _STATIC[name], self._static[name], _FOR_EVER)

    def _markdown_page(self, path: str) -> str:
        """Return the page whose Markdown is at an address; empty when there is none."""
        folder, _, name = path.rpartition("/")
        if name == "index.md":
            path = f"{folder}/README.md" if folder else "README.md"
        return path if path in self.book.texts else ""

    def _search(self, query: str, accept: str) -> Page:
        text = " ".join((_field(query, "q") or "")[:MAX_SEARCH_CHARS].split())
        is_typing = _field(query, "typing") is not None
        hits = (
            self.index.completing(text)
            if is_typing
            else self.index.candidates(self.index.query(text))
        )
        least = hits[0].score * _NOISE if hits else 0.0
        found = [self._found(hit, text) for hit in hits[:MAX_RESULTS] if hit.score >= least]
        if wants(accept, "json"):
            results = [
                {"title": hit.title, "page": hit.page, "url": hit.url, "text": hit.text}
                for hit in found
            ]
            return Page(200, JSON, msgspec.json.encode({"query": text, "results": results}))
        is_question = len(text.split()) >= _QUESTION_WORDS or is_chinese(text)
        answer = ask.answer(self.index, text) if is_question else None
        box = self._box(answer) if answer and answer.is_found else ""
        return Page(200, HTML, self.frame.results(text, box, found).encode())

    def _box(self, answer: ask.Answer) -> str:
        """Return an answer as HTML, with its source."""
        section = answer.excerpts[0].section
        body = markdown.fragment(answer.text, section.page, self.book.texts)
        url = escape(url_of(section.page, section.anchor))
        name = escape(named(section.title, section.heading))
        return f'{body}<p class="source">From <a href="{url}">{name}</a></p>'

    def _found(self, hit: Hit, text: str) -> Found:
        section = hit.entry.section
        query = self.index.query(text)
        worth = [query.covered_by(words) for words in hit.entry.telling]
        worth = [
            worth + (_PROSE_BONUS if passage.kind is not Kind.CODE else 0.0)
            for worth, passage in zip(worth, section.passages, strict=True)
        ]
        shown = window(section.passages[worth.index(max(worth))].shown, text)
        url = url_of(section.page, section.anchor)
        return Found(section.heading, section.title, url, shown, marked(shown, text))


@cache
def site() -> Site:
    """Return the site of the installed documentation, made once a process."""
    return Site(source_io.read_pages())


def render(path: str, query: str, accept: str) -> Page | None:
    """Return the installed documentation's answer to GET; None when there is no such address."""
    return site().render(path, query, accept)


def url_of(page: str, anchor: str) -> str:
    """Return the address of a section from the site's root."""
    return address(page) + (f"#{anchor}" if anchor else "")


def named(title: str, heading: str) -> str:
    """Return how a section is called away from its page."""
    return title if title == heading else f"{title}: {heading}"


def marked(shown: str, query: str) -> str:
    """Return a text as HTML, with the words that the query has, in any inflection, marked."""
    wanted = set(terms(query))
    wanted |= {other for term in wanted for other in synonyms(term)}
    return "".join(
        f"<mark>{escape(piece)}</mark>" if wanted.intersection(terms(piece)) else escape(piece)
        for piece in re.split(r"(\w+)", shown)
    )


def window(text: str, query: str) -> str:
    """Return the part of a long passage that has the query's first word in it."""
    if len(text) <= _MAX_PASSAGE_CHARS:
        return text
    wanted = set(terms(query))
    places = (match.start() for match in re.finditer(r"\w+", text) if wanted & set(terms(match[0])))
    begin = max(0, min(next(places, 0) - 60, len(text) - _MAX_PASSAGE_CHARS))
    begin = text.find(" ", begin) + 1 if begin else 0
    end = text.rfind(" ", begin, begin + _MAX_PASSAGE_CHARS)
    is_last = len(text) - begin <= _MAX_PASSAGE_CHARS
    return ("… " if begin else "") + (text[begin:] if is_last else f"{text[begin:end]} …")


def wants(accept: str, kind: str) -> bool:
    """Tell whether an Accept header asks for this rather than for HTML."""
    names = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    wanted = {"json": "application/json", "markdown": "text/markdown"}[kind]
    return wanted in names and "text/html" not in names[: names.index(wanted)]


def _field(query: str, name: str) -> str | None:
    """Return a field of a query string; None when it is absent or the string is no query."""
    try:
        fields = parse_qs(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return None
    return fields[name][0] if name in fields else None
