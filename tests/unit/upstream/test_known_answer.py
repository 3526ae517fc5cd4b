"""The law: a connection that recognises heads gives what one that does not would give."""

from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arkway.upstream import connection_io
from arkway.upstream.known_answer import MAX_KNOWN_HEAD_BYTES, known_answer
from support.fakes import FakeLoop
from support.upstream_lab import UpstreamLab

DATE = b"Date: Wed, 25 Nov 2026 10:00:0%d GMT\r\n"


def sent(body=b"{}", lines=b"", *, name=b"Content-Length", length=None, status=b"200 OK"):
    length = b" %d" % len(body) if length is None else length
    kind = b"Content-Type: application/json\r\n"
    return b"HTTP/1.1 %b\r\n%b%b%b:%b\r\n\r\n%b" % (status, kind, lines, name, length, body)


def given_by(responses, *, recognising):
    """Return what the attempts of one account get, one response and one read each."""
    learned = connection_io.MAX_LEARNED if recognising else 0
    with FakeLoop() as loop, patch.object(connection_io, "MAX_LEARNED", learned):
        lab = UpstreamLab(loop, max_answer_bytes=900)
        found = []
        for data, stream in responses:
            use = lab.open(stream=stream)
            if use.attempt.carrier is None:
                lab.accept()
            transport, dials = use.transport, len(loop.dials)
            transport.deliver(data)
            loop.turn()
            attempt = use.attempt
            found.append(
                (
                    use.is_waiting,
                    use.status,
                    use.received,
                    use.ending,
                    attempt.content_type,
                    attempt.retry_after_s,
                    transport.is_closing(),
                    dials,
                )
            )
            if use.is_waiting:
                use.leave()
                loop.turn()
        return found


def mutated(message, at, byte):
    at %= len(message)
    return message[:at] + bytes([byte]) + message[at + 1 :]


bodies = st.binary(max_size=9) | st.just(b"x" * 901) | st.just(b"Content-Length: 7\r\n\r\n")
lines = st.lists(
    st.sampled_from(
        [
            DATE % 1,
            DATE % 2,
            b"X-Request-Id: a\r\n",
            b"X-Request-Id:\r\n",
            b"X-Request-Id: \x80\r\n",
            b"Connection: close\r\n",
            b"Connection: keep-alive\r\n",
            b"Content-Encoding: identity\r\n",
            b"Content-Encoding: gzip\r\n",
            b"Retry-After: 3\r\n",
            b"content-length: 1\r\n",
            b"Upgrade: h2c\r\n",
        ]
    ),
    max_size=2,
).map(b"".join)
lengths = st.sampled_from(
    [b" 0", b" 05", b" 5 ", b"5", b"\t5", b" +5", b" 5_0", b" \xb2", b" 9999999999", b""]
)
responses = st.one_of(
    st.builds(sent, bodies, lines),
    st.builds(sent, bodies, lines, status=st.sampled_from([b"429 X", b"200 Fine", b"204 X"])),
    st.builds(sent, bodies, lines, name=st.just(b"content-length"), length=lengths),
    st.builds(mutated, st.builds(sent, bodies, lines), st.integers(0, 200), st.integers(0, 255)),
    st.builds(lambda a, b: a + b, st.builds(sent, bodies), st.builds(sent, bodies)),
    st.just(b"HTTP/1.1 100 Continue\r\n\r\n" + sent()),
    st.just(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
)


@given(st.lists(st.tuples(responses, st.booleans()), max_size=6))
@example([(sent(b"a", b"Retry-After: 3\r\n"), False), (sent(b"bc", b"Retry-After: 3\r\n"), False)])
@example([(sent(b"a"), False), (sent(b"x" * 901), False), (sent(b"b"), True)])
@settings(max_examples=300)
def test_recognising_changes_nothing(sequence):
    assert given_by(sequence, recognising=True) == given_by(sequence, recognising=False)


def recognised(first, second):
    """Return the body of `second` if it is recognised by the head of `first`."""
    known = known_answer(first, b"application/json")
    return known and known.body(memoryview(second + b"what an earlier read left"), len(second))


@pytest.mark.parametrize("name", [b"Content-Length", b"content-length", b"CONTENT-LENGTH"])
def test_a_head_that_differs_in_what_means_nothing_is_recognised(name):
    first = sent(b"a", DATE % 1 + b"X-Id: 1\r\nServer:\r\n", name=name)
    second = sent(b"b" * 50, DATE % 2 + b"X-Id: 29ab\r\nServer: x y\r\n", name=name)
    assert recognised(first, second) == b"b" * 50


def test_an_answer_without_a_body_is_recognised():
    assert recognised(sent(), sent(b"")) == b""


@pytest.mark.parametrize(
    "second",
    [
        sent(b"b")[:-1],
        sent(b"b") + b"x",
        sent(b"b", status=b"201 OK"),
        sent(b"b", b"X-Id: 1\r\n"),
        sent(b"b").replace(b"json", b"text"),
        sent(b"b").replace(b"HTTP/1.1", b"HTTP/1.0"),
        sent(b"b", length=b" 0000000001"),
    ],
    ids=["in two reads", "more than one", "status", "a header", "type", "version", "digits"],
)
def test_what_differs_in_more_is_read_anew(second):
    assert recognised(sent(b"a"), second) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b"Connection: keep-alive\r\n", b"Connection: close\r\n"),
        (b"Content-Encoding: identity\r\n", b"Content-Encoding: gzip\r\n"),
        (b"X-Id: 1\r\n", b"X-Id: \x01\r\n"),
        (b"X-Id: 1\r\n", b"X-Id: \xff\r\n"),
        (b"X-Id: 1\r\n", b"X-Id: 1\r\nConnection: close\r\n"),
    ],
)
def test_values_that_mean_something_are_not_open(first, second):
    assert recognised(sent(b"a", first), sent(b"b", second)) is None


@pytest.mark.parametrize(
    "first",
    [
        sent(b"a", b"X-Long: " + b"x" * MAX_KNOWN_HEAD_BYTES + b"\r\n"),
        sent(b"a", status=b"404 No"),
        sent(b"a", length=b" 1 "),
        sent(b"a", b"Content-Length: 1\r\n"),
        sent(b"a", b"X-Folded: 1\r\n 2\r\n"),
        sent(b"a", b"Retry-After: 1\r\n"),
        sent(b"a", name=b"X-Content-Length"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + sent(b"a"),
        b"HTTP/1.1 200 OK\r\n",
    ],
    ids=[
        "large",
        "status",
        "length",
        "two lengths",
        "folded",
        "retry",
        "none",
        "two heads",
        "unfinished",
    ],
)
def test_unusual_heads_are_not_kept(first):
    assert known_answer(first, b"application/json") is None


def test_a_connection_whose_heads_are_never_alike_stops_learning():
    with FakeLoop() as loop, patch.object(connection_io, "known_answer") as learn:
        learn.return_value = None
        lab = UpstreamLab(loop)
        for number in range(connection_io.MAX_LEARNED + 3):
            use = lab.open()
            if use.attempt.carrier is None:
                lab.accept()
            use.transport.deliver(sent(b"a", b"X-%d: 1\r\n" % number))
            assert use.received == b"a"
    assert learn.call_count == connection_io.MAX_LEARNED
