import json
import socket
import threading

import pytest

from arkway.cli import completion
from arkway.cli.completion import Endpoint, ask
from arkway.cli.output import Failure


def asked(gateway, path=""):
    pieces = []
    answer = ask(
        Endpoint(gateway.url + path, "sk-1"),
        "m",
        [{"role": "user", "content": "hi"}],
        "c-1",
        pieces.append,
    )
    return answer, pieces


def test_the_answer_comes_in_pieces_and_whole(gateway):
    answer, pieces = asked(gateway)

    assert pieces == ["Hel", "lo"]
    assert (answer.content, answer.finish_reason) == ("Hello", "stop")
    assert answer.usage == gateway.USAGE
    assert answer.request_id == "r-1"


def test_a_reader_who_leaves_is_no_fault_of_the_gateway(gateway):
    def gone(_text):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        ask(Endpoint(gateway.url, "sk-1"), "m", [], "c-1", gone)


@pytest.mark.parametrize(
    ("path", "asked_path"),
    [("", "/v1"), ("/", "/v1"), ("/v1", "/v1"), ("/v1/", "/v1"), ("/gate/v1", "/gate/v1")],
)
def test_an_address_may_leave_the_v1_out(gateway, path, asked_path):
    asked(gateway, path)

    assert gateway.requests[0][0] == f"{asked_path}/chat/completions"


def test_the_request_is_what_an_sdk_would_send(gateway):
    asked(gateway)

    _, headers, body = gateway.requests[0]
    assert headers["Authorization"] == "Bearer sk-1"
    assert headers["X-Conversation-Id"] == "c-1"
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


PIECE = b'data: {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}\n\n'
ERROR = {"error": {"message": "No such model.", "code": "model_not_found"}}


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, json.dumps(ERROR), r"refused \(404\): No such model. \[model_not_found\]"),
        (502, "<html>", "answered with status 502"),
        (500, "{}", "answered with status 500"),
        (500, '{"error": "x"}', "answered with status 500"),
    ],
)
def test_a_refusal_is_one_line(gateway, status, body, message):
    gateway.status, gateway.body = status, body.encode()

    with pytest.raises(Failure, match=message):
        asked(gateway)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "broke off$"),
        (PIECE, "broke off$"),
        (
            PIECE + b"data: " + json.dumps(ERROR).encode() + b"\n\n",
            r"broke off: No such model. \[model_not_found\]",
        ),
        (b"data: {\n\n", "sent no valid answer"),
    ],
)
def test_an_answer_that_breaks_off_is_a_failure(gateway, body, message):
    gateway.body = body

    with pytest.raises(Failure, match=message):
        asked(gateway)


def test_nobody_there_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(Failure, match=f"cannot reach {url}: Connection refused"):
            ask(Endpoint(url, "k"), "m", [], "c", print)


def test_silence_is_one_line(monkeypatch):
    monkeypatch.setattr(completion, "_SILENCE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        with pytest.raises(Failure, match="does not answer"):
            ask(Endpoint(url, "k"), "m", [], "c", print)


def test_something_else_there_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")

        threading.Thread(target=answer, daemon=True).start()

        with pytest.raises(Failure, match="sent no valid answer"):
            ask(Endpoint(url, "k"), "m", [], "c", print)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://h", "http://", "http://h:x"])
def test_an_address_is_http(url):
    with pytest.raises(Failure, match="is not an http:// or https:// address") as failure:
        ask(Endpoint(url, "k"), "m", [], "c", print)

    assert failure.value.status == 2
