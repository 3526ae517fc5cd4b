"""Every walk of a few steps, beside a model that is a table."""

from itertools import product
from math import inf

import pytest

from arkway.routing.outlier import OutlierDetector, OutlierPolicy

POLICY = OutlierPolicy(consecutive_failures=3, base_ejection_s=10.0, max_ejection_s=25.0)


class Model:
    """What the docstrings say, at length."""

    def __init__(self):
        self.in_a_row = 0
        self.ejections = 0
        self.until_s = -inf

    def success(self, now_s):
        self.__init__()

    def failure(self, now_s):
        if now_s < self.until_s:
            return None
        self.in_a_row += 1
        # Before the first ejection it takes three; after one, each failure is enough.
        if self.in_a_row < 3:
            return None
        self.in_a_row = 2
        return self.eject(now_s)

    def eject(self, now_s):
        if now_s >= self.until_s:
            self.ejections += 1
            self.until_s = now_s + [10.0, 20.0, 25.0][min(self.ejections, 3) - 1]
        return self.until_s - now_s


STEPS = {
    "success": lambda it, now_s: it.on_success(),
    "failure": lambda it, now_s: it.on_failure(now_s),
    "eject": lambda it, now_s: it.eject(now_s),
    "5 s": None,
    "20 s": None,
}


def test_every_walk_of_six_steps():
    for walk in product(STEPS, repeat=6):
        detector, model, now_s = OutlierDetector(POLICY), Model(), 100.0
        for step in walk:
            if step.endswith("s") and step != "success":
                now_s += float(step.split()[0])
            else:
                returned = STEPS[step](detector, now_s)
                assert returned == getattr(model, step)(now_s), walk
            assert detector.is_ejected(now_s) is (now_s < model.until_s), walk


def eject_by_failures(detector, now_s):
    return [detector.on_failure(now_s) for _ in range(3)]


def test_failures_in_a_row_eject():
    detector = OutlierDetector(POLICY)

    assert eject_by_failures(detector, 0.0) == [None, None, 10.0]
    assert detector.is_ejected(9.999)
    assert not detector.is_ejected(10.0)


def test_ejections_in_a_row_last_longer_up_to_a_bound():
    detector, now_s, lengths = OutlierDetector(POLICY), 0.0, []

    eject_by_failures(detector, now_s)
    for _ in range(4):
        now_s += 100.0
        lengths.append(detector.on_failure(now_s))

    assert lengths == [20.0, 25.0, 25.0, 25.0]


def test_a_success_forgets_everything():
    detector = OutlierDetector(POLICY)
    eject_by_failures(detector, 0.0)

    detector.on_success()

    assert not detector.is_ejected(0.0)
    assert eject_by_failures(detector, 1.0) == [None, None, 10.0]


def test_late_answers_of_calls_sent_before_an_ejection_add_nothing():
    detector = OutlierDetector(POLICY)
    eject_by_failures(detector, 0.0)

    assert [detector.on_failure(at) for at in (0.0, 5.0, 9.9)] == [None] * 3
    assert detector.eject(5.0) == pytest.approx(5.0)
    assert detector.on_failure(10.0) == 20.0


def test_the_defaults_are_envoys():
    assert OutlierPolicy() == OutlierPolicy(5, 30.0, 300.0)
