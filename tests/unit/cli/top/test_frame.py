import pytest
from rich.console import Console

from arkway.cli.top.frame import bar, frame, number, seconds, span
from support.ops import account_now, status_of


def drawn(status, width=120):
    console = Console(width=width, color_system=None, highlight=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(frame(status, width, "http://h:1"))
    return captured.get()


def test_a_picture_has_every_number_an_operator_asks_for():
    text = drawn(status_of())

    for part in ("ready", "up 2 h 2 min", "http://h:1", "12.5", "3 400", "900", "200 ms", "1.25 s"):
        assert part in text
    assert "50.0%" in text, "cache hits"
    assert "3.60 CNY/h" in text
    assert "account limited 1.5   transient 0.1" in text, "the most first"
    assert "█████───── " in text


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_account_is_lost(width):
    accounts = [account_now(f"ark-{n}", state="ejected", reason="5 failures in a row",
                            returns_in_s=12.0) for n in range(5)]  # fmt: skip
    text = drawn(status_of("/h", *accounts), width)

    assert max(map(len, text.splitlines())) <= width
    if width >= 80:
        assert all(f"ark-{n}" in text for n in range(5))
        assert "ejected" in text


@pytest.mark.parametrize("width", [28, 60, 80])
def test_a_small_terminal_has_every_name_whole(width):
    text = drawn(status_of("/h", account_now("main")), width)

    names = ("first token p50", "first token p95", "first token p99", "tokens/s in", "connections")
    assert [name for name in names if name not in text] == []
    assert width < 60 or [name for name in ("ACCOUNT", "AT ONCE", "WHY") if name not in text] == []


def test_what_needs_somebody_is_below_and_not_said_twice():
    needs = [{"what": "account_broken", "detail": "main: x"}, {"what": "event_loop_late",
             "detail": "late"}]  # fmt: skip
    text = drawn(status_of("/h", attention=needs))

    assert "! event loop late: late" in text
    assert "account broken" not in text


def test_a_gateway_without_traffic_has_dashes():
    nothing = {"p50": None, "p95": None, "p99": None, "count": 0}
    text = drawn(status_of("/h", account_now(limits={}, cached_share=None), cache_hit_ratio=None,
                           time_to_first_token_s=nothing, call_duration_s=nothing))  # fmt: skip

    assert "None" not in text


def test_a_gateway_of_an_earlier_version_is_shown_too():
    status = status_of()
    del status["rates"]["failed_attempts_per_s"]
    for each in status["accounts"]:
        del each["limits"], each["cached_share"]

    assert "main" in drawn(status)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, "──────────   0%"), (1.0, "██████████ 100%"), (1.3, "██████████ 130%"), (None, "-")],
)
def test_a_bar_is_as_full_as_its_limit(share, expected):
    assert bar(share).plain == expected


def test_a_bar_of_a_part_of_a_cell():
    assert bar(0.55).plain.startswith("█████▌────")
    assert len(bar(0.5).plain) == len(bar(0.01).plain)


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "0"), (0.25, "0.25"), (12.34, "12.3"), (1234567, "1 234 567")]
)
def test_numbers_are_short(value, expected):
    assert number(value) == expected


def test_times_are_as_people_say_them():
    assert [span(s) for s in (5, 65, 3600, 200_000)] == ["5 s", "1 min 5 s", "1 h 0 min", "2 d 7 h"]
    assert (seconds(0.0123), seconds(2), seconds(None)) == ("12 ms", "2.00 s", "-")
