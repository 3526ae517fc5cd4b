"""How much of a request is too much? Each bound at, inside and outside, whole and split."""

import pytest

from arkway.listener import reader as reader_module
from arkway.listener.reader import (
    FREE_PIECES,
    MAX_FRAMING_BYTES,
    MAX_LENGTH_DIGITS,
    MAX_TARGET_BYTES,
    MAX_TRAILER_BYTES,
    MIN_AVERAGE_PIECE_BYTES,
    ReaderLimits,
    RequestReader,
)
from arkway.model.errors import BadRequest, BodyTooLarge, HeadersTooLarge
from support.requests import (
    HOST,
    LIMITS,
    TE,
    Ask,
    feed,
    in_chunks,
    outcome,
    post,
    said,
)
from support.strategies import cut, one_by_one

# Bounds of a head.


def headers(count):
    return b"".join(b"x-%d: y\r\n" % number for number in range(count))


@pytest.mark.parametrize("count", [17, 20])
def test_up_to_so_many_headers(count):
    stream = post(headers(count - 1))
    limits = ReaderLimits(max_headers=20)

    for pieces in ([stream], one_by_one(stream)):
        assert len(outcome(pieces, limits)[0]) == 1


def test_more_headers_are_too_many():
    stream = post(headers(20))

    for pieces in ([stream], one_by_one(stream)):
        requests, refusal = outcome(pieces, ReaderLimits(max_headers=20))
        assert requests == []
        assert refusal == (HeadersTooLarge, "More than 20 headers.")


