import fcntl
import os
import socket

import pytest

from arkway.cli.doctor.finding import Level
from arkway.cli.doctor.ports import Holder, judge, listener, lock_holder, name_of


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_who_listens_is_found(family, host):
    with socket.socket(family) as wire:
        try:
            wire.bind((host, 0))
        except OSError:
            pytest.skip(f"no {host} here")
        wire.listen()
        port = wire.getsockname()[1]
        assert listener(port) == Holder(os.getpid(), name_of(os.getpid()))
    assert listener(port) is None


def test_who_holds_a_lock_is_found_without_taking_it(tmp_path):
    path = tmp_path / "ledger.lock"
    assert lock_holder(path) is None
    with path.open("wb") as held:
        assert lock_holder(path) is None
        fcntl.flock(held, fcntl.LOCK_EX)
        assert lock_holder(path).pid == os.getpid()
    assert lock_holder(path) is None


def test_another_system_says_nothing(tmp_path):
    (tmp_path / "lock").touch()

    assert listener(80, tmp_path) is None
    assert lock_holder(tmp_path / "lock", tmp_path) is None


def test_a_process_of_another_user_does_not_say_its_name(tmp_path):
    (tmp_path / "net").mkdir()
    line = "0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 4242 1"
    (tmp_path / "net" / "tcp").write_text(f"heading\n{line}\n")

    assert listener(8080, tmp_path) == Holder(None)
    assert listener(8081, tmp_path) is None
    assert str(Holder(None)) == "a process of another user"


@pytest.mark.parametrize(
    ("holder", "gateway", "level", "text"),
    [
        (None, None, Level.OK, "8080 (server.port) is free"),
        (Holder(7, "arkway"), 7, Level.OK, "8080 (server.port) is the running gateway's"),
        (Holder(8, "nginx"), 7, Level.PROBLEM, "8080 (server.port) is taken by nginx (8)"),
        (Holder(8, "nginx"), None, Level.PROBLEM, "8080 (server.port) is taken by nginx (8)"),
        (Holder(None), None, Level.PROBLEM, "is taken by a process of another user"),
    ],
)
def test_a_port_is_free_ours_or_taken(holder, gateway, level, text):
    (finding,) = judge({"server.port": 8080}, gateway, lambda _: holder)

    assert finding.level is level
    assert text in finding.text


def test_a_port_that_is_chosen_at_the_start_is_nobodys():
    (finding,) = judge({"server.port": 0}, None, lambda _: Holder(1))

    assert finding.level is Level.OK


def test_a_child_of_the_gateway_is_the_gateways():
    (finding,) = judge({"p": 1}, os.getppid(), lambda _: Holder(os.getpid(), "control"))

    assert finding.level is Level.OK


def test_a_port_that_serving_does_without_is_a_warning():
    (finding,) = judge({"control.port": 8081}, None, lambda _: Holder(8, "nginx"))

    assert finding.level is Level.WARNING
