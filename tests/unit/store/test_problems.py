from difflib import SequenceMatcher

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arkway.control.settings import SCALAR_BY_PATH, SCALAR_BY_VARIABLE
from arkway.store.problems import Problem, did_you_mean, nearest

LETTERS = "abcdefghijklmnopqrstuvwxyz_"


@st.composite
def typos(draw, names):
    """A name with one character left out, doubled, changed, or two neighbours swapped."""
    name = draw(st.sampled_from(sorted(names)))
    at = draw(st.integers(0, len(name) - 2))
    kind = draw(st.sampled_from(["drop", "double", "change", "swap"]))
    return name, {
        "drop": name[:at] + name[at + 1 :],
        "double": name[:at] + name[at] + name[at:],
        "change": name[:at] + draw(st.sampled_from(LETTERS)) + name[at + 1 :],
        "swap": name[:at] + name[at + 1] + name[at] + name[at + 2 :],
    }[kind]


@given(typos(SCALAR_BY_PATH))
def test_one_slip_of_the_finger_is_led_back_to_the_setting(typo):
    name, written = typo
    assume(written not in SCALAR_BY_PATH)

    found = nearest(written, SCALAR_BY_PATH)
    assert found == name or likeness(written, found) >= likeness(written, name)


def likeness(one, other):
    """How much of two names is the same: a slip may lead half-way to another setting."""
    return SequenceMatcher(a=other, b=one).ratio()


@settings(max_examples=50)  # 2 ms a look-up
@given(typos(SCALAR_BY_VARIABLE))
def test_variables_are_found_whatever_their_case(typo):
    name, written = typo

    found = nearest(written.lower(), SCALAR_BY_VARIABLE)
    assert found == name or likeness(written, found) >= likeness(written, name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("prot", "did you mean port?"),
        ("PORT", "did you mean port?"),
        ("zzz", "known: host, port"),
    ],
)
def test_a_hint_is_the_nearest_name_or_all_of_them(name, hint):
    assert did_you_mean(name, ["port", "host"]) == hint


def test_there_is_no_hint_without_names():
    assert did_you_mean("x", []) == ""


def test_a_problem_is_one_line():
    assert str(Problem("a.b", "is wrong")) == "a.b: is wrong"
    assert str(Problem("a.b", "is wrong", "try c")) == "a.b: is wrong; try c"