@pytest.mark.parametrize(
    "first",
    [pytest.param(b"", id="alone"), pytest.param(Ask(body=b"hi").encode(), id="pipelined")],
)
@pytest.mark.parametrize("limit", [1024, 8000, 32768])
def test_the_size_of_a_head_is_bounded(first, limit):
    limits = ReaderLimits(max_header_bytes=limit)

    for size in (limit // 2, limit - 200):
        stream = first + post(b"x: %b\r\n" % (b"y" * size))
        for pieces in ([stream], cut(stream, range(0, len(stream), 77))):
            requests, refusal = outcome(pieces, limits)
            assert refusal is None
            assert len(requests) == 1 + bool(first)
    for size in (limit, 4 * limit + 9000):
        stream = first + post(b"x: %b\r\n" % (b"y" * size))
        for pieces in ([stream], cut(stream, range(0, len(stream), 77))):
            requests, refusal = outcome(pieces, limits)
            assert refusal == (HeadersTooLarge, f"The headers exceed {limit} bytes.")
            assert len(requests) == bool(first)


def test_the_bound_of_a_head_does_not_depend_on_the_split():
    limits = ReaderLimits(max_header_bytes=5000)
    stream = post(b"x: %b\r\n" % (b"y" * 4950), line=b"GET /%b HTTP/1.1" % (b"p" * 200))

    assert outcome([stream], limits) == outcome(one_by_one(stream), limits)


@pytest.mark.parametrize(
    "endless",
    [b"G" * 9, b"GET /", b"GET / HTTP/1.1\r\n" + HOST + b"x: ", b"GET / HTTP/1.1\r\nx", b"\r\n"],
    ids=["method", "target", "value", "name", "empty lines"],
)
def test_a_head_without_an_end_is_refused(endless):
    limits = ReaderLimits(max_header_bytes=5000)
    reader = RequestReader(limits, "p")

    def go_on():
        reader.feed(endless)
        for _ in range(250):
            reader.feed(endless[-2:] * 50 if endless == b"\r\n" else b"x" * 100)

    with pytest.raises((HeadersTooLarge, BadRequest)):
        go_on()


def test_a_target_is_bounded():
    def line(size):
        return post(line=b"GET /%b HTTP/1.1" % (b"p" * (size - 1)))

    for pieces in ([line(MAX_TARGET_BYTES)], one_by_one(line(MAX_TARGET_BYTES))):
        assert outcome(pieces)[1] is None
    for pieces in ([line(MAX_TARGET_BYTES + 1)], one_by_one(line(MAX_TARGET_BYTES + 1))):
        assert outcome(pieces) == ([], (HeadersTooLarge, "The URL exceeds 8192 bytes."))


# Bounds of a body.


def too_large(limit):
    return (BodyTooLarge, f"The request body exceeds the limit of {limit} bytes.")


@pytest.mark.parametrize("limit", [50, 1023, 5000])
@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("before", [0, 1], ids=["alone", "pipelined"])
def test_the_size_of_a_body_is_bounded(limit, extra, framing, before):
    chunks = [] if framing == "chunked" else None
    small = Ask(body=b"y").encode()
    stream = small * before + Ask(body=b"x" * (limit + extra), chunks=chunks).encode() + small
    limits = ReaderLimits(max_body_bytes=limit)

    for pieces in ([stream], cut(stream, range(0, len(stream), 7))):
        reader, refusal = feed(pieces, limits)
        *_, first, second = reader.requests
        assert refusal is None
        assert (first.refusal and said(first.refusal)) == (too_large(limit) if extra else None)
        if not extra:
            assert first.body == b"x" * limit
        assert second.body == b"y"  # what was refused is still framed


def test_a_length_beyond_the_bound_is_refused_before_any_body_comes():
    for length in (b"21000000", b"18446744073709551615", b"1".rjust(MAX_LENGTH_DIGITS + 1, b"0")):
        reader, refusal = feed([post(b"content-length: %b\r\n" % length)])

        assert refusal is None
        (request,) = reader.requests
        assert said(request.refusal) == too_large(LIMITS.max_body_bytes)
        assert request.has_ended()
        assert not request.is_complete


def test_a_refused_body_is_not_kept():
    reader, _ = feed([post(TE)], ReaderLimits(max_body_bytes=1000))

    for _ in range(50):
        reader.feed(b"64\r\n" + b"x" * 100 + b"\r\n")
        assert reader.body_bytes <= 1000

    assert reader.requests[0].refusal is not None
    assert reader.body_bytes == 0


def test_the_bytes_of_an_arriving_body_are_counted():
    reader, _ = feed([post(b"content-length: 10\r\n", b"abc")])
    assert reader.body_bytes == 3

    reader.feed(b"defg")
    assert reader.body_bytes == 7

    reader.feed(b"hij")
    assert reader.body_bytes == 0
    assert reader.requests[0].body == b"abcdefghij"


def chunked(count, size):
    return (b"%x\r\n%b\r\n" % (size, b"x" * size)) * count + b"0\r\n\r\n"


def test_tiny_pieces_are_free_up_to_a_number():
    reader, refusal = feed([in_chunks(chunked(FREE_PIECES, 1))])

    assert refusal is None
    assert reader.requests[0].body == b"x" * FREE_PIECES


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_more_tiny_pieces_are_refused(framing):
    count = FREE_PIECES + 1
    if framing == "chunked":
        pieces = [in_chunks(chunked(count, 1))]
    else:
        pieces = [post(b"content-length: %d\r\n" % (2 * count)), *[b"x"] * count]

    reader, refusal = feed(pieces)

    assert refusal is None
    assert said(reader.requests[0].refusal) == (
        BadRequest,
        "The request body arrives in too many small pieces.",
    )
    assert reader.body_bytes == 0


def test_many_pieces_that_are_not_tiny_are_fine():
    count = FREE_PIECES + 1

    reader, refusal = feed([in_chunks(chunked(count, MIN_AVERAGE_PIECE_BYTES))])

    assert refusal is None
    assert reader.requests[0].refusal is None
    assert len(reader.requests[0].body) == count * MIN_AVERAGE_PIECE_BYTES


def test_a_body_in_small_pieces_costs_the_same_each(monkeypatch):
    looked_at = [0]

    def counted(piece):
        looked_at[0] += 1
        return len(piece)

    monkeypatch.setattr(reader_module, "len", counted, raising=False)
    pieces = [b"x" * MIN_AVERAGE_PIECE_BYTES] * 2000

    feed([post(b"content-length: 1000000\r\n"), *pieces])

    assert looked_at[0] < 20 * len(pieces)


def test_framing_is_bounded():
    extension = b";" + b"e" * 10_000
    few = (MAX_FRAMING_BYTES // len(extension)) - 1
    for count, is_fine in ((few, True), (few + 10, False)):
        body = (b"1%b\r\nx\r\n" % extension) * count + b"0\r\n\r\n"
        for pieces in ([in_chunks(body)], cut(in_chunks(body), range(0, len(body), 999))):
            reader, refusal = feed(pieces)
            assert refusal is None
            found = reader.requests[0].refusal
            assert (found is None) is is_fine
            if not is_fine:
                assert said(found) == (
                    BadRequest,
                    "The request body has too much framing for its size.",
                )


@pytest.mark.parametrize("extra", [0, 1])
def test_trailers_are_bounded(extra):
    line = b"x-t: %b\r\n" % (b"y" * (MAX_TRAILER_BYTES - len(b"x-t: \r\n") + extra))
    stream = in_chunks(b"1\r\na\r\n0\r\n" + line + b"\r\n") + Ask(body=b"next").encode()

    reader, refusal = feed([stream])

    first, second = reader.requests
    assert refusal is None
    assert second.body == b"next"
    if extra:
        assert said(first.refusal) == (HeadersTooLarge, "Trailers exceed 4096 bytes.")
    else:
        assert first.refusal is None
        assert first.body == b"a"
