import socket
import ssl

import pytest

from arkway.model.call import Target
from arkway.model.errors import Overloaded, UpstreamError
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.upstream import accounts_io
from support.upstream_lab import CLOCKS, UpstreamLab, account

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@pytest.fixture
def lab(loop):
    return UpstreamLab(loop)


# What is sent.


@pytest.mark.parametrize(
    ("stream", "accept"), [(True, b"text/event-stream"), (False, b"application/json")]
)
def test_a_request_as_it_goes_out(lab, stream, accept):
    _, transport = lab.sent('{"é":1}'.encode(), stream=stream)

    assert transport.take() == (
        b"POST /v1/chat/completions HTTP/1.1\r\n"
        b"host: up.test:9011\r\n"
        b"user-agent: arkway/test\r\n"
        b"content-type: application/json\r\n"
        b"accept: " + accept + b"\r\n"
        b"accept-encoding: identity\r\n"
        b"authorization: Bearer ark-secret\r\n"
        b"content-length: 8\r\n"
        b"x-client-request-id: 0190-id\r\n"
        b"\r\n" + '{"é":1}'.encode()
    )


def test_an_account_without_a_credential_sends_none(loop):
    _, transport = UpstreamLab(loop, account(key="")).sent()

    assert b"authorization" not in transport.take()


@pytest.mark.parametrize(
    ("base_url", "host", "port", "target", "name", "is_tls"),
    [
        ("http://h", "h", 80, b"/chat/completions", b"h", False),
        ("http://h:8080/api/v3", "h", 8080, b"/api/v3/chat/completions", b"h:8080", False),
        ("https://h/v1", "h", 443, b"/v1/chat/completions", b"h", True),
        ("https://h:8443", "h", 8443, b"/chat/completions", b"h:8443", True),
        ("http://[::1]:9/v1", "::1", 9, b"/v1/chat/completions", b"[::1]:9", False),
    ],
)
def test_an_account_is_asked_at_its_own_origin(loop, base_url, host, port, target, name, is_tls):
    lab = UpstreamLab(loop, account(base_url=base_url))

    _, transport = lab.sent()

    dial = loop.dials[-1]
    sent = transport.take()
    assert (dial.host, dial.port) == (host, port)
    assert sent.startswith(b"POST " + target + b" HTTP/1.1\r\nhost: " + name + b"\r\n")
    context = dial.options["ssl"]
    assert (context is not None) is is_tls
    if is_tls:
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


def test_a_credential_goes_to_its_own_account_only(loop):
    one = account("one", "http://one/v1", "key-one")
    two = account("two", "http://two/v1", "key-two")
    lab = UpstreamLab(loop, one, two)

    for at, (own, other) in enumerate([(b"key-one", b"key-two"), (b"key-two", b"key-one")]):
        _, transport = lab.sent(at=at)
        sent = transport.take()
        assert own in sent
        assert other not in sent


def test_authorities_of_an_account_are_trusted(loop, monkeypatch):
    loaded = []
    monkeypatch.setattr(
        ssl.SSLContext,
        "load_verify_locations",
        lambda self, cafile=None, **_: loaded.append(cafile),
    )

    UpstreamLab(loop, account(base_url="https://h", ca_file="/ca.pem"))

    assert "/ca.pem" in loaded


# Connections.


def test_the_youngest_idle_connection_is_used_first(lab):
    connections = []
    for _ in range(3):
        lab.open()
    for dial in lab.loop.dials:
        connections.append(dial.accept())
        lab.loop.turn()
    for transport in connections:
        transport.deliver(OK)
        transport.take()

    for transport in reversed(connections):
        lab.open()
        assert transport.take() != b""
    assert len(lab.loop.dials) == 3


def test_few_idle_connections_are_kept(loop):
    lab = UpstreamLab(loop, idle_connections=2)
    for _ in range(4):
        lab.open()
    transports = [dial.accept() for dial in loop.dials]
    loop.turn()

    for transport in transports:
        transport.deliver(OK)
    loop.turn()

    assert [transport.is_closing() for transport in transports] == [False, False, True, True]


def test_idle_connections_are_closed_after_a_while(loop):
    lab = UpstreamLab(loop, idle_s=30.0)
    _, transport = lab.sent()
    transport.deliver(OK)

    lab.wait(29.8)
    assert not transport.is_closing()
    lab.wait(0.4)
    assert transport.is_closing()
    lab.open()
    assert len(loop.dials) == 2


def test_a_connection_in_use_is_not_idle(loop):
    lab = UpstreamLab(loop, idle_s=1.0)
    use, transport = lab.sent()

    lab.wait(5.0)

    assert use.is_waiting
    assert not transport.is_closing()


