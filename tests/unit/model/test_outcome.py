from arkway.model.errors import UpstreamError
from arkway.model.outcome import RETRIED, AttemptFailed, Ending, ErrorClass


def test_only_what_is_the_requests_own_fault_is_not_tried_again():
    assert set(ErrorClass) - RETRIED == {ErrorClass.CALLER, ErrorClass.MODERATION}


def test_a_failure_carries_what_to_say_and_to_whom():
    error = UpstreamError("for the caller")

    failure = AttemptFailed(Ending.REFUSED, ErrorClass.TRANSIENT, error, "for the log")

    assert str(failure) == failure.reason == "for the log"
    assert failure.error is error
    assert (failure.ending, failure.error_class) == (Ending.REFUSED, ErrorClass.TRANSIENT)
