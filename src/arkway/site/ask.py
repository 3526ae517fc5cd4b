"""What do the pages answer to this question? A quotation with its source, or that they do not.

The answer is extractive: passages of the best section, as they stand. Whether there is one is
decided by how much of the question a single passage has, together with its headings (`focus`): a
section that merely has the words, scattered, is no answer. `ENOUGH` was chosen on one half of a set
of questions and checked on the other (tests/docs/test_questions.py prints the margins).
The question is compared with the pages and never interpreted; the sentences that ask (with a
question mark) count, others do not.
"""

import re

import msgspec

from arkway.site.index import Hit, Index, Query
from arkway.site.sections import Kind, Passage, Section, plain, quoted
from arkway.site.words import terms as words_of

MAX_QUESTION_CHARS = 300  # about 50 words; who needs more asks two questions
MAX_EXCERPTS = 4
MAX_EXCERPT_CHARS = 1600
# Share of a question, by weight, that one passage with its headings must have to be an answer.
ENOUGH = 0.43
# The same where the question has a word that no page has.
ENOUGH_WITH_UNKNOWN = 0.6
# Who asks for a number is answered by one; names such as Doubao-1.5-pro-32k are none.
_HOW_MANY = re.compile(
    r"\bhow (?:many|much|long|large|big|often|old|fast)\b|多少|多大|多久", re.IGNORECASE
)
_NAME = re.compile(r"`[^`]*[a-z][^`]*`|\b[A-Za-z][\w.-]*\d[\w.-]*", re.IGNORECASE)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|ten|once|twice|half|none|nothing)\b", re.IGNORECASE
)
# The page that was asked comes first among equals.
_PAGE_BONUS = 1.0
# Rows and sentences that have nearly as much as the best are part of the answer.
_NEARLY = 0.85
_MAX_QUOTED = 3
_LONG_PARAGRAPH_CHARS = 420
_SENTENCE_END = re.compile(r"(?<=[.?!:;])\s+(?=[A-Z`*\"(])")
_QUESTION = re.compile(r"[^.!?。！？\n]*(?:\.\S[^.!?。！？\n]*)*[?？]")  # noqa: RUF001  Chinese marks


class Excerpt(msgspec.Struct, frozen=True):
    """A section that the answer comes from, or that is near the question."""

    section: Section
    text: str  # Markdown, cut at a passage
    score: float


class Answer(msgspec.Struct, frozen=True):
    """What the pages say; `text` is empty when they hold no answer."""

    question: str
    text: str
    excerpts: tuple[Excerpt, ...]
    written_by: str = "extract"

    @property
    def is_found(self) -> bool:
        """Tell whether there is an answer."""
        return bool(self.text)


def asked(question: str) -> str:
    """Return the part of `question` that asks: its sentences with a question mark, else all."""
    found = [" ".join(match.split()) for match in _QUESTION.findall(question)]
    return " ".join(filter(None, found)) or " ".join(question.split())


def answer(index: Index, question: str, page: str = "") -> Answer:
    """Answer from the pages; `page`, the one that was asked, is preferred.

    Shapes:  question: at most MAX_QUESTION_CHARS.
    Cost:  about 2 ms.
    """
    assert len(question) <= MAX_QUESTION_CHARS, "the caller bounds questions"
    text = asked(question)
    query = index.query(text)
    candidates = index.candidates(query)
    best = ranked(candidates, page)[:MAX_EXCERPTS]
    excerpts = tuple(Excerpt(hit.entry.section, cut(hit.entry.section), hit.score) for hit in best)
    # A page that is asked is preferred among answers; it makes none where the others hold none.
    usual = ranked(candidates, "")[:1]
    quotations = [_quotation(query, text, hit) for hit in [*usual, *best[:1]]]
    return Answer(text, quotations[-1] if quotations and all(quotations) else "", excerpts)


def _quotation(query: Query, text: str, hit: Hit) -> str:
    """Return what a section says to a question; empty when that is no answer."""
    if hit.focus < (ENOUGH_WITH_UNKNOWN if query.has_unknown else ENOUGH):
        return ""
    quotation = direct(query, hit)
    if _HOW_MANY.search(text) and not _NUMBER.search(_NAME.sub("", quotation)):
        return ""
    return quotation


def ranked(hits: list[Hit], page: str) -> list[Hit]:
    """Return hits, best first: the page that was asked before others that are as good."""
    return sorted(
        hits, key=lambda hit: -(hit.score + _PAGE_BONUS * (hit.entry.section.page == page))
    )


def direct(query: Query, hit: Hit) -> str:
    """Return the passages of a section that answer: the best and those nearly as good."""
    passages = hit.entry.section.passages
    worth = [
        query.covered_by(hit.entry.naming, terms) + query.covered_by(terms)
        for terms in hit.entry.telling
    ]
    best = max(worth)
    order = sorted(range(len(passages)), key=lambda at: (-worth[at], at))
    chosen = {at for at in order[:_MAX_QUOTED] if worth[at] >= best * _NEARLY}
    chosen |= {at + 1 for at in chosen if _leads_on(passages, at)}
    if all(passages[at].kind is Kind.CODE for at in chosen):  # code alone says little
        chosen.add(min(chosen) - 1 if min(chosen) else min(max(chosen) + 1, len(passages) - 1))
    return quoted(tuple(_shortened(query, passages[at]) for at in sorted(chosen)))


def _leads_on(passages: tuple[Passage, ...], at: int) -> bool:
    """Tell whether a passage only announces the next one, as a colon does."""
    is_last = at + 1 >= len(passages)
    return not is_last and passages[at].source.rstrip().endswith(":")


def _shortened(query: Query, passage: Passage) -> Passage:
    """Return a long paragraph's best sentences; anything else as it is."""
    if passage.kind is not Kind.PROSE or len(passage.source) <= _LONG_PARAGRAPH_CHARS:
        return passage
    sentences = _SENTENCE_END.split(passage.source)
    worth = [query.covered_by(frozenset(words)) for words in map(words_of, map(plain, sentences))]
    at = worth.index(max(worth))
    return Passage(Kind.PROSE, " ".join(sentences[max(0, at - 1) : at + 2]))


def cut(section: Section) -> str:
    """Return a section's Markdown, whole passages up to MAX_EXCERPT_CHARS."""
    size, kept = 0, list[Passage]()
    for passage in section.passages:
        size += len(passage.source) + len(passage.head)
        if kept and size > MAX_EXCERPT_CHARS:
            break
        kept.append(passage)
    return quoted(tuple(kept))
