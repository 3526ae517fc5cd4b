import socket
import threading
import time

import pytest

from arkway.cli.doctor import upstreams
from arkway.cli.doctor.finding import Level
from arkway.cli.doctor.upstreams import Origin, Reached, judge, origin, reach

NOW_S = 1_790_000_000.0
AT = Origin("h", 443, True, None)


def said(reached, at=AT):
    (finding,) = judge([("main", at)], {at: reached}, NOW_S)
    return finding


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as wire:
        return wire.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/api/v3", Origin("h", 443, True, "ca")),
        ("http://127.0.0.1:81/v1", Origin("127.0.0.1", 81, False, "ca")),
        ("http://[::1]/v1", Origin("::1", 80, False, "ca")),
    ],
)
def test_an_account_is_reached_at_its_origin(url, expected):
    assert origin(url, "ca") == expected


def test_a_server_that_listens_is_reached_and_sent_nothing():
    with socket.create_server(("127.0.0.1", 0)) as server:
        at = Origin("127.0.0.1", server.getsockname()[1], False, None)
        found = reach([at, at])
        peer, _ = server.accept()
        with peer:
            assert peer.recv(100) == b""
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.accept()

    assert found[at].is_done
    assert said(found[at], at).level is Level.OK


def test_nobody_listens():
    at = Origin("127.0.0.1", closed_port(), False, None)

    finding = said(reach([at])[at], at)

    assert finding.level is Level.PROBLEM
    assert "connecting failed: Connection refused" in finding.text


def test_a_name_that_is_none(monkeypatch):
    def fails(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    finding = said(reach([AT])[AT])

    assert finding.level is Level.PROBLEM
    assert "resolving its name failed: Name or service not known" in finding.text
    assert "getent hosts h" in finding.advice


@pytest.mark.parametrize(
    ("step", "within_s"), [("resolving its name", 0.05), ("the TLS handshake", 0.2)]
)
def test_silence_is_bounded_and_says_where(monkeypatch, step, within_s):
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at = Origin("127.0.0.1", silent.getsockname()[1], True, None)
        if "name" in step:
            real = socket.getaddrinfo
            monkeypatch.setattr(
                socket, "getaddrinfo", lambda *a, **k: over.wait(5) and real(*a, **k)
            )
        began_s = time.monotonic()
        found = reach([at], within_s)
        took_s = time.monotonic() - began_s
        over.set()
        time.sleep(0.05)  # what was left behind finds its end

    assert took_s < 2
    assert not found[at].is_done
    assert f"{step} took longer" in said(found[at], at).text


def test_many_are_reached_side_by_side(monkeypatch):
    def slow(host, port, **_):
        time.sleep(0.1)
        raise socket.gaierror(-2, "no")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    origins = [Origin(f"h{n}", 1, False, None) for n in range(upstreams.AT_ONCE)]
    began_s = time.monotonic()
    found = reach(origins)

    assert time.monotonic() - began_s < 2, "one after the other would take 6.4 s"
    assert set(found) == set(origins)


def test_certificates_are_checked_as_the_gateway_checks_them(tmp_path):
    tls = pytest.importorskip("support.tls", exc_type=ImportError, reason="needs cryptography")
    authority = tls.Authority(tmp_path)
    results = {}
    for name, context, ca_file in (
        ("well", authority.server_context(), str(authority.ca_file)),
        ("stranger", authority.server_context(), None),
        ("other host", authority.server_context("other.example"), str(authority.ca_file)),
        ("expired", authority.server_context(expired=True), str(authority.ca_file)),
    ):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(5)
            thread = threading.Thread(target=_shake_hands, args=(server, context))
            thread.start()
            at = Origin("127.0.0.1", server.getsockname()[1], True, ca_file)
            results[name] = said(upstreams.reach([at])[at], at)
            thread.join(5)

    now = {name: finding.level for name, finding in results.items()}
    assert now == {
        "well": Level.OK, "stranger": Level.PROBLEM, "other host": Level.PROBLEM,
        "expired": Level.PROBLEM,
    }  # fmt: skip
    assert "--ca-file" in results["stranger"].advice
    assert "not trusted" in results["expired"].text


def _shake_hands(server, context):
    plain, _ = server.accept()
    try:
        with context.wrap_socket(plain, server_side=True) as wire:
            wire.recv(10)
    except OSError:
        plain.close()


def test_a_certificate_that_ends_soon_is_a_warning():
    soon = said(Reached(took_s=0.01, ends_unix_s=NOW_S + 5 * 86_400, is_done=True))
    later = said(Reached(took_s=0.01, ends_unix_s=NOW_S + 50 * 86_400, is_done=True))

    assert (soon.level, later.level) == (Level.WARNING, Level.OK)
    assert "ends in 5 days" in soon.text
    assert later.text == "h:443 answers in 10 ms, its certificate is trusted"


def test_a_ca_file_that_is_gone_is_a_failure():
    at = Origin("127.0.0.1", 1, True, "/nowhere.pem")

    assert "No such file" in said(reach([at])[at], at).text
