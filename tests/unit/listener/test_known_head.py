"""The law: a connection that recognises heads reads what one that does not would read."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arkway.listener.known_head import MAX_KNOWN_HEAD_BYTES
from arkway.listener.reader import ReaderLimits, RequestReader
from arkway.model.errors import GatewayError
from support.requests import LIMITS, TE, post, said, seen

SMALL = ReaderLimits(max_body_bytes=5000)


def sent(body, *, name=b"Content-Length", lines=b"Authorization: Bearer sk-1\r\n", length=None):
    length = b"%d" % len(body) if length is None else length
    return post(lines + name + b": " + length + b"\r\n", body)


def read_all(messages, limits=LIMITS, *, recognising):
    """Return what a connection makes of whole messages, one read each."""
    reader, found = RequestReader(limits, "192.0.2.1"), []
    for data in messages:
        known = reader.recognise(data) if recognising else None
        if known is not None:
            found.append(seen(known))
            continue
        try:
            reader.feed(data)
        except GatewayError as refusal:
            found.append(said(refusal))
            break
        while reader.requests:
            found.append(seen(reader.requests.popleft()))
    return found


def mutated(message, at, byte):
    at %= len(message)
    return message[:at] + bytes([byte]) + message[at + 1 :]


bodies = st.binary(max_size=12) | st.just(b"x" * 5001) | st.just(b"Content-Length: 7\r\n\r\n")
messages = st.one_of(
    st.builds(sent, bodies),
    st.builds(sent, bodies, name=st.sampled_from([b"content-length", b"CONTENT-LENGTH"])),
    st.builds(
        sent,
        bodies,
        length=st.sampled_from([b"0", b"05", b"5 ", b"+5", b"5_0", b"\xb2", b"999999999999", b""]),
    ),
    st.builds(
        sent,
        bodies,
        lines=st.sampled_from(
            [
                b"",
                b"X: Content-Length: 3\r\n",
                b"Expect: 100-continue\r\n",
                b"content-length: 1\r\n",
            ]
        ),
    ),
    st.builds(mutated, st.builds(sent, bodies), st.integers(0, 400), st.integers(0, 255)),
    st.just(post(TE, b"1\r\na\r\n0\r\n\r\n")),
    st.builds(lambda a, b: a + b, st.builds(sent, bodies), st.builds(sent, bodies)),
)


@given(st.lists(messages, max_size=6), st.sampled_from([LIMITS, SMALL]))
@example([sent(b"a"), sent(b"a", length=b"1", lines=b"Authorization: Bearer sk-2\r\n")], LIMITS)
@settings(max_examples=400)
def test_recognising_changes_nothing(sequence, limits):
    assert read_all(sequence, limits, recognising=True) == read_all(
        sequence, limits, recognising=False
    )


def known(first, second, limits=LIMITS):
    reader = RequestReader(limits, "192.0.2.1")
    reader.feed(first)
    reader.requests.popleft()
    return reader.recognise(second)


@pytest.mark.parametrize("name", [b"Content-Length", b"content-length"])
def test_the_same_head_is_recognised_whatever_the_length(name):
    request = known(sent(b"one", name=name), sent(b"a longer one", name=name))

    assert request.body == b"a longer one"
    assert request.content_length == b"12"
    assert request.is_complete
    assert request.authorization == b"Bearer sk-1"


def test_requests_of_one_head_share_it_and_nothing_else():
    reader = RequestReader(LIMITS, "192.0.2.1")
    reader.feed(sent(b"one"))
    first, second = reader.recognise(sent(b"two")), reader.recognise(sent(b"six"))

    assert first is None, "the one before was not taken yet"
    reader.requests.popleft()
    first, second = reader.recognise(sent(b"two")), reader.recognise(sent(b"six"))
    assert first.head is second.head is not None
    assert (first.body, second.body) == (b"two", b"six")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (sent(b"one"), sent(b"one", lines=b"Authorization: Bearer sk-2\r\n")),
        (sent(b"one"), sent(b"one")[:-1]),
        (sent(b"one"), sent(b"one") + b"P"),
        (sent(b"one", name=b"CONTENT-LENGTH"), sent(b"one", name=b"CONTENT-LENGTH")),
        (sent(b"one", lines=b"X: " + b"x" * MAX_KNOWN_HEAD_BYTES + b"\r\n"),) * 2,
        (post(TE, b"0\r\n\r\n"), post(TE, b"0\r\n\r\n")),
        (post(), post()),
    ],
    ids=["credential", "cut", "more", "spelling", "large", "chunked", "no body"],
)
def test_anything_else_is_read_anew(first, second):
    assert known(first, second) is None


def test_a_body_over_the_bound_is_for_the_reader_to_refuse():
    assert known(sent(b"x"), sent(b"x" * 5000), SMALL) is not None
    assert known(sent(b"x"), sent(b"x" * 5001), SMALL) is None


def test_nothing_is_recognised_in_the_middle_of_a_message():
    reader = RequestReader(LIMITS, "192.0.2.1")
    reader.feed(sent(b"one"))
    reader.requests.popleft()
    reader.feed(sent(b"two")[:20])

    assert reader.recognise(sent(b"two")) is None
