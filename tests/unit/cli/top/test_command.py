import json
import os
import pty
import select
import subprocess
import sys
import time

import pytest

from support.ops import Ops, status_of


@pytest.fixture
def ops():
    with Ops() as running:
        running.status = status_of()
        yield running


@pytest.mark.parametrize("flags", [(), ("--once",)])
def test_one_picture_where_nobody_watches(arkway, ops, flags):
    status, out, err = arkway("top", "--ops-port", ops.port, *flags)

    assert (status, err, ops.asked) == (0, "", 1)
    assert "main" in out
    assert "\x1b" not in out


def test_json_is_what_the_status_says(arkway, ops):
    _, out, _ = arkway("top", "--url", f"http://127.0.0.1:{ops.port}", "--json")

    assert json.loads(out) == ops.status


def test_the_configured_port_is_asked(arkway, ops, monkeypatch):
    monkeypatch.setenv("ARKWAY_SERVER_OPS_PORT", str(ops.port))

    assert arkway("top")[0] == 0


def test_nobody_there_is_one_line(arkway):
    status, out, err = arkway("top", "--ops-port", 1)

    assert (status, out) == (1, "")
    assert err == "arkway: http://127.0.0.1:1: nobody listens there (does `arkway serve` run?)\n"


def test_two_addresses_are_one_too_many(arkway):
    status, _, err = arkway("top", "--url", "http://h", "--ops-port", 1)

    assert status == 2
    assert "give one of them" in err


@pytest.mark.slow
def test_it_is_drawn_again_each_second_outlives_the_gateway_and_q_leaves(ops):
    shell, terminal = pty.openpty()
    top = subprocess.Popen(
        [sys.executable, "-m", "arkway", "top", "--ops-port", str(ops.port)],
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
    )  # fmt: skip
    os.close(terminal)
    seen = b""

    def until(found, within_s=15.0):
        nonlocal seen
        deadline_s = time.monotonic() + within_s
        while not found():
            assert time.monotonic() < deadline_s, seen[-2000:]
            if select.select([shell], [], [], 0.1)[0]:
                seen += os.read(shell, 65536)

    try:
        until(lambda: ops.asked >= 2)
        ops.code = 500
        until(lambda: b"asked again each second" in seen)
        os.write(shell, b"x")
        os.write(shell, b"q")
        until(lambda: b"\x1b[?1049l" in seen)
        assert top.wait(10) == 0
    finally:
        top.kill()
        top.wait()
        os.close(shell)
