"""Which words of a text count, and when are two the same? For search and for questions.

One way for both sides: the pages are indexed by `terms`, questions are read by it. A light stemmer
is enough for the one vocabulary there is, and unlike a dictionary it needs no data.
Questions may use words that the pages do not: `SYNONYMS` has what callers of other gateways say.
Chinese is read by a glossary, longest entry first, and never by guessing: what the glossary does
not have stays as a term that no page contains, so it counts against an answer.
"""

import re
from functools import lru_cache

from arkway.site.vocabulary import CHINESE, CHINESE_FILLERS, STOP, SYNONYMS, WEAK

_WORD = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*|[\u3400-\u9fff]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LONGEST_CHINESE = max(map(len, [*CHINESE, *CHINESE_FILLERS]))
_SHORTEST_STEM = 3
# Words are cut here: nothing of ours is longer, and a question is not a place for a megabyte.
_MAX_WORD_CHARS = 48


@lru_cache(maxsize=16_384)  # the pages have about 4 000 different words
def stem(word: str) -> str:
    """Return what `word` shares with its inflections: streams, streamed, streaming -> stream."""
    found = _shortened(_shortened(word))  # twice: tampered, tamper
    if len(found) > _SHORTEST_STEM and found.endswith("e"):
        found = found[:-1]
    if len(found) > _SHORTEST_STEM and found[-1] == found[-2]:
        found = found[:-1]
    return found[:-1] + "i" if len(found) > _SHORTEST_STEM and found.endswith("y") else found


def _shortened(word: str) -> str:
    """Return `word` without its ending, if what is left is still a word."""
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word.removesuffix(ending) + instead
    return word


_ENDINGS = (
    ("ations", "at"),
    ("ation", "at"),
    ("ments", ""),
    ("ment", ""),
    ("ings", ""),
    ("ing", ""),
    ("ies", "y"),
    ("ied", "y"),
    ("ssed", "ss"),
    ("sses", "ss"),
    ("eed", "eed"),
    ("ed", ""),
    ("es", "e"),
    ("us", "us"),
    ("ss", "ss"),
    ("ors", ""),
    ("ers", ""),
    ("or", ""),
    ("er", ""),
    ("s", ""),
)


def terms(text: str) -> list[str]:
    """Return the stems of all words of `text` that carry meaning, in order, repeats included."""
    found = []
    for word in _WORD.findall(text.lower()):
        if _HAN.match(word):
            found += _chinese(word)
        elif (joined := re.sub("[-_]", "", word)) != word:
            # A name such as retry-after or max_tokens: all its parts, and itself.
            found += [stem(part[:_MAX_WORD_CHARS]) for part in re.split("[-_]", word)]
            found.append(joined[:_MAX_WORD_CHARS])
        elif word not in STOP:
            found.append(stem(word[:_MAX_WORD_CHARS]))
    return found


def is_joined(term: str, text: str) -> bool:
    """Tell whether `term` is a whole name of several parts in `text`, such as retryafter."""
    return any(
        term == re.sub("[-_]", "", word)[:_MAX_WORD_CHARS]
        for word in _WORD.findall(text.lower())
        if "-" in word or "_" in word
    )


def synonyms(term: str) -> tuple[str, ...]:
    """Return the stems that may stand for `term` in the pages, itself left out."""
    return _STEMMED.get(term, ())


def is_weak(term: str) -> bool:
    """Tell whether a stem belongs to the asking rather than to what is asked, as adverbs do."""
    return term in _WEAK or term.endswith("li")


def is_chinese(text: str) -> bool:
    """Tell whether there is Chinese in `text`."""
    return _HAN.search(text) is not None


def _chinese(run: str) -> list[str]:
    """Read a run of Chinese by the glossary, longest entry first; the rest are unknown terms."""
    found, unread, at = [], "", 0
    while at < len(run):
        for length in range(min(_LONGEST_CHINESE, len(run) - at), 0, -1):
            piece = run[at : at + length]
            if piece in CHINESE or piece in CHINESE_FILLERS:
                found += [unread] if unread else []
                found += terms(CHINESE.get(piece, ""))
                unread, at = "", at + length
                break
        else:
            unread, at = unread + run[at], at + 1
    return found + ([unread] if unread else [])


def _stemmed() -> dict[str, tuple[str, ...]]:
    """Return the synonyms by stem; each word of a group may stand for each other."""
    found: dict[str, set[str]] = {}
    for group in SYNONYMS:
        stems = [stem(word) for word in group.split()]
        for own in stems:
            found.setdefault(own, set()).update(other for other in stems if other != own)
    return {own: tuple(sorted(others)) for own, others in found.items()}


_STEMMED = _stemmed()
_WEAK = frozenset(map(stem, WEAK))
