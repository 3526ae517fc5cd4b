import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.wire.sse import SseDecoder
from support.strategies import one_by_one, splits

LIMIT = 1000


def decode(pieces, limit=LIMIT):
    decoder = SseDecoder(limit)
    return [payload for piece in pieces for payload in decoder.feed(piece)]


def by_the_book(stream):
    """Return the payloads of `stream`, read line by line; a CR is nothing to us."""
    payloads, lines = [], []
    *whole, _ = stream.replace(b"\r", b"").removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for line in whole:
        if line.startswith(b'{"error"'):
            lines.append(line)
        elif line.startswith(b"data:"):
            lines.append(line[5:].removeprefix(b" "))
        elif not line:
            payloads.append(b"\n".join(lines))
            lines = []
    return [payload for payload in payloads if payload]


@pytest.mark.parametrize(
    ("stream", "payloads"),
    [
        (b"", []),
        (b"\n\n\n\n", []),
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a \n\n", [b" a "]),
        (b"data: a\r\n\r\n", [b"a"]),
        (b"data: a\n\r\n", [b"a"]),
        (b"data: a\r\n\n", [b"a"]),
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\n\n\ndata: b\n\n\n\n", [b"a", b"b"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data: a\ndata:\ndata:b\n\n", [b"a\n\nb"]),
        (b"event: message\nid: 1\nretry: 5\ndata: a\n\n", [b"a"]),
        (b": a comment\n\n: ping\ndata: a\n\n", [b"a"]),
        (b"data: a\n: ping\n\n", [b"a"]),
        (b":\n\n", []),
        (b"data:\n\n", []),
        (b"event: end\n\n", []),
        (b"dat: a\ndatax: b\n data: c\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
        (b"data: \xef\xbb\xbfa\n\n", [b"\xef\xbb\xbfa"]),
        (b"\xefdata: a\n\ndata: b\n\n", [b"b"]),
        (b'{"error":{"code":"x"}}\n\n', [b'{"error":{"code":"x"}}']),
        (b'event: error\n{"error": "x"}\n\n', [b'{"error": "x"}']),
        (b'{"choices":[]}\n\n', []),
        (b"data: [DONE]\n\n", [b"[DONE]"]),
        (b"data: unfinished", []),
        (b"data: unfinished\n", []),
        (b"data: a\rb\n\n", [b"ab"]),
        (b"data: a\r\r\n\r\ndata: b\n\r\r\n", [b"a", b"b"]),
        (b"data: \n\n", []),
        (b"data: \ndata: \n\n", [b"\n"]),
        (b"data: \xff\x00\n\n", [b"\xff\x00"]),
    ],
)
def test_a_table_of_streams(stream, payloads):
    assert decode([stream]) == payloads
    assert decode(one_by_one(stream)) == payloads


tokens = st.sampled_from(
    [
        b"data: ",
        b"data:",
        b"data: a",
        b"a",
        b" ",
        b":",
        b"\n",
        b"\n\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\r",
        b"\xef\xbb\xbf",
        b"\xef",
        b'{"error"',
        b"event: e",
        "豆".encode(),
        b"\0",
    ]
)
streams = st.lists(tokens, max_size=20).map(b"".join)


@given(streams, st.data())
@settings(max_examples=150)
def test_any_split_of_the_stream_gives_the_same_payloads(stream, data):
    whole = decode([stream])

    assert decode(data.draw(splits(stream))) == whole
    assert decode(one_by_one(stream)) == whole
    assert whole == by_the_book(stream)


# The bound.


def bounded(pieces, limit):
    decoder, payloads = SseDecoder(limit), []
    for piece in pieces:
        payloads += decoder.feed(piece)
        if decoder.is_too_large:
            break
    return payloads, decoder.is_too_large


@given(st.integers(1, 60), st.sampled_from([b"\n", b"\r\n"]), st.integers(1, 20), st.data())
def test_an_event_up_to_the_bound_passes_and_a_larger_one_does_not(size, eol, more, data):
    event = b"data: " + b"x" * size
    limit = len(event)
    small, large = (text + eol + eol for text in (event, event + b"y" * (more + 1)))

    for stream, payloads, is_too_large in (
        (small * 3, [b"x" * size] * 3, False),
        (small + large + small, [b"x" * size], True),
    ):
        for pieces in ([stream], data.draw(splits(stream)), one_by_one(stream)):
            assert bounded(pieces, limit + 1) == (payloads, is_too_large)


def test_an_event_at_the_bound_passes_however_it_comes():
    stream = b"data: 0123456789\n\n"

    for pieces in ([stream], one_by_one(stream)):
        assert bounded(pieces, 16) == ([b"0123456789"], False)


def test_an_unfinished_event_is_bounded():
    decoder = SseDecoder(100)

    assert decoder.feed(b"data: a\n\n" + b"x" * 100) == [b"a"]
    assert not decoder.is_too_large
    assert decoder.feed(b"xx") == []
    assert decoder.is_too_large


def test_events_do_not_count_together():
    assert bounded([b"data: 0123456789\n\n" * 50], 20) == ([b"0123456789"] * 50, False)
