"""The window never holds more than was let in under the limits, and gives room back in time."""

from hypothesis import given
from hypothesis import strategies as st

from arkway.routing.window import COARSE_S, WINDOW_S, Window
from support import strategies  # noqa: F401 - its profile

steps = st.lists(st.tuples(st.floats(0.0, 20.0), st.integers(1, 50)), max_size=60)


@given(steps, st.integers(50, 150))
def test_no_minute_holds_more_than_the_limit(steps, limit):
    window, now_s, let_in = Window(), 100.0, []
    for pause_s, tokens in steps:
        now_s += pause_s
        window.forget(now_s)
        if window.tokens + tokens <= limit:
            window.add(now_s, tokens)
            let_in.append((now_s, tokens))
        held = [it for at_s, it in let_in if now_s - WINDOW_S < at_s <= now_s]
        assert sum(held) <= limit
        window.forget(now_s)
        assert sum(held) <= window.tokens
        assert len(held) <= window.requests


@given(steps, st.integers(1, 200), st.integers(1, 20))
def test_room_comes_back_when_it_was_said_to(steps, tokens_over, requests_over):
    window, now_s = Window(), 100.0
    for pause_s, tokens in steps:
        now_s += pause_s
        window.add(now_s, tokens)
    window.forget(now_s)
    tokens, requests = window.tokens, window.requests
    if tokens_over > tokens or requests_over > requests:
        assert window.room_in_s(requests_over, tokens_over, now_s) == WINDOW_S
        return

    wait_s = window.room_in_s(requests_over, tokens_over, now_s)

    window.forget(now_s + wait_s + 1e-6)
    assert window.tokens <= tokens - tokens_over
    assert window.requests <= requests - requests_over


def test_what_is_settled_late_comes_to_nothing():
    window = Window()
    bucket = window.add(100.0, 10)
    window.settle(bucket, 0, -4)
    assert (window.requests, window.tokens) == (1, 6)

    window.forget(100.0 + WINDOW_S)
    window.settle(bucket, -1, -6)

    assert (window.requests, window.tokens) == (0, 0)


def test_memory_is_bounded_by_the_coarseness():
    window = Window()
    for at in range(20_000):
        window.add(at * 0.01, 1)
        window.forget(at * 0.01)

    assert len(window._buckets) <= WINDOW_S / COARSE_S + 1
