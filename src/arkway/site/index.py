"""Where do the pages speak of this? BM25 over sections by SQLite's FTS5, then how much is covered.

BM25 orders well and says nothing absolute: the best of bad sections still scores. So each candidate
is also given its *coverage*: the share of the question's terms that it has, each weighted by how
rare it is in the pages. A term that no page has weighs most of all. Coverage is what tells a
question that the pages answer from one that they do not (`ask.py`).
The index is in memory, made once from all pages (0.1 s), and never written again.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import log

import msgspec

from arkway.site.sections import Section
from arkway.site.words import is_joined, is_weak, stem, synonyms, terms

# A question of 300 characters has about 40 words that count; more add time and no sense.
MAX_QUERY_TERMS = 40
# Candidates that are looked at one by one: FTS5 has put the good ones far before the 60th.
_CANDIDATES = 60
# How much of a term a synonym is: it often means the same, not always.
SYNONYM_WORTH = 0.7
# A word of asking ("supported", "example") tells little of what is asked.
_WEAK_WORTH = 0.25
# Past this, rarer says no more: a word that one section has is not twice as telling as one that
# five have.
_MOST_WEIGHT = 4.0
# A word that no page has, nor a synonym of it, is most often the thing that is asked about.
_UNKNOWN_WEIGHT = 8.0
# BM25 weights of a page's title, of a section's headings and of its text: headings name.
_WEIGHTS = (2.0, 4.0, 1.0)
# What the parts of a score are worth: the best of a grid, on one half of the question set.
_BM25, _COVERAGE, _FOCUS, _NAMED, _TOGETHER = 1.2, 1.0, 1.0, 1.2, 0.9
# Pages about the inside say why, and explain the code to its maintainers: others come first, unless
# the question is why.
_WHY = re.compile(r"\bwhy\b|为什么|为何", re.IGNORECASE)
_INSIDE = ("adr/", "life_of_a_call")
_INSIDE_WORTH = 0.6


class Entry(msgspec.Struct, frozen=True):
    """A section with its terms."""

    section: Section
    heading: frozenset[str]  # its own
    naming: frozenset[str]  # of the page's title and all headings above
    telling: tuple[frozenset[str], ...]  # of each passage
    pairs: frozenset[tuple[str, str]]  # terms that stand side by side
    every: frozenset[str]


class Hit(msgspec.Struct, frozen=True):
    """A section that speaks of the question."""

    entry: Entry
    coverage: float  # 0 to 1: weighted share of the question's terms in the section
    focus: float  # 0 to 1: the same of its best passage with the headings
    score: float


class Query(msgspec.Struct, frozen=True):
    """A question's terms, each with its weight and what may stand for it."""

    weights: dict[str, float]
    total: float
    pairs: frozenset[tuple[str, str]]
    asks_why: bool
    has_unknown: bool  # a word that no page has

    def covered_by(self, *found: frozenset[str]) -> float:
        """Return the weighted share of the terms that are in any of the sets. 0 to 1."""
        if not self.weights:
            return 0.0
        sum_ = 0.0
        for term, weight in self.weights.items():
            if any(term in part for part in found):
                sum_ += weight
            elif any(other in part for other in synonyms(term) for part in found):
                sum_ += weight * SYNONYM_WORTH
        return sum_ / self.total


