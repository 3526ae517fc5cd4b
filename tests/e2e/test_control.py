"""The control process beside a gateway: found, supervised, replaced, and never in the way."""

import os
import signal
import socket
import stat
import time
from contextlib import closing
from urllib.request import urlopen

import pytest

from support.control import Control, admin_ask, wait_admin
from support.gateway import Gateway, ask, free_port
from support.upstream import Upstream

pytestmark = pytest.mark.slow


def gateway_with_control(upstream, port, **control):
    account = {"name": "a", "dialect": "openai", "base_url": upstream.base_url(0)}
    settings = {"accounts": [account], "control": {"port": port, **control}}
    return Gateway(settings)


def children(pid):
    path = f"/proc/{pid}/task/{pid}/children"
    with open(path) as file:
        return [int(child) for child in file.read().split()]


def ended(pid, within_s=5.0):
    ends_s = time.monotonic() + within_s
    while time.monotonic() < ends_s:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_it_serves_beside_the_gateway_and_its_death_is_nobodys_business():
    port = free_port()
    with Upstream(1) as upstream, gateway_with_control(upstream, port) as gateway:
        wait_admin(port, gateway.is_running)
        kept = gateway.home / "first-admin-token"
        token = kept.read_text().strip()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert gateway.stdout().count(token) == 1

        made = admin_ask(port, "POST", "/admin/v1/keys", token, {"name": "via-admin"})[1]
        assert _status_within(gateway, made["key"], 200)
        health = admin_ask(port, "GET", "/admin/v1/health", token)[1]
        assert health["worker"]["is_ready"] is True
        call = admin_ask(port, "GET", "/admin/v1/calls", token)[1]
        assert call["items"] == [] or call["items"][0]["key"] == made["id"]

        page = urlopen(f"http://127.0.0.1:{port}/docs", timeout=5)  # and on to /docs/
        assert page.url.endswith("/docs/")
        assert b"admin-api" in page.read()
        assert page.headers["x-request-id"]

        (child,) = children(gateway.process.pid)
        os.kill(child, signal.SIGKILL)
        assert gateway.chat("while it is away").status == 200
        wait_admin(port, gateway.is_running)
        assert [token] == [line.strip() for line in gateway.stdout().splitlines() if "adm-" in line]
        assert '"control_down"' in gateway.stderr()

        admin_ask(port, "DELETE", f"/admin/v1/keys/{made['id']}", token)
        assert _status_within(gateway, made["key"], 401)

        (child,) = children(gateway.process.pid)
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.wait_exit() == 0
        assert ended(child, 0.5)


def _status_within(gateway, key, status, within_s=2.0):
    ends_s = time.monotonic() + within_s
    while time.monotonic() < ends_s:
        if gateway.call("POST", "/v1/chat/completions", ask("x"), key=key).status == status:
            return True
        time.sleep(0.02)
    return False


def test_it_rests_when_nobody_asks_and_is_there_again_when_somebody_does():
    port = free_port()
    with Upstream(1) as upstream, gateway_with_control(upstream, port, idle_s=0.5) as gateway:
        wait_admin(port, gateway.is_running)
        token = (gateway.home / "first-admin-token").read_text().strip()
        (first,) = children(gateway.process.pid)
        assert ended(first)
        assert children(gateway.process.pid) == []

        health = admin_ask(port, "GET", "/admin/v1/health", token)[1]

        assert health["worker"]["is_ready"] is True
        (second,) = children(gateway.process.pid)
        assert second != first
        assert "control_down" not in gateway.stderr()  # it is no fault
        assert gateway.stdout().count(token) == 1


def test_it_does_not_outlive_a_gateway_that_was_killed():
    port = free_port()
    with Upstream(1) as upstream, gateway_with_control(upstream, port) as gateway:
        wait_admin(port, gateway.is_running)
        (child,) = children(gateway.process.pid)

        gateway.process.kill()

        assert ended(child)


def test_a_taken_port_that_nobody_named_is_no_reason_not_to_serve():
    with closing(socket.socket()) as other:
        try:
            other.bind(("127.0.0.1", 8081))
            other.listen()
        except OSError:
            pass  # another gateway of this machine has it, which is just as good
        with Gateway({"control": {"enabled": True}, "accounts": []}, arguments=[]) as gateway:
            assert '"control_off"' in gateway.stderr()
            assert "8081 is in use" in gateway.stderr()


def test_a_taken_port_that_was_named_is_a_start_error():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        gateway = Gateway({"control": {"enabled": True}}, arguments=["--control-port", str(port)])
        gateway.spawn()
        try:
            assert gateway.wait_exit(within_s=20) == 1
            (line,) = gateway.stderr().splitlines()
            assert line == (
                f"arkway serve: 127.0.0.1:{port} is in use by another process; "
                "stop it or choose another --control-port"
            )
        finally:
            gateway._end()


def test_alone_it_makes_its_token_once_and_refuses_a_weak_secret():
    with Control() as control:
        token = control.token
        assert control.log().count(token) == 1
        assert control.ask("GET", "/admin/v1/health")[1]["worker"]["status"] == "unreachable"
        home = control.home
        with Control(home) as second:
            assert second.token == token
            assert token not in second.log()
        weak = Control(home)
        weak.env["ARKWAY_SECRET_KEY"] = "weak"
        with pytest.raises(AssertionError), weak:
            pass
        assert weak.process.returncode == 2
        assert "at least 32 random characters" in weak.log()
