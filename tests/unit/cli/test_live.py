import socket

import pytest

from arkway.cli.live import (
    NoAnswer,
    OpsPort,
    accounts_now,
    ask_status,
    is_of,
    ops_port_at,
    ops_port_of,
    share,
    why_out,
)
from arkway.cli.output import Failure
from arkway.control.process import Server
from support.ops import Ops, account_now, status_of


@pytest.fixture
def ops():
    with Ops() as running:
        yield running


def test_the_status_is_asked_for_and_returned(ops):
    ops.status = status_of("/h")

    assert ask_status(OpsPort("127.0.0.1", ops.port), 1.0) == ops.status


@pytest.mark.parametrize(
    ("code", "raw"), [(200, b"<html>"), (404, b"{}"), (200, b"[]"), (200, b'{"status": "alive"}')]
)
def test_what_is_no_gateway_is_said_to_be_none(ops, code, raw):
    ops.code, ops.raw = code, raw

    with pytest.raises(NoAnswer, match="no gateway") as found:
        ask_status(OpsPort("127.0.0.1", ops.port), 1.0)
    assert not found.value.is_refused


def test_nobody_and_silence_are_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(NoAnswer, match=r"within 0\.05 s") as found:
            ask_status(OpsPort("127.0.0.1", port), 0.05)
    assert not found.value.is_refused

    with pytest.raises(NoAnswer, match="nobody") as found:
        ask_status(OpsPort("127.0.0.1", port), 1.0)
    assert found.value.is_refused


def test_accounts_are_those_of_this_home_and_of_no_other(ops, tmp_path):
    server = Server(ops_port=ops.port)
    ops.status = status_of(tmp_path.resolve(), account_now("a"))

    assert accounts_now(server, tmp_path) == {"a": account_now("a")}
    assert accounts_now(server, tmp_path / "other") == {}
    assert is_of(ops.status, tmp_path / ".." / tmp_path.name)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h:1", OpsPort("h", 1)),
        ("http://[::1]:8082/status", OpsPort("::1", 8082)),
        ("https://h/", OpsPort("h", 443, is_tls=True)),
    ],
)
def test_an_address_is_host_and_port(url, expected):
    assert ops_port_at(url) == expected


@pytest.mark.parametrize("url", ["h:1", "ftp://h", "http://", "http://h:99999"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(Failure, match="is not an http"):
        ops_port_at(url)


def test_a_gateway_on_every_interface_is_asked_here():
    assert ops_port_of(Server(ops_host="0.0.0.0", ops_port=5)).url == "http://127.0.0.1:5"
    assert OpsPort("::1", 5).url == "http://[::1]:5"


def test_why_an_account_is_out():
    assert why_out(account_now()) == ""
    out = account_now(state="ejected", reason="5 failures", returns_in_s=29.6)
    assert why_out(out) == "5 failures; back in 30 s"
    assert why_out({**out, "state": "broken", "returns_in_s": None}).endswith("answers a test")
    assert (share(None), share(0.256)) == ("-", "26%")
