import pytest

from arkway.console.texts import Texts
from arkway.control.advice import ADVICE, advice, case_of
from arkway.model.outcome import Ending, ErrorClass


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("error_class", ErrorClass)
def test_there_is_advice_for_every_way_to_fail(ending, error_class):
    assert advice(ending.value, error_class.value) in ADVICE.values()


def test_a_refusal_is_judged_by_its_class_and_the_rest_by_its_ending():
    cases = {case_of("refused", each.value) for each in ErrorClass}

    assert cases == {each.value for each in ErrorClass}
    assert case_of("completed", "") == "fine"
    assert case_of("not_sent", "transient") == "unreachable"
    assert case_of("ambiguous", "transient") == "silent"
    assert set(ADVICE) == cases | {"fine", "unreachable", "silent"}


def test_the_console_says_the_same_in_english():
    t = Texts("en")

    assert {case: t(f"advice.{case}") for case in ADVICE} == dict(ADVICE)
