import pytest

from arkway.control.proof import GOOD_FOR_S, is_proved, proof

KEY, TARGET, NOW = b"k" * 32, "/accounts/test?account=a&revision=3", 1_700_000_000


def test_a_proof_is_good_for_its_request_and_a_while():
    given = proof(KEY, TARGET, NOW)

    for now in (NOW - GOOD_FOR_S, NOW, NOW + GOOD_FOR_S):
        assert is_proved(KEY, TARGET, given, now)
    for now in (NOW - GOOD_FOR_S - 1, NOW + GOOD_FOR_S + 1):
        assert not is_proved(KEY, TARGET, given, now)
    assert not is_proved(KEY, TARGET + "0", given, NOW)
    assert not is_proved(b"j" * 32, TARGET, given, NOW)


@pytest.mark.parametrize(
    "given", ["", ".", "1", f"{NOW}", f"{NOW}.", f"{NOW}.zz", f"-{NOW}.ab", "9" * 400 + ".ab",
              f"{NOW}.\u00e9", "\u0661.ab", "nan.ab"],
)  # fmt: skip
def test_what_is_no_proof_is_refused(given):
    assert not is_proved(KEY, TARGET, given, NOW)


def test_another_time_needs_another_mac():
    _, _, mac = proof(KEY, TARGET, NOW - 1000).partition(".")

    assert not is_proved(KEY, TARGET, f"{NOW}.{mac}", NOW)
