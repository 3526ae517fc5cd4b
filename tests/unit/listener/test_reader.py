"""The law: any split of a connection's bytes gives the same requests and the same refusals."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.listener.reader import (
    RequestReader,
)
from arkway.model.errors import BadRequest
from support.requests import (
    HOST,
    LIMITS,
    OFFER,
    TE,
    Ask,
    by_coding,
    by_length,
    expected,
    feed,
    in_chunks,
    outcome,
    post,
    seen,
)
from support.strategies import one_by_one, splits

header_lines = st.lists(
    st.sampled_from(
        [
            (b"Authorization", b"Bearer sk-0123456789"),
            (b"AUTHORIZATION", b""),
            (b"Content-Type", b"application/json"),
            (b"Content-Type", b"text/plain"),
            (b"X-Conversation-Id", b"c1"),
            (b"x-conversation-id", b"c2"),
            (b"Expect", b"100-continue"),
            (b"User-Agent", b"curl/8"),
            (b"X-Empty", b""),
            (b"X-Latin", b"\xe9\xff"),
            (b"X-Long", b"y" * 3000),
            (b"X-Tabbed", b"a\tb"),
        ]
    ),
    max_size=5,
)
asks = st.builds(
    Ask,
    method=st.sampled_from([b"POST", b"POST", b"GET", b"DELETE", b"OPTIONS", b"HEAD"]),
    path=st.sampled_from(
        [b"/v1/chat/completions", b"/", b"/v1/models/x%20y", b"//a/../b", b"/" + b"p" * 2000]
    ),
    query=st.sampled_from([b"", b"", b"?", b"?a=b?c=/d"]),
    lines=header_lines,
    body=st.one_of(
        st.just(b""),
        st.binary(min_size=1, max_size=60),
        st.just(b"GET / HTTP/1.1\r\n\r\n"),
        st.just(b"z" * 6000),
    ),
    chunks=st.one_of(st.none(), st.lists(st.integers(1, 40), max_size=5)),
    extension=st.sampled_from([b"", b"", b";a", b';a="b"', b";" + b"e" * 300]),
    trailers=st.sampled_from([b"", b"", b"X-T: 1\r\n", b"Host: evil\r\nX-Conversation-Id: t\r\n"]),
    origin=st.sampled_from([b"", b"", b"", b"http://h:1", b"HTTPS://H:1"]),
    offer=st.sampled_from([b"", b"", b"", b"h2c", b"websocket"]),
    before=st.sampled_from([b"", b"", b"\r\n", b"\r\n\r\n"]),
)


@given(st.lists(asks, min_size=1, max_size=4), st.data())
@settings(max_examples=60)
def test_any_split_gives_the_requests_that_were_sent(sent, data):
    stream = b"".join(ask.encode() for ask in sent)
    whole = [expected(ask) for ask in sent]

    assert outcome([stream]) == (whole, None)
    assert outcome(data.draw(splits(stream))) == (whole, None)


@given(st.lists(asks, min_size=1, max_size=2))
@settings(max_examples=5)
def test_a_byte_at_a_time_gives_the_requests_that_were_sent(sent):
    stream = b"".join(ask.encode() for ask in sent)

    assert outcome(one_by_one(stream)) == ([expected(ask) for ask in sent], None)


@given(asks, st.data())
def test_a_request_cut_short_is_handed_out_with_its_head_and_waits(ask, data):
    stream = ask.encode()
    place = data.draw(st.integers(1, len(stream) - 1))
    head_ends = stream.index(b"\r\n\r\n", len(ask.before)) + 4

    reader, refusal = feed([stream[:place]])
    assert refusal is None
    assert len(reader.requests) == (place >= head_ends)
    assert not any(request.is_complete for request in reader.requests)
    assert not reader.is_idle

    reader.feed(stream[place:])
    assert [seen(request) for request in reader.requests] == [expected(ask)]
    assert reader.is_idle


def test_a_reader_takes_memory_views():
    reader = RequestReader(LIMITS, "p")
    stream = bytearray(Ask(body=b"hi", offer=b"h2c").encode() + Ask(body=b"ho").encode())

    reader.feed(memoryview(stream))
    stream[:] = bytes(len(stream))

    assert [request.body for request in reader.requests] == [b"hi", b"ho"]
    assert {request.peer for request in reader.requests} == {"p"}


# Versions and persistence.


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"close", False),
        (b"1.1", b"Close, x", False),
        (b"1.0", b"", False),
        (b"1.0", b"keep-alive", True),
        (b"1.0", b"close", False),
    ],
)
def test_what_a_request_says_of_its_connection(version, connection, keep_alive):
    line = b"connection: %b\r\n" % connection if connection else b""
    (reader, refusal) = feed([b"GET / HTTP/%b\r\n%b%b\r\n" % (version, HOST, line)])

    assert refusal is None
    assert reader.requests[0].keep_alive is keep_alive
    assert reader.requests[0].is_http_1_0 is (version == b"1.0")


def test_http_1_0_needs_no_host():
    reader, refusal = feed([b"GET / HTTP/1.0\r\n\r\n"])

    assert refusal is None
    assert reader.requests[0].is_complete


@pytest.mark.parametrize(
    ("version", "connection"), [(b"1.0", b"upgrade"), (b"1.1", b"close, upgrade")]
)
def test_an_offer_does_not_change_version_and_persistence(version, connection):
    offer = b"connection: %b\r\nupgrade: h2c\r\n" % connection
    reader, refusal = feed([b"GET / HTTP/%b\r\n%b%b\r\n" % (version, HOST, offer)])

    assert refusal is None
    assert reader.requests[0].is_http_1_0 is (version == b"1.0")
    assert not reader.requests[0].keep_alive


@pytest.mark.parametrize("version", [b"0.9", b"2.0"])
def test_an_offer_of_another_version_is_refused(version):
    offer = b"connection: upgrade\r\nupgrade: h2c\r\n"
    _, refusal = feed([b"GET / HTTP/%b\r\n%b%b\r\n" % (version, HOST, offer)])

    assert type(refusal) is BadRequest


# What is refused.


MALFORMED = {
    # Two ways to say where the body ends, or one that is no way.
    "both lengths": post(b"content-length: 1\r\n" + TE, b"1\r\na\r\n0\r\n\r\n"),
    "both, the other order": post(TE + b"content-length: 1\r\n", b"1\r\na\r\n0\r\n\r\n"),
    "two lengths": post(b"content-length: 1\r\ncontent-length: 2\r\n", b"ab"),
    "the same length twice": post(b"content-length: 1\r\ncontent-length: 1\r\n", b"a"),
    "list of lengths": by_length(b"1, 1"),
    "+ length": by_length(b"+1"),
    "- length": by_length(b"-1"),
    "hexadecimal length": by_length(b"0x1"),
    "split length": by_length(b"1 1"),
    "fractional length": by_length(b"1.0"),
    "empty length": by_length(b""),
    "length over 2^64": by_length(b"18446744073709551616"),
    "gzip": by_coding(b"gzip"),
    "gzip, chunked": by_coding(b"gzip, chunked"),
    "chunked, gzip": by_coding(b"chunked, gzip"),
    "chunked, chunked": by_coding(b"chunked, chunked"),
    "chunked in two lines": post(TE + TE, b"0\r\n\r\n"),
    "identity": by_coding(b"identity"),
    "xchunked": by_coding(b"xchunked"),
    "chunked after a vertical tab": by_coding(b"\x0bchunked"),
    "chunked with a parameter": by_coding(b"chunked;q=1"),
    "empty coding": by_coding(b""),
    "chunked in HTTP/1.0": post(TE, b"0\r\n\r\n", line=b"POST / HTTP/1.0"),
    # Lines.
    "bare LF": b"GET / HTTP/1.1\nhost: h\n\n",
    "bare LF after a header": post().replace(b"h\r\n", b"h\n"),
    "bare LF at the end": b"GET / HTTP/1.1\r\nhost: h\r\n\n",
    "bare CR": b"GET / HTTP/1.1\rhost: h\r\r",
    "obs-fold": post(b"x: a\r\n b\r\n"),
    "obs-fold of a length": by_length(b"\r\n 1"),
    "space before the first header": post(host=b" x: y\r\nhost: h\r\n"),
    "space before a colon": post(b"x : y\r\n"),
    "space before the coding's colon": post(b"transfer-encoding : chunked\r\n", b"0\r\n\r\n"),
    "no name": post(b": y\r\n"),
    "no colon": post(b"xyz\r\n"),
    "NUL in a name": post(b"x\0: y\r\n"),
    "NUL in a value": post(b"x: a\0b\r\n"),
    "CR in a value": post(b"x: a\rb\r\n"),
    "control in a value": post(b"x: a\x01b\r\n"),
    "DEL in a value": post(b"x: a\x7fb\r\n"),
    "Latin-1 in a name": post(b"x\xe9: a\r\n"),
    "no host": post(host=b""),
    "two hosts": post(HOST),
    "empty host": post(host=b"host: \r\n"),
    "two encodings": post(b"content-encoding: a\r\n" * 2),
    # Request lines.
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/1.2": post(line=b"GET / HTTP/1.2"),
    "HTTP/2.0": post(line=b"GET / HTTP/2.0"),
    "HTTP/1.10": post(line=b"GET / HTTP/1.10"),
    "http": post(line=b"GET / http/1.1"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "lower-case method": post(line=b"get / HTTP/1.1"),
    "unknown method": post(line=b"BREW / HTTP/1.1"),
    "leading space": b" " + post(),
    "space in the target": post(line=b"GET /a b HTTP/1.1"),
    "tab in the target": post(line=b"GET /a\tb HTTP/1.1"),
    "NUL in the target": post(line=b"GET /\0 HTTP/1.1"),
    "UTF-8 in the target": post(line="GET /é HTTP/1.1".encode()),
    "no target": post(line=b"GET HTTP/1.1"),
    "relative target": post(line=b"GET a HTTP/1.1"),
    "asterisk": post(line=b"OPTIONS * HTTP/1.1"),
    "CONNECT": post(line=b"CONNECT h:1 HTTP/1.1"),
    "URL of another host": post(line=b"GET http://other/ HTTP/1.1"),
    "URL of another port": post(line=b"GET http://h:2/ HTTP/1.1"),
    "URL with a user": post(line=b"GET http://u@h/ HTTP/1.1"),
    "URL without a path": post(line=b"GET http://h HTTP/1.1"),
    "URL of another scheme": post(line=b"GET ftp://h/ HTTP/1.1"),
    # Chunks.
    "chunk size in letters": in_chunks(b"x\r\na\r\n0\r\n\r\n"),
    "chunk size +1": in_chunks(b"+1\r\na\r\n0\r\n\r\n"),
    "chunk size 0x1": in_chunks(b"0x1\r\na\r\n0\r\n\r\n"),
    "chunk size with a space": in_chunks(b"1 \r\na\r\n0\r\n\r\n"),
    "no chunk size": in_chunks(b"\r\na\r\n0\r\n\r\n"),
    "chunk size over 2^64": in_chunks(b"f" * 17 + b"\r\na"),
    "chunks with LF": in_chunks(b"1\na\n0\n\n"),
    "chunk shorter than it says": in_chunks(b"2\r\na\r\n0\r\n\r\n"),
    "chunk longer than it says": in_chunks(b"1\r\nab\r\n0\r\n\r\n"),
    "LF in an extension": in_chunks(b"1;a\nb\r\na\r\n0\r\n\r\n"),
    "length as a trailer": in_chunks(b"0\r\ncontent-length: 5\r\n\r\n"),
    "coding as a trailer": in_chunks(b"0\r\n" + TE + b"\r\n"),
    # The same behind an offer.
    "two lengths with an offer": post(OFFER + b"content-length: 1\r\n" * 2, b"a"),
    "no host with an offer": post(OFFER, host=b""),
}


@pytest.mark.parametrize("stream", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_is_refused_the_same_however_it_comes(stream):
    good = Ask(body=b"first").encode()

    requests, refusal = outcome([good + stream + good])

    assert refusal[0] is BadRequest
    assert requests[0] == expected(Ask(body=b"first"))
    assert all(not is_complete for _, _, _, is_complete, *_ in requests[1:])
    assert outcome(one_by_one(good + stream + good)) == (requests, refusal)
    assert outcome([good, stream + good]) == (requests, refusal)


@pytest.mark.parametrize("name", MALFORMED)
def test_a_refusal_quotes_nothing_of_the_request(name):
    _, refusal = feed([MALFORMED[name].replace(b"/p", b"/hunter2")])

    assert "hunter2" not in str(refusal)
    assert str(refusal).isascii()
    assert str(refusal).isprintable()


@given(st.binary(min_size=1, max_size=200), st.data())
def test_noise_is_refused_or_waits_the_same_however_it_comes(noise, data):
    whole = outcome([noise])

    assert outcome(data.draw(splits(noise))) == whole


@given(st.data())
@settings(max_examples=60)
def test_a_damaged_request_is_refused_or_taken_the_same_however_it_comes(data):
    stream = bytearray(data.draw(asks).encode() + Ask(body=b"next").encode())
    place = data.draw(st.integers(0, len(stream) - 1))
    stream[place : place + data.draw(st.integers(0, 2))] = data.draw(
        st.sampled_from([b"", b"\n", b"\r", b"\0", b" ", b":", b"\r\n", b"\r\n\r\n", b"\xff", b"5"])
    )

    whole = outcome([bytes(stream)])

    assert outcome(data.draw(splits(bytes(stream)))) == whole


def test_the_first_fault_is_the_one_that_is_told():
    stream = post(host=b"") + post(b"x: y\r\n" * 101)

    assert outcome([stream]) == outcome([post(host=b""), post(b"x: y\r\n" * 101)])


def test_after_close_nothing_more_is_a_request():
    requests, refusal = outcome([post(b"connection: close\r\n") + post()])

    assert len(requests) == 1
    assert refusal[0] is BadRequest


def test_a_reader_is_idle_between_requests_only():
    reader = RequestReader(LIMITS, "")
    assert reader.is_idle

    reader.feed(b"GET /")
    assert not reader.is_idle

    reader.feed(b" HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\n\r\n")
    assert not reader.is_idle

    reader.feed(b"x")
    assert reader.is_idle

    reader.feed(post() + b"GET / HT")
    assert not reader.is_idle