def test_an_account_at_its_bound_refuses_and_is_not_blamed(loop):
    lab = UpstreamLab(loop, max_connections=2)
    _, first = lab.sent()
    lab.open()

    refused = lab.open()

    assert refused.ending is Ending.NOT_SENT
    assert type(refused.failure.error) is Overloaded
    assert refused.failure.error_class is ErrorClass.ACCOUNT_LIMITED
    assert len(loop.dials) == 2
    first.reset()
    assert lab.open().is_waiting


def test_the_bound_is_each_accounts_own(loop):
    lab = UpstreamLab(loop, account("a"), account("b"), max_connections=1)
    lab.sent(at=0)

    assert lab.open(at=1).is_waiting


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (OSError("Multiple exceptions: [Errno 111] ('10.0.0.1', 80)"), "OSError"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (TimeoutError(), "TimeoutError"),
        (UnicodeError("label too long"), "UnicodeError"),
        (ssl.SSLError(1, "[SSL] wrong version number"), "[SSL] wrong version number"),
    ],
)
def test_why_an_account_could_not_be_reached(lab, error, reason):
    use = lab.open()

    lab.loop.dials[-1].refuse(error)

    assert use.ending is Ending.NOT_SENT
    assert use.failure.reason == f"connect failed: {reason}"
    assert str(use.failure.error) == "The upstream could not be reached."
    assert lab.open().is_waiting


def test_a_certificate_that_is_not_trusted_says_so(lab):
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_message = "self-signed certificate"
    use = lab.open()

    lab.loop.dials[-1].refuse(error)

    assert use.failure.reason == "connect failed: certificate not trusted: self-signed certificate"


def test_who_leaves_while_connecting_stops_it(lab):
    use = lab.open()

    use.leave()
    lab.loop.turn()

    assert lab.loop.dials[-1].was_cancelled
    assert lab.open().is_waiting


def test_a_connection_that_came_about_too_late_serves_somebody_else(lab):
    use = lab.open()
    dial = lab.loop.dials[-1]

    use.leave()  # the connection comes about before the cancellation takes effect
    transport = dial.accept()
    lab.loop.turn()

    if not transport.is_closing():
        lab.open()
        assert transport.take() != b""


# Configurations.


def test_an_account_that_left_gives_no_attempts(lab):
    target = Target(lab.accounts[0], "m-1")
    lab.upstream.apply(())

    with pytest.raises(AttemptFailed) as failed:
        lab.upstream.open(target, b"{}", "id", CLOCKS, is_stream=False)

    assert failed.value.ending is Ending.NOT_SENT
    assert type(failed.value.error) is UpstreamError


def test_what_is_under_way_finishes_where_it_is(lab):
    use, transport = lab.sent()

    lab.upstream.apply(())
    lab.wait(10.0)
    transport.deliver(OK)
    lab.loop.turn()

    assert use.received == b"{}"
    assert transport.is_closing()


def test_the_clocks_of_what_is_under_way_run_on(lab):
    use, transport = lab.sent()
    lab.upstream.apply(())

    lab.wait(CLOCKS.plain_answer_s + 0.2)

    assert use.failure.reason == "no first token"
    assert transport.was_aborted


def test_an_unchanged_account_keeps_its_connections(lab):
    _, transport = lab.sent()
    transport.deliver(OK)
    transport.take()

    lab.upstream.apply((account(), account("b", "http://other")))
    lab.open()

    assert transport.take() != b""


@pytest.mark.parametrize(
    "changed", [account(key="new"), account(base_url="http://new/v1"), account(weight=2)]
)
def test_a_changed_account_starts_anew(lab, changed):
    _, transport = lab.sent()
    transport.deliver(OK)

    lab.upstream.apply((changed,))
    lab.loop.turn()
    lab.open()

    assert transport.is_closing()
    assert len(lab.loop.dials) == 2


def test_an_account_that_comes_back_starts_anew(lab):
    lab.upstream.apply(())
    lab.upstream.apply(lab.accounts)

    assert lab.open().is_waiting


def test_a_detached_connection_of_a_retired_account_is_still_dropped(lab):
    use, transport = lab.sent(stream=True, finish_after=b"DONE")
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    lab.upstream.apply(())

    transport.deliver(head, b"4\r\nDONE\r\n")
    assert not use.is_waiting
    lab.wait(5.0)

    assert transport.is_closing()


def test_one_read_bounds_what_is_buffered():
    assert accounts_io.READ_BYTES <= 64 * 1024


def test_connecting_does_not_outlast_the_total_clock(lab):
    clocks = type(CLOCKS)(connect_s=5.0, total_s=1.0)
    use = lab.open(clocks=clocks)

    lab.wait(1.2)

    assert not use.is_waiting
