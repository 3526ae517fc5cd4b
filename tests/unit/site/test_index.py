"""Are sections found by what they say? BM25, coverage, and what a word that nobody has costs."""

import pytest

from arkway.site.index import MAX_QUERY_TERMS, Index
from arkway.site.sections import sections

PAGES = {
    "keys.md": "# Keys\n\n## Create\n\nMake a key by name.\n\n"
    "## Rotate a key\n\nIt gets a new text.\n",
    "streams.md": "# Streams\n\nA stream ends with DONE.\n\n"
    "## Token counts\n\nSend include_usage.\n",
    "adr/0001-why.md": "# 0001: Why\n\n## Context\n\nWe rotate keys since texts leak.\n",
}


@pytest.fixture(scope="module")
def index() -> Index:
    return Index(s for path, text in PAGES.items() for s in sections(path, text))


def found(index: Index, text: str) -> list[str]:
    return [
        f"{hit.entry.section.page}#{hit.entry.section.anchor}"
        for hit in index.candidates(index.query(text))
    ]


def test_the_section_named_by_the_question_comes_first(index):
    assert found(index, "How do I rotate a key?")[0] == "keys.md#rotate-a-key"
    assert found(index, "token counts of a stream")[0] == "streams.md#token-counts"


def test_inflections_and_synonyms_are_found(index):
    assert found(index, "rotating keys")[0] == "keys.md#rotate-a-key"
    assert found(index, "renew the key")[0] == "keys.md#rotate-a-key"


def test_pages_about_the_inside_come_first_for_why_alone(index):
    assert found(index, "rotate keys leak")[0] != "adr/0001-why.md#context"
    assert found(index, "why do you rotate keys when texts leak")[0] == "adr/0001-why.md#context"


def test_coverage_is_the_weighted_share_of_the_question(index):
    whole, *_ = index.candidates(index.query("rotate key"))
    half, *_ = index.candidates(index.query("rotate key zebra"))

    assert whole.coverage == whole.focus == 1.0
    assert half.coverage < 0.5, "a word that no page has weighs most"


def test_an_unknown_word_is_known_to_be_one(index):
    assert index.query("rotate zebra").has_unknown
    assert not index.query("rotate key").has_unknown
    assert not index.query("rotate key immediately").has_unknown, "an adverb is not the subject"


def test_nothing_is_found_for_nothing(index):
    assert found(index, "") == found(index, "the and of") == found(index, "zebra") == []
    assert index.completing("") == []


def test_a_word_that_is_being_typed_is_completed(index):
    def typed(text: str) -> list[str]:
        return [hit.entry.section.anchor for hit in index.completing(text)]

    assert "rotate-a-key" in typed("rot")
    assert typed("token coun")[0] == "token-counts"


@pytest.mark.parametrize(
    "text", ['"', "a OR b*", "NEAR(key)", "key) --", "^key", "key:rotate", "'; DROP"]
)
def test_no_question_is_a_query_language(index, text):
    assert isinstance(index.candidates(index.query(text)), list)
    assert isinstance(index.completing(text), list)


def test_a_long_question_is_bounded(index):
    words = " ".join(f"word{number}" for number in range(10_000))

    assert len(index.query(words).weights) <= MAX_QUERY_TERMS
