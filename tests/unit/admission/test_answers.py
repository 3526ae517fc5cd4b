import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission import answers
from arkway.admission.answers import FEW, FULL, PRIOR_OUTPUT_TOKENS, AnswerLengths, Answers
from support import strategies  # noqa: F401 - its profile


def learned(lengths):
    seen = AnswerLengths()
    for length in lengths:
        seen.learn(length)
    return seen


@given(st.integers(0, 600_000))
def test_a_length_is_rounded_up_by_less_than_a_quarter_octave(length):
    p90 = learned([length] * FEW).percentile()

    assert length <= p90 <= max(1, length * 2**0.25 + 1)


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=FULL - 1))
def test_nine_of_ten_answers_are_within_the_percentile(lengths):
    p90 = learned(lengths).percentile()

    assert sum(length > p90 for length in lengths) <= len(lengths) / 10
    exact = sorted(lengths)[len(lengths) - 1 - int(len(lengths) * 0.1 + 1e-9)]
    assert p90 <= max(1, exact * 2**0.25 + 1)


def test_nothing_seen_gives_the_prior():
    assert AnswerLengths().percentile() == PRIOR_OUTPUT_TOKENS


def test_old_answers_fade():
    seen = learned([4000] * 1000)
    rounds = 0
    while seen.percentile() > 200:
        seen.learn(100)
        rounds += 1

    assert FULL / 2 < rounds < 10 * FULL


@given(st.lists(st.integers(0, 10**7), max_size=2000))
def test_counts_stay_small(lengths):
    assert learned(lengths)._total < FULL


def test_a_key_is_judged_by_its_own_answers_then_the_models_then_the_prior():
    seen = Answers()
    assert seen.likely("key_1", "m") == PRIOR_OUTPUT_TOKENS
    for _ in range(FEW):
        seen.learn(None, "m", 64)
    assert seen.likely("key_1", "m") == 64
    for _ in range(FEW - 1):
        seen.learn("key_1", "m", 2048)
    assert seen.likely("key_1", "m") == 2048  # the model's: its answers are half of them
    for _ in range(100):
        seen.learn("key_2", "m", 64)
    assert seen.likely("key_1", "m") in (64, 2048)
    seen.learn("key_1", "m", 2048)
    assert seen.likely("key_1", "m") == 2048
    assert seen.likely("key_2", "m") == 64
    assert seen.likely("key_1", "other") == PRIOR_OUTPUT_TOKENS


def test_the_least_recently_used_pair_is_forgotten(monkeypatch):
    monkeypatch.setattr(answers, "MAX_HISTOGRAMS", 3)
    seen = Answers()
    for key in ("a", "b", "c"):
        for _ in range(FEW):
            seen.learn(key, "m", 4096)
    for _ in range(2000):
        seen.learn(None, "m", 16)  # the model's own answers are short
    seen.learn("a", "m", 4096)

    seen.learn("d", "m", 4096)

    assert len(seen) == 3
    assert [seen.likely(key, "m") for key in "abc"] == [4096, 16, 4096]


@pytest.mark.parametrize("length", [-1, 0, 1])
def test_the_smallest_bucket(length):
    assert learned([length] * FEW).percentile() == 1
