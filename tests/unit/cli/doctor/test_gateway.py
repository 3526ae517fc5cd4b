import socket

import pytest

from arkway.cli.doctor.finding import Level
from arkway.cli.doctor.gateway import Gateway, judge, judge_accounts, look
from arkway.cli.live import OpsPort
from support.ops import Ops, account_now, status_of

AT = OpsPort("127.0.0.1", 8082)


def findings(status, revision=4):
    return [each for each in judge(Gateway(AT, status), revision) if each.level is not Level.OK]


def test_a_gateway_that_is_well_is_one_line():
    (finding,) = judge(Gateway(AT, status_of()), 4)

    assert finding.level is Level.OK
    assert "ready" in finding.text
    assert "up 2 h" in finding.text


@pytest.mark.parametrize("state", ["starting", "draining", "no account", "ledger closed"])
def test_every_state_but_ready_is_a_problem_with_advice(state):
    (finding,) = findings(status_of(state=state))

    assert finding.level is Level.PROBLEM
    assert finding.advice


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"version": "0.0.1"}, "it runs 0.0.1"),
        ({"revision": 3}, "the store is at revision 4, and it serves 3"),
        ({"last_change_lag_s": 4.0}, "took 4.0 s"),
        ({"attention": [{"what": "event_loop_late", "detail": "Late."}]}, "Late"),
        ({"attention": [{"what": "new_trouble", "detail": "Odd."}]}, "Odd"),
    ],
)
def test_what_is_not_as_it_should_be_is_a_warning(changes, part):
    (finding,) = findings(status_of(**changes))

    assert finding.level is Level.WARNING
    assert part in finding.text
    assert finding.advice


def test_a_store_that_was_not_read_is_not_compared():
    assert findings(status_of(), revision=0) == []


def test_no_gateway_is_no_problem_and_another_one_is(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as wire:
        port = wire.getsockname()[1]
    (none,) = judge(look(OpsPort("127.0.0.1", port), tmp_path), 0)
    with Ops() as ops:
        ops.status = status_of("/elsewhere")
        (other,) = judge(look(OpsPort("127.0.0.1", ops.port), tmp_path), 0)
        ops.raw = b"hello"
        (odd,) = judge(look(OpsPort("127.0.0.1", ops.port), tmp_path), 0)

    assert (none.level, other.level, odd.level) == (Level.OK, Level.PROBLEM, Level.PROBLEM)
    assert "/elsewhere" in other.text
    assert "no gateway" in odd.text


def test_a_port_that_is_chosen_at_the_start_cannot_be_asked(tmp_path):
    (finding,) = judge(look(OpsPort("h", 0), tmp_path), 0)

    assert finding.level is Level.OK


@pytest.mark.parametrize(
    ("changes", "level", "part"),
    [
        ({}, Level.OK, "healthy"),
        ({"state": "draining"}, Level.OK, "draining, 3 calls left"),
        ({"state": "ejected", "reason": "5 failures", "returns_in_s": 30.0}, Level.WARNING,
         "5 failures; it is tried again in 30 s"),
        ({"state": "partly", "reason": "404"}, Level.WARNING, "for some models"),
        ({"state": "broken", "reason": "status 401"}, Level.PROBLEM, "until you act: status 401"),
        ({"limits": {"tokens": 0.95, "requests": 0.2}}, Level.WARNING, "95% of tokens"),
    ],
)  # fmt: skip
def test_each_account_is_as_the_gateway_finds_it(changes, level, part):
    (finding,) = judge_accounts(Gateway(AT, status_of("/h", account_now(**changes))), ["main"])

    assert (finding.check, finding.level) == ("account main", level)
    assert part in finding.text
    if level is Level.PROBLEM:
        assert "arkway accounts test main" in finding.advice


def test_an_account_that_the_gateway_has_not_is_a_problem():
    (finding,) = judge_accounts(Gateway(AT, status_of("/h", account_now("a"))), ["b"])

    assert finding.level is Level.PROBLEM
    assert "--key-stdin" in finding.advice
    assert list(judge_accounts(Gateway(AT), ["b"])) == []
