from http import HTTPStatus

import httptools
import pytest

from arkway.wire.http import CONTINUE, header_lines, json_head, request_head, stream_head


class Parsed:
    """A message as an HTTP parser reads it that knows nothing of us."""

    def __init__(self, data, parser=httptools.HttpResponseParser):
        self.headers = []
        self.target = self.body = b""
        self.is_whole = self.keeps_alive = False
        self.parser = parser(self)
        self.parser.feed_data(data)

    def on_url(self, url):
        self.target = url

    def on_header(self, name, value):
        self.headers.append((name.decode(), value.decode()))

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.is_whole = True
        self.keeps_alive = self.parser.should_keep_alive()


PLAIN = [("content-type", "application/json"), ("cache-control", "no-store")]


@pytest.mark.parametrize(
    "status", [200, 400, 401, 403, 404, 405, 408, 413, 415, 429, 431, 500, 503]
)
@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("is_http_1_0", [True, False])
def test_a_json_head_says_what_it_must(status, keep_alive, is_http_1_0):
    head = json_head(status, b"x-a: b\r\n", 2, keep_alive=keep_alive, is_http_1_0=is_http_1_0)

    parsed = Parsed(head + b"{}")

    assert head.startswith(b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode()))
    assert parsed.is_whole
    assert parsed.body == b"{}"
    expected = [*PLAIN, ("x-a", "b"), ("content-length", "2")]
    if not keep_alive:
        expected.insert(3, ("connection", "close"))
    elif is_http_1_0:
        expected.insert(3, ("connection", "keep-alive"))
    assert parsed.headers == expected
    assert parsed.keeps_alive is keep_alive


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_stream_head_says_what_it_must(is_chunked, keep_alive):
    head = stream_head(b"x-a: b\r\n", is_chunked=is_chunked, keep_alive=keep_alive)

    assert Parsed(head).headers == [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("x-accel-buffering", "no"),
        ("x-a", "b"),
        *([("transfer-encoding", "chunked")] if is_chunked else []),
        *([] if keep_alive else [("connection", "close")]),
    ]


def test_a_request_head_ends_where_the_length_goes():
    head = request_head("/v1/chat/completions", "h:1", {"accept": "*/*"})

    parsed = Parsed(head + b"2\r\n\r\n{}", httptools.HttpRequestParser)

    assert parsed.is_whole
    assert parsed.target == b"/v1/chat/completions"
    assert parsed.parser.get_method() == b"POST"
    assert parsed.headers == [("host", "h:1"), ("accept", "*/*"), ("content-length", "2")]


def test_header_lines_are_ascii_only():
    assert header_lines({}) == b""
    assert header_lines({"a": "1", "b": ""}) == b"a: 1\r\nb: \r\n"
    with pytest.raises(UnicodeEncodeError):
        header_lines({"a": "é"})


def test_continue_is_an_informational_answer():
    assert Parsed(CONTINUE + b"HTTP/1.1 204 x\r\n\r\n").parser.get_status_code() == 204
