import os
import resource
import time

import pytest

from arkway.cli.doctor import machine
from arkway.cli.doctor.finding import Level
from arkway.cli.doctor.machine import Clock, Fds, Python

NOW_S = 1_790_000_000.0
BEFORE, AFTER = Clock(NOW_S, 5.0), Clock(NOW_S + 1, 6.0)


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (Python((3, 11, 2), True, False, False), Level.OK),
        (Python((3, 11, 2), False, True, False), Level.OK),
        (Python((3, 11, 2), False, False, False), Level.WARNING),
        (Python((3, 13, 0), True, True, True), Level.WARNING),
    ],
)
def test_a_slow_build_is_a_warning(found, level):
    finding = machine.judge_python(found)

    assert finding.level is level
    assert bool(finding.advice) == (level is Level.WARNING)


def test_this_interpreter_is_looked_at():
    assert machine.python().version[0] == 3


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (Fds(1024, 14_200), Level.OK),  # a start raises the soft limit to the hard one
        (Fds(1024, 4096), Level.WARNING),
        (Fds(1024, -1), Level.OK),
        (Fds(1024, 65_536, is_gateways=True), Level.WARNING),
        (Fds(65_536, 65_536, is_gateways=True), Level.OK),
    ],
)
def test_descriptors_must_suffice_for_every_connection(found, level):
    finding = machine.judge_fds(found, 10_000, 4, 1024)

    assert finding.level is level
    if level is Level.WARNING:
        assert "LimitNOFILE=14196" in finding.advice


def test_limits_are_those_of_the_process_that_is_meant():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert machine.fds(None) == Fds(*limits)
    assert machine.fds(os.getpid()) == Fds(*limits, is_gateways=True)
    assert machine.fds(999_999_999) == Fds(*limits)


def test_a_clock_that_can_be_right_is_well_in_every_time_zone(monkeypatch):
    texts = set()
    for zone in ("UTC", "Asia/Shanghai", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        finding = machine.judge_clock(BEFORE, AFTER, NOW_S - 5)
        assert finding.level is Level.OK
        texts.add(finding.text)
    monkeypatch.undo()
    time.tzset()
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("before", "after", "last_row_s", "level"),
    [
        (Clock(0.0, 5.0), Clock(1.0, 6.0), None, Level.PROBLEM),  # 1970: no battery
        (Clock(5e9, 5.0), Clock(5e9 + 1, 6.0), None, Level.PROBLEM),
        (BEFORE, AFTER, NOW_S + 3600, Level.PROBLEM),  # it was put back
        (BEFORE, AFTER, NOW_S + 30, Level.OK),
        (BEFORE, Clock(NOW_S + 9, 6.0), None, Level.WARNING),
        (BEFORE, Clock(NOW_S - 9, 6.0), None, Level.WARNING),
    ],
)
def test_a_clock_that_cannot_be_right(before, after, last_row_s, level):
    finding = machine.judge_clock(before, after, last_row_s)

    assert finding.level is level
    assert ("NTP" in finding.advice) == (level is not Level.OK)
