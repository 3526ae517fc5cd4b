"""May a call be sent once more? What its failures say, and the operator's bound."""

import pytest

from arkway.model.outcome import ErrorClass
from arkway.routing.retries import MOST_IN_OVERLOAD, MOST_WHEN_LIMITED, may_help

LIMITED, TRANSIENT = ErrorClass.ACCOUNT_LIMITED, ErrorClass.TRANSIENT
OVERLOAD, CALLER = ErrorClass.POOL_LIMITED, ErrorClass.CALLER


def attempts(most, *classes, then):
    """How many attempts a call makes whose first ones fail as told, all others as `then` says."""
    failed = [*classes, then][:1]
    while may_help(failed, most):
        failed = [*classes, *[then] * 20][: len(failed) + 1]
    return len(failed)


@pytest.mark.parametrize("most", [1, 2, 3, 10])
def test_failures_end_at_the_operators_bound(most):
    assert attempts(most, then=TRANSIENT) == most


@pytest.mark.parametrize(("most", "made"), [(1, 1), (2, 5), (3, 5), (10, 10)])
def test_limits_alone_may_refuse_a_call_more_often_but_not_where_nothing_is_retried(most, made):
    assert attempts(most, then=LIMITED) == made
    assert made in (most, MOST_WHEN_LIMITED)


def test_a_failure_among_refusals_counts_them_all():
    assert attempts(3, LIMITED, TRANSIENT, then=LIMITED) == 3
    assert attempts(3, LIMITED, LIMITED, LIMITED, then=TRANSIENT) == 4


@pytest.mark.parametrize(("most", "made"), [(1, 1), (2, 2), (3, MOST_IN_OVERLOAD)])
def test_where_every_account_says_the_same_one_more_is_enough(most, made):
    assert attempts(most, then=OVERLOAD) == made


def test_what_is_the_callers_own_fault_is_final():
    assert attempts(3, then=CALLER) == 1
    assert attempts(3, TRANSIENT, then=CALLER) == 2
