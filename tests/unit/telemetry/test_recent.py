import pytest

from arkway.telemetry.events import FAILED
from arkway.telemetry.meter import Meter
from arkway.telemetry.recent import KEEP_S, Recent, percentiles, totals
from support.telemetry import call, failed_attempt, served_attempt


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], (None, None, None, 0)),
        ([3.0], (3.0, 3.0, 3.0, 1)),
        (range(1, 101), (50, 95, 99, 100)),
        ([2.0, 1.0], (1.0, 2.0, 2.0, 2)),
    ],
)
def test_percentiles_are_values_that_there_were(values, expected):
    found = percentiles(values)

    assert (found["p50"], found["p95"], found["p99"], found["count"]) == expected


def test_totals_are_sums_over_models_and_accounts():
    meter = Meter()
    meter.on_call(call(failed_attempt("a"), served_attempt("b", attempt=2)))
    meter.on_call(call(served_attempt(model="Other"), model="Other"))
    meter.on_call(call(failed_attempt(), outcome=FAILED, status=502))
    meter.on_error(502, "upstream_error", "")

    assert totals(meter.counters()) == {
        "calls": 3,
        "failed": 1,
        "class_transient": 2,
        "errors": 1,
        "input": 200,
        "cached_input": 100,
        "output": 40,
        "reasoning": 10,
        "cost_CNY": 14_000,
    }


def test_a_change_is_since_the_oldest_note_within_the_window():
    recent = Recent()
    for second in range(200):
        recent.note(float(second), {"calls": second * 10})

    assert recent.change(199.5, {"calls": 2000, "new": 4}, 10.0) == (9.5, {"calls": 100, "new": 4})
    seconds, added = recent.change(199.5, {"calls": 2000}, KEEP_S)
    assert (seconds, added) == (59.5, {"calls": 600})


def test_without_a_note_nothing_is_said():
    recent = Recent()
    recent.note(5.0, {"calls": 1})

    assert recent.change(5.0, {"calls": 2}, 10.0) == (0.0, {})
    assert recent.change(100.0, {"calls": 2}, 10.0) == (0.0, {})
