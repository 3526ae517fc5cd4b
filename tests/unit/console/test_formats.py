import pytest

from arkway.console import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.5, "0.5"), (9.994, "9.99"), (12.34, "12.3"), (999.4, "999"), (999.6, "1k"),
     (1234, "1.23k"), (800_000, "800k"), (2_345_678, "2.35M"), (5e9, "5B"), (-1500, "-1.5k")],
)  # fmt: skip
def test_short(value, text):
    assert formats.short(value) == text


def test_count_uses_thin_spaces():
    assert formats.count(1234567) == "1\u202f234\u202f567"


@pytest.mark.parametrize(
    ("nano", "text"),
    [(0, "¥0"), (1, "¥0.000000"), (2_534_800, "¥0.002535"), (123_400_000, "¥0.1234"),
     (12_345_000_000, "¥12.35"), (-5_000_000_000, "-¥5.00"), (1_175_990_000_000, "¥1,175.99")],
)  # fmt: skip
def test_money(nano, text):
    assert formats.money(nano) == text
    assert formats.money(10**9, "USD") == "USD 1.00"


@pytest.mark.parametrize(
    ("ms", "text"),
    [(None, "\u2013"), (12, "12 ms"), (999, "999 ms"), (3420, "3.42 s"), (125_000, "2 min 5 s")],
)
def test_millis(ms, text):
    assert formats.millis(ms) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [(None, "\u2013"), (0.0, "0.0 %"), (0.0004, "< 0.1 %"), (0.834, "83.4 %"), (1.0, "100.0 %")],
)
def test_share(part, text):
    assert formats.share(part) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 s"), (70, "1 min"), (3700, "1 h 1 min"), (90_061, "1 d 1 h"), (432_000, "5 d 0 h")],
)
def test_lasting(seconds, text):
    assert formats.lasting(seconds) == text


def test_times_are_utc():
    assert formats.moment(1_793_491_200_000) == "2026-11-01 00:00:00"
    assert formats.day(1_793_491_200_000) == "2026-11-01"
    assert formats.clock(1_793_491_261_000) == "00:01:01"
    assert formats.day(None) == formats.NOTHING


def test_a_limit_that_is_nearly_used_is_coloured():
    assert [formats.tone_of_share(part) for part in (0.5, 0.8, 0.95, 2)] == [
        "",
        "warn",
        "bad",
        "bad",
    ]