class Index:
    """All sections, searchable.

    Cost:  50 ms to make; about 1 ms a query.
    """

    def __init__(self, sections: Iterable[Section]) -> None:
        # Only this object reads the database, one statement at a time, in whichever thread asks.
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(
            "CREATE VIRTUAL TABLE sections USING fts5(title, heading, body, tokenize='unicode61')"
        )
        self.entries: list[Entry] = []
        self._frequency: Counter[str] = Counter()
        rows = []
        for section in sections:
            title, heading = terms(section.title), terms(" ".join(section.trail))
            telling = [terms(passage.text) for passage in section.passages]
            body = [term for passage in telling for term in passage]
            entry = Entry(
                section,
                frozenset(terms(section.heading)),
                frozenset([*title, *heading]),
                tuple(map(frozenset, telling)),
                frozenset(pair for part in [title, heading, *telling] for pair in pairwise(part)),
                frozenset([*title, *heading, *body]),
            )
            self.entries.append(entry)
            self._frequency.update(entry.every)
            rows.append((len(self.entries) - 1, " ".join(title), " ".join(heading), " ".join(body)))
        self._db.executemany(
            "INSERT INTO sections (rowid, title, heading, body) VALUES (?, ?, ?, ?)", rows
        )

    def query(self, text: str) -> Query:
        """Return the terms of `text` with their weights."""
        found = [
            term
            for term in terms(text)[:MAX_QUERY_TERMS]
            if self._frequency[term] or not is_joined(term, text)
        ]
        weights = {term: self._weight(term) for term in found}
        return Query(
            weights,
            sum(weights.values()),
            frozenset(pairwise(found)),
            asks_why=_WHY.search(text) is not None,
            has_unknown=_UNKNOWN_WEIGHT in weights.values(),
        )

    def _weight(self, term: str) -> float:
        """Return how much a term tells: the rarer, the more; most where no page has it."""
        frequency = self._frequency[term] or max(
            (self._frequency[other] for other in synonyms(term)), default=0
        )
        weight = min(_MOST_WEIGHT, log(1 + len(self.entries) / (frequency + 0.5)))
        if is_weak(term):
            return min(weight, 2.0) * _WEAK_WORTH
        return weight if frequency else _UNKNOWN_WEIGHT

    def candidates(self, query: Query) -> list[Hit]:
        """Return the sections with any term of the query or a synonym, best first."""
        own = list(query.weights)
        others = [word for term in own for word in synonyms(term) if word not in query.weights]
        near = dict.fromkeys(self._matches(_quoted(others)), 0.0)
        return self._hits(query, near | self._matches(_quoted(own)))

    def completing(self, text: str) -> list[Hit]:
        """Return hits for a query that is still being typed: its last word may be unfinished."""
        *_, last = text.lower().split() or [""]
        begun = "".join(filter(str.isalnum, last))
        if not begun.isascii() or not begun:
            return self.candidates(self.query(text))
        query = self.query(text)
        endings = [f"{word}*" for word in _quoted({begun, stem(begun)})]
        return self._hits(query, self._matches([*_quoted(query.weights), *endings]))

    def _matches(self, words: Sequence[str]) -> dict[int, float]:
        """Return the rows with any of the words and their BM25, the best as 1.0."""
        if not words:
            return {}
        rows: Sequence[tuple[int, float]] = self._db.execute(
            "SELECT rowid, -bm25(sections, ?, ?, ?) FROM sections WHERE sections MATCH ?"
            " ORDER BY 2 DESC, rowid LIMIT ?",
            (*_WEIGHTS, " OR ".join(words), _CANDIDATES),
        ).fetchall()
        best = max((bm25 for _, bm25 in rows), default=1.0) or 1.0
        return {row: bm25 / best for row, bm25 in rows}

    def _hits(self, query: Query, rows: dict[int, float]) -> list[Hit]:
        hits = [self._hit(query, self.entries[row], bm25) for row, bm25 in rows.items()]
        return sorted(hits, key=lambda hit: -hit.score)

    def _hit(self, query: Query, entry: Entry, bm25: float) -> Hit:
        coverage = query.covered_by(entry.every)
        focus = max(query.covered_by(entry.naming, passage) for passage in entry.telling)
        together = len(query.pairs & entry.pairs) / (len(query.pairs) or 1)
        named = self._named(query, entry) * query.covered_by(entry.heading)
        score = _BM25 * bm25 + _COVERAGE * coverage + _FOCUS * focus
        score += _NAMED * named**0.5 + _TOGETHER * together
        if entry.section.page.startswith(_INSIDE) and not query.asks_why:
            score *= _INSIDE_WORTH
        return Hit(entry, coverage, focus, score)

    def _named(self, query: Query, entry: Entry) -> float:
        """Return the weighted share of a heading's own terms that the question has. 0 to 1."""
        total = found = 0.0
        for term in entry.heading:
            weight = self._weight(term)
            total += weight
            if term in query.weights:
                found += weight
            elif any(other in query.weights for other in synonyms(term)):
                found += weight * SYNONYM_WORTH
        return found / total if total else 0.0


def _quoted(words: Iterable[str]) -> list[str]:
    """Return words as FTS5 strings; they are letters and digits, so nothing is to be escaped."""
    return [f'"{word}"' for word in words]
