import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission.estimate import INITIAL_TOKENS_PER_BYTE, MIN_TEXT_BYTES, TokenRatio
from support import strategies  # noqa: F401 - its profile


def learned(*prompts):
    ratio = TokenRatio()
    for text_bytes, tokens in prompts:
        ratio.learn(text_bytes, tokens)
    return ratio.tokens_per_byte


@pytest.mark.parametrize(
    "prompts", [[], [(MIN_TEXT_BYTES - 1, 100)], [(1000, 0)], [(1000, -5)], [(0, 9)]]
)
def test_what_teaches_nothing_changes_nothing(prompts):
    assert learned(*prompts) == INITIAL_TOKENS_PER_BYTE


def test_the_ratio_is_that_of_all_prompts_together():
    assert learned((MIN_TEXT_BYTES, 50)) == 50 / MIN_TEXT_BYTES
    assert learned((1000, 200), (3000, 1000)) == 0.3


def test_old_prompts_are_slowly_forgotten():
    ratio, rounds = TokenRatio(), 0
    for _ in range(100):
        ratio.learn(1_000_000, 200_000)
    while ratio.tokens_per_byte < 0.39:
        ratio.learn(1_000_000, 400_000)
        rounds += 1

    assert 32 < rounds < 320  # some times 32 MB, not days and not minutes


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(-10, 10**8)), max_size=30))
def test_the_ratio_lies_between_the_prompts_own(prompts):
    counted = [t / b for b, t in prompts if b >= MIN_TEXT_BYTES and t > 0]

    ratio = learned(*prompts)

    if counted:
        assert min(counted) * 0.999 <= ratio <= max(counted) * 1.001
    else:
        assert ratio == INITIAL_TOKENS_PER_BYTE
