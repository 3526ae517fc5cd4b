"""Where do the pages speak of this? BM25 over sections by SQLite's FTS5, then how much is covered.

BM25 orders well and says nothing absolute: the best of bad sections still scores. So each candidate
is also given its *coverage*: the share of the question's terms that it has, each weighted by how
rare it is in the pages. A term that no page has weighs most of all. Coverage is what tells a
question that the pages answer from one that they do not (`ask.py`).
The index is in memory, made once from all pages (0.1 s), and never written again.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from math import log

import msgspec

from arkway.site.sections import Section
from arkway.site.words import stem, synonyms, terms

# A question of 300 characters has about 40 words that count; more add time and no sense.
MAX_QUERY_TERMS = 40
# Candidates that are looked at one by one: FTS5 has put the good ones far before the 60th.
_CANDIDATES = 60
# How much of a term a synonym is: it often means the same, not always.
SYNONYM_WORTH = 0.75
# BM25 weights of a page's title, of a section's headings and of its text: headings name, text tells.
_WEIGHTS = (2.0, 4.0, 1.0)


class Entry(msgspec.Struct, frozen=True):
    """A section with its terms."""

    section: Section
    naming: frozenset[str]  # of the page's title and the headings
    telling: tuple[frozenset[str], ...]  # of each passage
    every: frozenset[str]


class Hit(msgspec.Struct, frozen=True):
    """A section that speaks of the question."""

    entry: Entry
    bm25: float  # higher is better; 1.0 is the best of this query
    coverage: float  # 0 to 1: weighted share of the question's terms in the section
    focus: float  # 0 to 1: the same of its best passage with the headings
    score: float


class Query(msgspec.Struct, frozen=True):
    """A question's terms, each with its weight and what may stand for it."""

    weights: dict[str, float]
    total: float

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

    Cost:  0.1 s to make; about 1 ms a query.
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
                frozenset([*title, *heading]),
                tuple(map(frozenset, telling)),
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
        found = list(dict.fromkeys(terms(text)))[:MAX_QUERY_TERMS]
        weights = {term: self._weight(term) for term in found}
        return Query(weights, sum(weights.values()))

    def _weight(self, term: str) -> float:
        """Return how much a term tells: the rarer, the more; most where no page has it."""
        frequency = self._frequency[term] or max(
            (self._frequency[other] for other in synonyms(term)), default=0
        )
        return log(1 + len(self.entries) / (frequency + 0.5))

    def candidates(self, query: Query) -> list[Hit]:
        """Return the sections with any term of the query or a synonym, best first."""
        words = dict.fromkeys(
            word for term in query.weights for word in (term, *synonyms(term))
        )
        return self._hits(query, " OR ".join(f'"{word}"' for word in words))

    def completing(self, text: str) -> list[Hit]:
        """Return hits for a query that is still being typed: its last word may be unfinished."""
        *_, last = text.lower().split() or [""]
        begun = "".join(filter(str.isalnum, last))
        if not begun.isascii() or not begun:
            return self.candidates(self.query(text))
        query = self.query(text)
        endings = {begun, stem(begun)}
        words = [f'"{word}"' for word in query.weights] + [f'"{word}"*' for word in endings]
        return self._hits(query, " OR ".join(words))

    def _hits(self, query: Query, match: str) -> list[Hit]:
        if not match:
            return []
        rows: Sequence[tuple[int, float]] = self._db.execute(
            "SELECT rowid, -bm25(sections, ?, ?, ?) FROM sections WHERE sections MATCH ?"
            " ORDER BY 2 DESC, rowid LIMIT ?",
            (*_WEIGHTS, match, _CANDIDATES),
        ).fetchall()
        best = max((bm25 for _, bm25 in rows), default=1.0) or 1.0
        hits = [self._hit(query, self.entries[row], bm25 / best) for row, bm25 in rows]
        return sorted(hits, key=lambda hit: -hit.score)

    @staticmethod
    def _hit(query: Query, entry: Entry, bm25: float) -> Hit:
        coverage = query.covered_by(entry.every)
        focus = max(query.covered_by(entry.naming, passage) for passage in entry.telling)
        return Hit(entry, bm25, coverage, focus, 0.6 * bm25 + coverage + focus)
