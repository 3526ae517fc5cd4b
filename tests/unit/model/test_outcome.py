from arkway.model.errors import UpstreamError
from arkway.model.outcome import HOPS, AttemptFailed, Ending, ErrorClass


def test_only_the_callers_fault_and_a_shared_limit_stay_where_they_are():
    assert set(ErrorClass) - HOPS == {
        ErrorClass.CALLER,
        ErrorClass.MODERATION,
        ErrorClass.POOL_LIMITED,
    }


def test_a_failure_carries_what_to_say_and_to_whom():
    error = UpstreamError("for the caller")

    failure = AttemptFailed(Ending.REFUSED, ErrorClass.TRANSIENT, error, "for the log")

    assert str(failure) == failure.reason == "for the log"
    assert failure.error is error
    assert (failure.ending, failure.error_class) == (Ending.REFUSED, ErrorClass.TRANSIENT)
