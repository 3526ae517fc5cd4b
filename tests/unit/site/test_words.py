"""Which words are the same word? Inflections, names of several parts, synonyms, Chinese."""

import pytest

from arkway.site.vocabulary import CHINESE, SYNONYMS
from arkway.site.words import is_chinese, is_joined, is_weak, stem, synonyms, terms


@pytest.mark.parametrize(
    "family",
    [
        "stream streams streamed streaming",
        "cache caches cached caching",
        "retry retries retried",
        "rotate rotates rotated rotating rotation",
        "limit limits limited limiting",
        "key keys",
        "expire expires expired expiring",
        "log logs logged logging",
        "access accesses accessed",
        "price prices priced",
    ],
)
def test_inflections_share_a_stem(family):
    assert len({stem(word) for word in family.split()}) == 1, [stem(w) for w in family.split()]


@pytest.mark.parametrize("pair", ["port price", "model mode", "stop store", "usage user", "key n"])
def test_different_words_keep_different_stems(pair):
    first, second = pair.split()

    assert stem(first) != stem(second)


def test_function_words_say_nothing():
    assert terms("How do I do this with the gateway?") == terms("gateway")


def test_a_name_is_all_its_parts_and_itself():
    assert terms("retry-after") == [stem("retry"), stem("after"), "retryafter"]
    assert terms("`max_tokens`") == ["max", stem("tokens"), "maxtokens"]
    assert is_joined("retryafter", "When do I get Retry-After?")
    assert not is_joined("retryafter", "retry after that")


def test_synonyms_go_both_ways_and_leave_the_word_out():
    for group in SYNONYMS:
        stems = {stem(word) for word in group.split()}
        for own in stems:
            assert own not in synonyms(own)
            assert stems - {own} <= set(synonyms(own)), group
    assert synonyms("nosuchword") == ()


def test_words_of_asking_and_adverbs_are_weak():
    assert is_weak(stem("supported"))
    assert is_weak(stem("immediately"))
    assert not is_weak(stem("budget"))


def test_chinese_is_read_by_the_glossary():
    assert terms("如何轮换密钥?") == [*terms("rotate"), *terms("key")]
    assert terms("temperature 的范围") == [stem("temperature"), *terms("range")]
    assert is_chinese("密钥")
    assert not is_chinese("key")


def test_chinese_that_the_glossary_lacks_stays_unknown():
    assert terms("如何申请退款?") == ["申请退款"]
    assert terms("密钥退款") == [*terms("key"), "退款"]


def test_every_entry_of_the_glossary_means_something():
    assert [word for word, english in CHINESE.items() if not terms(english)] == []


def test_a_word_without_end_is_cut():
    (term,) = terms("x" * 10_000)

    assert len(term) <= 48
