import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission.durations import format_ms, rate_lines, whole_ms
from support import strategies  # noqa: F401 - its profile

UNITS_MS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


def read_ms(text):
    """What a reader of Go's durations makes of it."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s)", text)
    assert "".join(number + unit for number, unit in parts) == text
    return round(sum(float(number) * UNITS_MS[unit] for number, unit in parts))


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, b"0s"),
        (1, b"1ms"),
        (17, b"17ms"),
        (999, b"999ms"),
        (1000, b"1s"),
        (1500, b"1.5s"),
        (8640, b"8.64s"),
        (59_999, b"59.999s"),
        (60_000, b"1m0s"),
        (61_010, b"1m1.01s"),
        (360_000, b"6m0s"),
        (3_600_000, b"1h0m0s"),
        (90_061_001, b"25h1m1.001s"),
    ],
)
def test_a_duration_is_written_the_way_openai_does(ms, text):
    assert format_ms(ms) == text


@given(st.integers(0, 10**9))
def test_a_duration_can_be_read_back(ms):
    assert read_ms(format_ms(ms).decode()) == ms


@given(st.floats(0, 1e5), st.floats(0, 1e7))
def test_waiting_the_whole_milliseconds_is_enough(wait_s, now_s):
    waited_s = (now_s + whole_ms(wait_s) / 1000) - now_s

    assert wait_s <= waited_s + (1e-8 if wait_s == 0 else 0)
    assert whole_ms(wait_s) <= wait_s * 1000 + 1.01


def test_the_lines_of_a_limit():
    assert rate_lines(b"tokens", 1000, 250, 1.5) == (
        b"x-ratelimit-limit-tokens: 1000\r\n"
        b"x-ratelimit-remaining-tokens: 750\r\n"
        b"x-ratelimit-reset-tokens: 1.501s\r\n"
    )


def test_nothing_remains_of_what_is_overdrawn():
    assert b"x-ratelimit-remaining-requests: 0\r\n" in rate_lines(b"requests", 10, 12, 0.0)
