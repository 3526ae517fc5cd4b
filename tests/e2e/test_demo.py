"""Does `make demo` serve, and leave nothing behind?"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from support.gateway import free_port

DEMO = Path(__file__).resolve().parents[2] / "tools" / "demo.py"
LIMIT_S = 30.0


def ask(port, key):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        message = {"role": "user", "content": "Hello! [[sim tokens=3 first_token_s=0]]"}
        body = {"model": "Doubao-1.5-pro-32k", "messages": [message]}
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def test_the_demo_answers_and_ends(tmp_path):
    port = free_port()
    flags = ["--port", str(port), "--ops-port", str(free_port())]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ARKWAY_")}
    environ["ARKWAY_HOME"] = str(tmp_path)
    with (tmp_path / "out").open("w") as out:
        demo = subprocess.Popen(
            [sys.executable, DEMO, *flags], env=environ, stdout=out, stderr=out,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    said = (tmp_path / "out").read_text
    try:
        deadline_s = time.monotonic() + LIMIT_S
        while "Arkway is ready" not in said():
            assert demo.poll() is None, said()
            assert time.monotonic() < deadline_s, said()
            time.sleep(0.05)
        answer = ask(port, (tmp_path / "first-key").read_text().strip())
    finally:
        os.killpg(demo.pid, signal.SIGINT)  # as Ctrl-C does
        try:
            status = demo.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(demo.pid, signal.SIGKILL)
            raise

    assert answer["choices"][0]["message"]["content"] == "000 001 002 "
    assert status == 0
    served = [json.loads(line) for line in (tmp_path / "served.jsonl").read_text().splitlines()]
    assert [line["outcome"] for line in served if line["outcome"] != "begun"] == ["answered"]
    assert f"http://127.0.0.1:{port}/v1/chat/completions" in said()
    assert not [
        pid
        for pid in os.listdir("/proc")
        if pid.isdigit() and str(tmp_path).encode() in _command(pid)
    ], "the simulator is gone too"


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
