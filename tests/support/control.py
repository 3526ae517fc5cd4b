"""A control process alone, on a free loopback port, with a home of its own."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from arkway.store.secret_io import SECRET_VARIABLE
from support.gateway import START_LIMIT_S, STOP_LIMIT_S, free_port
from support.stores import SECRET, fresh_store


def admin_ask(
    port: int, method: str, path: str, token: str | None, body: Any = None
) -> tuple[int, Any]:
    """Make one request of the admin API; return its status and document."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def wait_admin(port: int, is_running: Any, within_s: float = START_LIMIT_S) -> None:
    """Return when the admin API on `port` answers."""
    ends_s = time.monotonic() + within_s
    while time.monotonic() < ends_s:
        assert is_running()
        try:
            if admin_ask(port, "GET", "/admin/openapi.json", None)[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
    raise AssertionError("the admin API does not answer")


class Control:
    """Use as a context manager."""

    def __init__(self, home: Path | None = None) -> None:
        self._made = home is None
        self.home = home or Path(tempfile.mkdtemp(prefix="arkway-test-control-"))
        self.port = free_port()
        if home is None:
            fresh_store(self.home)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("ARKWAY_")}
        own = {"ARKWAY_HOME": str(self.home), SECRET_VARIABLE: SECRET}
        # Not the default, behind which somebody's own gateway may be.
        self.env = {**inherited, **own, "ARKWAY_SERVER_OPS_PORT": str(free_port())}

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "arkway", "control", "--control-port", str(self.port)]
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "KILL", *command]
        self._log = (self.home / "log").open("wb")
        self.process = subprocess.Popen(
            command, env=self.env, cwd=self.home, stdout=self._log, stderr=self._log
        )
        try:
            wait_admin(self.port, lambda: self.process.poll() is None)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()
        if self._made:
            shutil.rmtree(self.home, ignore_errors=True)

    @property
    def token(self) -> str:
        return (self.home / "first-admin-token").read_text().strip()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return admin_ask(self.port, method, path, self.token, body)

    def log(self) -> str:
        return (self.home / "log").read_text()
