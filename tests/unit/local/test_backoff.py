from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from arkway.local.backoff import FIRST_WAIT_S, MAX_WAIT_S, STEADY_LIFE_S, Backoff


def test_early_deaths_double_the_wait_up_to_the_maximum():
    backoff = Backoff()

    waits = [backoff.after_life(1.0) for _ in range(9)]

    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_steady_life_makes_the_next_death_the_first_again():
    backoff = Backoff()
    for _ in range(4):
        backoff.after_life(STEADY_LIFE_S - 0.001)

    assert backoff.after_life(STEADY_LIFE_S) == FIRST_WAIT_S
    assert backoff.after_life(0.0) == 2 * FIRST_WAIT_S


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=30))
def test_waits_stay_within_bounds_and_only_a_steady_life_shortens_them(lives):
    backoff = Backoff()

    waits = [(lived_s, backoff.after_life(lived_s)) for lived_s in lives]

    assert all(FIRST_WAIT_S <= wait_s <= MAX_WAIT_S for _, wait_s in waits)
    for (_, before_s), (lived_s, after_s) in pairwise(waits):
        assert after_s >= before_s or lived_s >= STEADY_LIFE_S
