import json

import pytest

from arkway.cli.doctor.examine import examine
from arkway.cli.doctor.finding import Level, ok, problem, warning
from arkway.cli.flags import Place
from support.gateway import free_port
from support.stores import SECRET

SAID = [
    ok("home", "all is well there"),
    warning("disk", "little is left for all that comes in the next days", "make room"),
    problem("account main", "connecting failed", "is base_url right?"),
]


@pytest.fixture
def saying(monkeypatch):
    def say(*findings):
        monkeypatch.setattr("arkway.cli.doctor.examine.examine", lambda *_, **__: iter(findings))

    return say


def test_a_problem_is_exit_status_1_and_a_line_each_in_a_pipe(arkway, saying):
    saying(*SAID)
    status, out, err = arkway("doctor")

    assert (status, err) == (1, "")
    assert out.splitlines() == [
        "ok       home          all is well there",
        "warning  disk          little is left for all that comes in the next days -> make room",
        "problem  account main  connecting failed -> is base_url right?",
        "3 checks: 1 problem, 1 warning",
    ]


def test_warnings_alone_are_exit_status_0(arkway, saying):
    saying(*SAID[:2])

    assert arkway("doctor")[0] == 0


def test_quiet_leaves_out_what_is_well(arkway, saying):
    saying(*SAID)
    assert "ok " not in arkway("doctor", "--quiet")[1]
    saying(SAID[0])
    assert arkway("doctor", "--quiet") == (0, "1 checks, all well\n", "")


def test_json_has_counts_and_every_finding(arkway, saying):
    saying(*SAID)
    status, out, _ = arkway("doctor", "--json")
    found = json.loads(out)

    assert status == 1
    assert {name: found[name] for name in ("ok", "problems", "warnings")} == {
        "ok": False, "problems": 1, "warnings": 1,
    }  # fmt: skip
    assert found["findings"][2] == {
        "check": "account main", "level": "problem", "text": "connecting failed",
        "advice": "is base_url right?",
    }  # fmt: skip


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_terminal_gets_lines_within_its_width(arkway, saying, monkeypatch, columns):
    saying(*SAID)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = arkway("doctor")

    assert max(map(len, out.splitlines())) <= columns
    assert "                       -> make room" in out.splitlines()


def test_colours_are_for_terminals(arkway, saying, monkeypatch):
    saying(*SAID)
    assert "\x1b" not in arkway("doctor")[1]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31;1mproblem " in arkway("doctor")[1]


def test_every_check_is_made_and_nothing_is_left_behind(arkway, monkeypatch):
    monkeypatch.setenv("ARKWAY_SECRET_KEY", SECRET)
    monkeypatch.setenv("ARKWAY_SERVER_PORT", str(free_port()))
    monkeypatch.setenv("ARKWAY_SERVER_OPS_PORT", str(free_port()))
    arkway("keys", "create", "--name", "k")
    arkway("accounts", "add", "a", "--dialect", "openai", "--base-url", "http://127.0.0.1:1/v1")
    before = {path.name: path.read_bytes() for path in arkway.home.iterdir()}

    found = list(examine(Place(arkway.home, None), offline=False))

    checks = {each.check for each in found}
    assert checks == {
        "home", "configuration", "store", "models", "ledger", "disk", "gateway", "ports",
        "account a", "descriptors", "python", "clock",
    }  # fmt: skip
    problems = [each.check for each in found if each.level is Level.PROBLEM]
    assert problems == ["account a"]
    assert all(each.advice for each in found if each.level is Level.PROBLEM)
    assert {path.name: path.read_bytes() for path in arkway.home.iterdir()} == before


def test_offline_connects_to_nobody(arkway, monkeypatch):
    def refuse(*_):
        raise AssertionError("asked to be offline")

    monkeypatch.setattr("arkway.cli.doctor.upstreams.reach", refuse)

    assert list(examine(Place(arkway.home, None), offline=True))
