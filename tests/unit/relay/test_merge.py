import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.model.usage import Usage
from arkway.relay.merge import billed, reported
from support import strategies  # noqa: F401 - its profile


@st.composite
def usages(draw):
    prompt, completion = draw(st.integers(0, 1000)), draw(st.integers(0, 1000))
    return Usage(prompt, draw(st.integers(0, prompt)), completion, draw(st.integers(0, completion)))


def test_the_prompt_is_shown_once_and_charged_for_each_branch():
    branches = [Usage(30, 10, 5, 1), Usage(30, 20, 7, 2), Usage(30, 0, 9, 0)]

    assert reported(branches) == Usage(30, 20, 21, 3)
    assert billed(branches) == Usage(90, 30, 21, 3)


@pytest.mark.parametrize("branches", [[], [None], [Usage(1, 0, 1), None]])
def test_usage_is_never_invented(branches):
    assert reported(branches) is None


def test_what_was_told_is_charged_even_if_a_branch_told_nothing():
    assert billed([]) == Usage()
    assert billed([None, Usage(3, 1, 2, 1), None]) == Usage(3, 1, 2, 1)


@given(st.lists(usages(), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_a_merge_is_possible_and_its_order_does_not_matter(branches, random):
    shown, charged = reported(branches), billed(branches)

    assert shown.is_possible()
    assert charged.is_possible()
    assert shown.output_tokens == charged.output_tokens
    assert shown.input_tokens <= charged.input_tokens
    if len(branches) == 1:
        assert shown == charged == branches[0]
    random.shuffle(branches)
    assert (reported(branches), billed(branches)) == (shown, charged)
