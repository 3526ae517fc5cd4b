"""What would Ark do? Start `arkway sim ark` for a test, talk to it, read its log, always end it.

    with Sim({"number_of_accounts": 4}, "--instant") as sim:
        with Gateway({"accounts": sim.pool}, env=sim.env) as gateway: ...
        assert sim.log() == ...

Nothing here imports `arkway`: simulator and gateway are asked from outside.
"""

import http.client
import json
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from support.httpraw import Connection, Response, request

START_LIMIT_S = 20.0
STOP_LIMIT_S = 5.0
MODEL = "doubao-1-5-pro-32k-250115"
KINDS = (  # of faults; tests/docs holds docs/simulator.md to the simulator's own list
    "refuse", "reset_before_headers", "close_before_headers", "reset_after_headers", "hang",
    "error", "redirect", "wrong_content_type", "garbage", "empty", "huge_header", "bad_head",
    "slow_headers", "slow_first_token", "stall", "cut", "early_eof", "no_done", "bad_json",
    "bad_chunk_size", "bad_sse", "huge_line", "error_in_stream", "content_filter", "no_usage",
    "zero_usage", "close_after",
)  # fmt: skip


class Sim:
    """A simulator process; use it as a context manager.

    `settings` are those of its file (docs/simulator.md), `flags` its flags.
    """

    def __init__(self, settings: Mapping[str, Any] | None = None, *flags: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="arkway-sim-"))
        (self.home / "sim.json").write_text(json.dumps(settings or {}))
        self._flags = flags
        self.ready: dict[str, Any] = {}
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "arkway", "sim", "ark", "--json"]
        for flag, name in (
            ("--config", "sim.json"),
            ("--log", "log.jsonl"),
            ("--pool-file", "pool.toml"),
            ("--env-file", "sim.env"),
        ):
            command += [flag, str(self.home / name)]
        command += self._flags
        if setpriv := shutil.which("setpriv"):  # even if pytest itself is killed, it goes too
            command = [setpriv, "--pdeathsig", "KILL", *command]
        with (self.home / "stderr").open("wb") as err:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err
            )
        try:
            self._await_ready()
        except BaseException:
            self._end()
            raise
        return self

    def _await_ready(self) -> None:
        assert self.process.stdout is not None
        if select.select([self.process.stdout], [], [], START_LIMIT_S)[0]:
            line = self.process.stdout.readline()
            if line:
                self.ready = json.loads(line)
                return
        raise AssertionError(f"the simulator did not start: {self.stderr()}")

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def kill(self) -> None:
        """End it as a crash would; its log stays to be read."""
        self.process.kill()
        self.process.wait()

    def stderr(self) -> str:
        return (self.home / "stderr").read_text(errors="replace")

    # -- what it says about itself -----------------------------------------------------------------

    @property
    def accounts(self) -> list[dict[str, Any]]:
        return self.ready["accounts"]

    @property
    def pool(self) -> list[dict[str, Any]]:
        """The accounts as a gateway's `[[accounts]]` tables."""
        return tomllib.loads((self.home / "pool.toml").read_text())["accounts"]

    @property
    def env(self) -> dict[str, str]:
        """The environment that a gateway with this pool needs."""
        lines = (self.home / "sim.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def log(self, *, begun: bool = False) -> list[dict[str, Any]]:
        """Return the lines of its log in order; those of mere beginnings only if asked for."""
        text = (self.home / "log.jsonl").read_text()
        whole = text[: text.rfind("\n") + 1]  # a line may be on its way
        found = [json.loads(line) for line in whole.splitlines()]
        return [line for line in found if begun or line["outcome"] != "begun"]

    def wait_log(self, count: int, *, within_s: float = 5.0) -> list[dict[str, Any]]:
        """Return the log once it has `count` lines."""
        deadline_s = time.monotonic() + within_s
        while len(lines := self.log()) < count:
            assert time.monotonic() < deadline_s, f"{len(lines)} lines of {count}: {lines}"
            time.sleep(0.005)
        return lines

    def control(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Ask its control port; anything but `status` fails."""
        url = urlsplit(self.ready["control"])
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=5)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        assert answer.status == status, text
        return json.loads(text)

    def set_faults(self, *rules: Mapping[str, Any]) -> None:
        self.control("PUT", "/faults", list(rules))

    # -- talking to it as an account's client ------------------------------------------------------

    def port(self, account: int = 0) -> int:
        return urlsplit(self.accounts[account]["base_url"]).port or 0

    def request(self, body: Any, account: int = 0, **headers: str) -> bytes:
        """Return the bytes of a chat request; `headers` with _ for -."""
        given = {"Authorization": f"Bearer {self.accounts[account]['key']}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        return request("POST", "/api/v3/chat/completions", given.items(), payload)

    def connect(self, account: int = 0, **options: Any) -> Connection:
        return Connection(self.port(account), **options)

    def post(self, body: Any, account: int = 0, **headers: str) -> Response:
        """Ask on a connection of its own."""
        with self.connect(account) as connection:
            connection.send(self.request(body, account, **headers))
            return connection.read_response()

    def chat(self, prompt: str, account: int = 0, **fields: Any) -> Response:
        """Ask one question."""
        return self.post(ask(prompt, **fields), account)


def ask(prompt: str, **fields: Any) -> dict[str, Any]:
    """Return the body of a chat request with one user message."""
    return {"model": MODEL, "messages": [{"role": "user", "content": prompt}], **fields}


def directive(**wishes: Any) -> str:
    """Return what makes the simulator do as wished: `[[sim name=value ...]]`."""
    return "[[sim " + " ".join(f"{name}={value}" for name, value in wishes.items()) + "]]"
