"""Which calls count for the share of failures? Those of the window, however it began."""

import pytest

from arkway.routing.health import Health
from arkway.routing.policy import RoutingPolicy

POLICY = RoutingPolicy(failures_in_a_row=5, failure_window_s=30.0, failure_window_calls=10)


class Account:
    def __init__(self):
        self.health, self.now_s = Health(POLICY), 1000.0

    def calls(self, story, seconds_each):
        """Make calls, `+` answered and `-` failed; return whether one ejected the account."""
        ejected = False
        for what in story:
            self.now_s += seconds_each
            if what == "+":
                self.health.on_success(self.now_s, self.now_s)
            elif self.health.on_failure(self.now_s, self.now_s, "r", 0.0) is not None:
                ejected = True
        return ejected


@pytest.mark.parametrize("story", ["--+" * 4, "+--" * 4, "----+-" * 2])
def test_more_than_half_of_ten_calls_eject(story):
    assert Account().calls(story, 0.1)


@pytest.mark.parametrize("story", ["+-" * 40, "--+--++", "----"])
def test_half_or_few_do_not(story):
    assert not Account().calls(story, 0.1)


def test_a_short_burst_at_a_busy_account_is_a_small_share():
    busy = Account()
    busy.calls("+" * 100, 0.2)

    assert not busy.calls("--+" * 5, 0.01)


@pytest.mark.parametrize("quiet_s", [30.1, 10_000.0])
def test_what_is_older_than_the_window_says_nothing(quiet_s):
    account = Account()
    account.calls("+" * 100, 0.2)
    account.now_s += quiet_s

    assert account.calls("--+" * 4, 0.1)


def test_failures_that_are_seldom_never_add_up():
    assert not Account().calls("--+" * 40, 8.0)
