import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission.durations import whole_ms
from arkway.admission.window import COARSE_S, MAX_BUCKETS, WINDOW_S, SlidingWindow, granularity_s
from support import strategies  # noqa: F401 - its profile

steps_s = st.one_of(
    st.sampled_from([0.0, 0.001, COARSE_S, 0.25, 1.0, 59.9, WINDOW_S]), st.floats(0, 90)
)
amounts = st.integers(1, 60)


def admit(window, now_s, amount, limit):
    if window.used(now_s) + amount > limit:
        return None
    return window.add(now_s, amount)


def most_in_any_window(admitted):
    """The largest sum over (t - 60, t]; it is reached with t at one of the amounts."""
    return max(
        (sum(a for s, a in admitted if end - WINDOW_S < s <= end) for end, _ in admitted),
        default=0,
    )


@given(st.sampled_from([0.0, COARSE_S, 1.0]), st.lists(st.tuples(steps_s, amounts), max_size=60))
def test_no_minute_holds_more_than_the_limit(granularity, asked):
    window, now_s, limit, admitted = SlidingWindow(granularity), 1e6, 100, []
    for step_s, amount in asked:
        now_s += step_s
        if admit(window, now_s, amount, limit):
            admitted.append((now_s, amount))

    assert most_in_any_window(admitted) <= limit


@given(st.lists(st.tuples(steps_s, amounts), max_size=60))
def test_without_granularity_nothing_that_fits_is_refused(asked):
    window, now_s, limit, admitted = SlidingWindow(0.0), 1e6, 100, []
    for step_s, amount in asked:
        now_s += step_s
        held = sum(a for at_s, a in admitted if at_s > now_s - WINDOW_S)
        taken = admit(window, now_s, amount, limit)
        assert (taken is not None) == (held + amount <= limit)
        if taken:
            admitted.append((now_s, amount))


@given(st.lists(st.tuples(steps_s, amounts), max_size=60), amounts)
def test_coarseness_refuses_for_at_most_its_length_too_long(asked, wanted):
    window, exact, now_s, limit = SlidingWindow(1.0), SlidingWindow(0.0), 1e6, 100
    for step_s, amount in asked:
        now_s += step_s
        if admit(window, now_s, amount, limit):
            exact.add(now_s, amount)

    assert exact.used(now_s) <= window.used(now_s)
    late_s = window.wait_s(wanted, limit, now_s) - exact.wait_s(wanted, limit, now_s)
    assert -1e-6 <= late_s <= 1.0 + 1e-6


@given(
    st.sampled_from([0.0, COARSE_S]),
    st.lists(st.tuples(steps_s, amounts), max_size=60),
    st.integers(1, 100),
)
def test_the_advertised_wait_is_enough_and_not_too_long(granularity, asked, wanted):
    window, now_s, limit = SlidingWindow(granularity), 1e6, 100
    for step_s, amount in asked:
        now_s += step_s
        admit(window, now_s, amount, limit)

    wait_ms = whole_ms(window.wait_s(wanted, limit, now_s))

    if wait_ms > 2:
        assert window.used(now_s + (wait_ms - 2) / 1000) + wanted > limit
    assert window.used(now_s + wait_ms / 1000) + wanted <= limit


@given(st.lists(st.tuples(steps_s, amounts), max_size=40))
def test_the_reset_is_when_the_window_is_empty(asked):
    window, now_s = SlidingWindow(COARSE_S), 1e6
    for step_s, amount in asked:
        now_s += step_s
        window.add(now_s, amount)

    assert window.used(now_s + whole_ms(window.empty_in_s(now_s)) / 1000) == 0


def test_what_is_given_back_is_free_at_once():
    window = SlidingWindow(0.0)
    first, second = window.add(1.0, 60), window.add(2.0, 40)

    window.give_back(second, 30)
    assert window.used(2.0) == 70
    window.give_back(second, 10)
    assert window.empty_in_s(2.0) == 59.0  # until the first has left
    window.give_back(first, 60)
    assert (window.used(2.0), window.empty_in_s(2.0)) == (0, 0.0)


def test_what_comes_back_after_its_minute_comes_to_nothing():
    window = SlidingWindow(0.0)
    bucket = window.add(1.0, 60)
    window.used(61.0)
    window.add(61.0, 5)

    window.give_back(bucket, 60)

    assert window.used(61.0) == 5


def test_more_cannot_be_given_back_than_was_taken():
    window = SlidingWindow(0.0)
    bucket = window.add(1.0, 60)

    with pytest.raises(AssertionError):
        window.give_back(bucket, 61)


def test_an_amount_above_the_limit_waits_for_the_whole_window():
    window = SlidingWindow(0.0)
    window.add(1.0, 3)

    assert window.wait_s(11, 10, 1.0) == WINDOW_S


def test_a_clock_that_runs_backwards_stands_still():
    window = SlidingWindow(0.0)
    window.add(100.0, 1)
    window.add(40.0, 1)

    assert window.used(159.9) == 2
    assert window.used(160.0) == 0


@pytest.mark.parametrize("limit", [1, MAX_BUCKETS, MAX_BUCKETS + 1, 10**6])
def test_memory_is_bounded(limit):
    window = SlidingWindow(granularity_s(limit))
    now_s, largest = 0.0, 0
    for _ in range(20_000):
        now_s += 0.007
        admit(window, now_s, 1, limit)
        largest = max(largest, len(window))

    assert largest <= MAX_BUCKETS + 1


def test_memory_is_bounded_when_a_limit_shrinks():
    """Exact again, while the window still holds more than an exact one may."""
    window = SlidingWindow(granularity_s(10**6))
    for tick in range(10_000):
        window.add(tick * 0.001, 1)
    window.granularity_s = granularity_s(5)
    for tick in range(10_000):
        window.add(10 + tick * 0.001, 1)

    assert len(window) <= 2 * MAX_BUCKETS
    assert window.used(20.0) == 20_000
