import typing

import msgspec
import pytest

from arkway.simulate.ark.faults import INSTEAD, KINDS, WITHIN, FaultRule, Faults, Kind

MODELS = ("ep-1", "doubao")


def struck(rules, times=10, now_s=0.0, account="a", models=MODELS, is_stream=False, seed=1):
    faults = Faults(seed)
    faults.set(rules, 0.0)
    picked = [faults.pick(now_s, account, models, is_stream) for _ in range(times)]
    return [fault and fault.kind for fault in picked]


def rule(kind="cut", **more):
    return FaultRule(kind=kind, **more)


def test_the_kinds_are_all_of_one_sort():
    assert set(typing.get_args(Kind)) == set(KINDS)
    assert len(KINDS) == len(set(KINDS)) == 1 + len(INSTEAD) + len(WITHIN)
    assert [kind for kind in KINDS if FaultRule(kind=kind).is_instead] == list(INSTEAD)


def test_a_rule_strikes_all_calls_of_everybody():
    assert struck([rule()], 3) == ["cut"] * 3


@pytest.mark.parametrize(
    ("where", "strikes"),
    [
        ({"accounts": ("a",)}, True),
        ({"accounts": ("b",)}, False),
        ({"models": ("ep-1",)}, True),
        ({"models": ("doubao",)}, True),
        ({"models": ("other",)}, False),
        ({"stream": False}, True),
        ({"stream": True}, False),
        ({"from_s": 5}, False),
        ({"to_s": 5}, True),
        ({"to_s": 0}, False),
    ],
)
def test_whom_it_strikes(where, strikes):
    assert struck([rule(**where)], 1) == ["cut" if strikes else None]


def test_from_and_to_are_counted_from_when_the_rule_was_set():
    faults = Faults(1)
    faults.set([rule(from_s=10, to_s=20)], 100.0)

    times = (109.9, 110.0, 119.9, 120.0)
    assert [bool(faults.pick(t, "a", MODELS, False)) for t in times] == [False, True, True, False]


def test_every_third_and_no_more_than_two():
    assert struck([rule(every=3)]) == [None, None, "cut"] * 3 + [None]
    assert struck([rule(at_most=2)], 4) == ["cut", "cut", None, None]


def test_every_counts_only_the_calls_it_could_strike():
    faults = Faults(1)
    faults.set([rule(every=2, accounts=("a",))], 0.0)
    order = "aabbbaa"

    hits = [bool(faults.pick(0.0, account, MODELS, False)) for account in order]

    assert hits == [False, True, False, False, False, False, True]


def test_chance_is_repeatable_by_its_seed_and_independent_of_other_rules():
    one = struck([rule(probability=0.3)], 1_000)

    assert one == struck([rule(probability=0.3)], 1_000)
    assert one != struck([rule(probability=0.3)], 1_000, seed=2)
    assert 240 < one.count("cut") < 360


def test_the_first_rule_that_strikes_counts():
    assert struck([rule("stall", every=2), rule("cut")], 4) == ["cut", "stall"] * 2


def test_refusals_go_by_account_and_time():
    faults = Faults(1)
    faults.set([rule("refuse", accounts=("a",), from_s=1, to_s=3)], 0.0)

    assert [faults.is_refused(t, "a") for t in (0.5, 1.0, 2.9, 3.0)] == [False, True, True, False]
    assert not faults.is_refused(2.0, "b")
    assert [faults.refusals_change_at_s(t) for t in (0.0, 1.0, 3.0)] == [1, 3, None]
    assert faults.pick(2.0, "a", MODELS, False) is None, "they never reach a call"


def test_rules_show_how_often_they_struck():
    faults = Faults(1)
    faults.set([rule(every=2)], 0.0)
    for _ in range(5):
        faults.pick(0.0, "a", MODELS, False)

    assert [count for _, count in faults.rules] == [2]


@pytest.mark.parametrize("raw", [{"kind": "x"}, {"kind": "cut", "nope": 1}, {"probability": 0.5}])
def test_bad_rules(raw):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, FaultRule)
