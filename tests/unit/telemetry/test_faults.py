import pytest

from arkway.telemetry.families import OTHER
from arkway.telemetry.faults import DAY_S, HOUR_S, MAX_SETS, FaultCount, Faults

LIMITED = ("a", "account_limited", "RateLimitExceeded")
SILENT = ("a", "transient", "timeout")


def test_counts_are_of_the_last_hour_and_the_last_day_the_most_frequent_first():
    faults = Faults()
    faults.add(SILENT, 100.0)
    for _ in range(3):
        faults.add(LIMITED, 100.0 + HOUR_S)
    faults.add(("b", "broken", "AccountOverdueError"), 101.0 + HOUR_S)
    faults.add(SILENT, 102.0 + HOUR_S)

    found = faults.of(["a", "b", "c"], 160.0 + HOUR_S)

    assert found == {
        "a": [
            FaultCount("account_limited", "RateLimitExceeded", 3, 3),
            FaultCount("transient", "timeout", 1, 2),
        ],
        "b": [FaultCount("broken", "AccountOverdueError", 1, 1)],
        "c": [],
    }


@pytest.mark.parametrize("began_s", [0.0, 59.0, 1_000.5])
def test_what_is_old_leaves_within_a_step(began_s):
    faults = Faults()
    faults.add(LIMITED, began_s)

    def hour_and_day(after_s):
        found = faults.of(["a"], began_s + after_s)["a"]
        return [(each.hour, each.day) for each in found]

    assert hour_and_day(HOUR_S - 61) == [(1, 1)]
    assert hour_and_day(HOUR_S + 1) == [(0, 1)]
    assert hour_and_day(DAY_S - 1801) == [(0, 1)]
    assert hour_and_day(DAY_S + 1) == []


def test_what_is_beyond_the_bound_is_other_and_no_memory_grows():
    faults = Faults()
    for number in range(MAX_SETS + 50):
        faults.add(("a", "transient", f"code {number}"), 1.0)
    faults.add(("a", "transient", "code 0"), 1.0)

    found = faults.of(["a", OTHER], 2.0)

    assert len(found["a"]) == MAX_SETS
    assert found["a"][0] == FaultCount("transient", "code 0", 2, 2)
    assert found[OTHER] == [FaultCount(OTHER, OTHER, 50, 50)]
    for step in range(10_000):
        faults.add(SILENT, 60.0 * step)
    assert len(faults._hour._steps) <= 61
    assert len(faults._day._steps) <= 49
