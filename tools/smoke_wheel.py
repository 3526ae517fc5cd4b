"""Does the wheel work where nothing of this tree is? Install it elsewhere and make two calls.

    python tools/smoke_wheel.py dist/arkway-0.1.0-py3-none-any.whl

A new environment in a temporary directory gets the pinned run-time packages and the wheel, and
nothing else: no embedded model, no test packages. The commands run from an empty directory.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RUN_LOCK = Path(__file__).resolve().parent.parent / "requirements" / "run.lock"
MODEL = "Doubao-1.5-pro-32k"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
START_LIMIT_S = 30.0  # a cold start takes one second on an idle machine
STOP_LIMIT_S = 10.0  # with nothing to drain it takes milliseconds


class Upstream(BaseHTTPRequestHandler):
    """An upstream that says "smoke", in one piece or as a stream."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer any POST."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked.get("stream"):
            events = [*map(json.dumps, chunks()), "[DONE]"]
            kind, body = "text/event-stream", "".join(f"data: {event}\n\n" for event in events)
        else:
            message = {"role": "assistant", "content": "smoke"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = {"object": "chat.completion", "choices": [choice], "usage": USAGE}
            kind, body = "application/json", json.dumps(answer)
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def chunks() -> Iterator[dict[str, Any]]:
    """Yield the chunks of a stream that says "smoke"."""
    head = {"id": "up-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: list[tuple[dict[str, str], str | None]] = [
        ({"role": "assistant", "content": ""}, None),
        ({"content": "smo"}, None),
        ({"content": "ke"}, None),
        ({}, "stop"),
    ]
    for delta, finish in deltas:
        yield head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    yield head | {"choices": [], "usage": USAGE}


def main(wheel: Path) -> None:
    """Run every step; the first that fails ends the program with its reason."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="arkway-smoke-") as folder, upstream() as port:
        environment = Path(folder, "venv")
        install(environment, wheel)
        work = Path(folder, "empty")
        work.mkdir()
        arkway = Arkway(environment / "bin" / "arkway", work)
        version = json.loads(arkway.run("version", "--json"))["arkway"]
        assert version in wheel.name, f"{wheel.name} says it is {version}"
        answer = arkway.run("docs", "ask", "How do I rotate a key?")
        assert "arkway keys rotate" in answer, answer
        base_url = f"http://127.0.0.1:{port}/v1"
        account = ("--dialect", "openai", "--base-url", base_url, "--key-env", "UPSTREAM_KEY")
        arkway.run("accounts", "add", "smoke", *account)
        arkway.run("config", "check")
        key = json.loads(arkway.run("keys", "create", "--name", "smoke", "--json"))["key"]
        with arkway.serving() as gateway_port:
            try_calls(gateway_port, key)
    print(f"wheel: {wheel.name} works ({time.monotonic() - began_s:.0f} s)")


@contextmanager
def upstream() -> Iterator[int]:
    """Run the upstream; yield its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def install(environment: Path, wheel: Path) -> None:
    """Make `environment` with the pinned run-time packages and the wheel."""
    venv.create(environment, with_pip=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
    pip.append("--disable-pip-version-check")
    subprocess.run([*pip, "--require-hashes", "--requirement", RUN_LOCK], check=True)
    subprocess.run([*pip, "--no-deps", "--no-index", wheel.resolve()], check=True)
    subprocess.run([*pip[:3], "check"], check=True, stdout=subprocess.DEVNULL)


class Arkway:
    """The installed command, run from an empty directory with a home of its own."""

    def __init__(self, program: Path, work: Path) -> None:
        self._program = program
        self._work = work
        self._env = {
            "ARKWAY_HOME": str(work / "home"),
            "PATH": os.defpath,
            "UPSTREAM_KEY": "smoke",
        }

    def run(self, *arguments: str) -> str:
        """Return what a command prints; it must succeed."""
        done = subprocess.run(
            [self._program, *arguments],
            cwd=self._work,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"arkway {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Serve; yield the public port; end with SIGTERM, which must end it with status 0."""
        port, ops_port = free_port(), free_port()
        command = [self._program, "serve", "--port", str(port), "--ops-port", str(ops_port)]
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                command, cwd=self._work, env=self._env, stdout=output, stderr=output
            )
            try:
                await_ready(process, ops_port)
                yield port
                process.send_signal(signal.SIGTERM)
                status = process.wait(STOP_LIMIT_S)
                assert status == 0, f"serve ended with status {status}"
            except BaseException:
                output.seek(0)
                sys.stderr.write(output.read().decode())
                raise
            finally:
                process.kill()
                process.wait()


def await_ready(process: subprocess.Popen[bytes], ops_port: int) -> None:
    """Return when /readyz answers 200."""
    deadline_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline_s:
        assert process.poll() is None, f"serve ended with status {process.returncode}"
        try:
            if request(ops_port, "GET", "/readyz")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("serve was not ready in time")


def try_calls(port: int, key: str) -> None:
    """Make a plain and a streamed call, and one with a wrong key."""
    body: dict[str, object] = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    status, text = request(port, "POST", "/v1/chat/completions", body, key)
    assert status == 200, text
    answer = json.loads(text)
    assert answer["choices"][0]["message"]["content"] == "smoke", text
    assert answer["model"] == MODEL, text
    assert answer["usage"]["total_tokens"] == 5, text
    status, text = request(port, "POST", "/v1/chat/completions", body | {"stream": True}, key)
    assert status == 200, text
    *events, done, rest = text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", ""), text
    parts = [json.loads(event.removeprefix("data: "))["choices"][0]["delta"] for event in events]
    assert "".join(part.get("content") or "" for part in parts) == "smoke", text
    status, text = request(port, "POST", "/v1/chat/completions", body, "sk-wrong")
    assert status == 401, text


def request(
    port: int, method: str, path: str, body: object = None, key: str = ""
) -> tuple[int, str]:
    """Return status and text of one HTTP exchange."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_LIMIT_S)
    try:
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
