import json
import os
from http.server import BaseHTTPRequestHandler

import pytest

from arkway.cli import main
from support.threaded import Threaded


class Shell:
    """Runs `arkway` in this process, in a home of its own."""

    def __init__(self, home, capsys):
        self.home = home
        self._capsys = capsys

    def __call__(self, *arguments):
        """Return the exit status, standard output and standard error of one command."""
        status = main([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        return status, captured.out, captured.err


@pytest.fixture
def arkway(tmp_path, monkeypatch, capsys):
    for name in [name for name in os.environ if name.startswith("ARKWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ARKWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    return Shell(tmp_path / "home", capsys)


USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 3,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 8},
}


def event(payload):
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def delta(content=None, finish_reason=None):
    inside = {} if content is None else {"content": content}
    return event({"choices": [{"index": 0, "delta": inside, "finish_reason": finish_reason}]})


def stream(*pieces, usage=USAGE):
    """Return the bytes of a whole stream, as CONTRACT section 1 orders them."""
    parts = [
        event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}),
        b": ping\n",
        *map(delta, pieces),
        delta(finish_reason="stop"),
    ]
    parts += [event({"choices": [], "usage": usage})] if usage else []
    return b"".join([*parts, b"data: [DONE]\n\n"])


class FakeGateway(Threaded):
    """Answers every POST with `status` and `body`, and remembers what it was asked."""

    USAGE = USAGE
    stream = staticmethod(stream)

    def __init__(self):
        self.status = 200
        self.body = stream("Hel", "lo")
        self.requests = []  # (path, headers, decoded body)
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.requests.append((self.path, self.headers, sent))
                self.send_response(fake.status)
                self.send_header("x-request-id", "r-1")
                self.end_headers()
                self.wfile.write(fake.body)

        super().__init__(Handler)


@pytest.fixture
def gateway():
    with FakeGateway() as running:
        yield running
