import pytest

from arkway.telemetry.framing import KINDS, kind_of
from support.fakes import FakeLoop
from support.listener_lab import ListenerLab

REQUESTS = {
    "transfer_encoding": b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\n"
    b"transfer-encoding: chunked\r\n\r\n",
    "content_length": b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: +1\r\n\r\n",
    "line_ending": b"GET / HTTP/1.1\r\nhost: h\rx: y\r\n\r\n",
    "method": b"BREW / HTTP/1.1\r\nhost: h\r\n\r\n",
    "target": b"GET http://other/ HTTP/1.1\r\nhost: h\r\n\r\n",
    "version": b"GET / HTTP/1.9\r\nhost: h\r\n\r\n",
    "host": b"GET / HTTP/1.1\r\n\r\n",
    "repeated_header": b"GET / HTTP/1.1\r\nhost: h\r\nhost: i\r\n\r\n",
    "header": b"GET / HTTP/1.1\r\nhost: h\r\nx y: z\r\n\r\n",
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_real_refusals_have_their_kind(kind):
    with FakeLoop() as loop:
        lab = ListenerLab(loop, None)
        refused = []
        lab.listener.on_refused = refused.append

        lab.ask(REQUESTS[kind])

    (error,) = refused
    assert error.code == "invalid_http"
    assert kind_of(str(error)) == kind


def test_what_has_no_kind_is_other():
    assert kind_of("Malformed HTTP request: parse error.") == "other"
    assert "other" in KINDS
