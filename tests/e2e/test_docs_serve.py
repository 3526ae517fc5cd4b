"""Does `arkway docs serve` serve the pages alone, and end when it is told to?"""

import http.client
import signal
import socket
import subprocess
import sys
import time

import pytest

START_LIMIT_S = 15.0


def get(port: int, path: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("location", ""), answer.read().decode()
    finally:
        connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_serve_and_stop(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "arkway", "docs", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        end_s = time.monotonic() + START_LIMIT_S
        while True:
            try:
                status, location, _ = get(port, "/")
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < end_s
                time.sleep(0.05)
        page = get(port, "/docs/keys_and_budgets.md?ask=How+do+I+rotate+a+key%3F")
        process.send_signal(signal.SIGINT)
        process.wait(10)
    finally:
        process.kill()
        said = process.communicate()[1]

    assert (status, location) == (307, "/docs/")
    assert page[0] == 200
    assert "arkway keys rotate" in page[2]
    assert f"http://127.0.0.1:{port}/docs/" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == [], "nothing else is started or written"
