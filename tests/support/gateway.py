"""How does a real gateway process behave? Start it, talk to it, always end it.

`Gateway` runs `python -m arkway serve` with a home of its own on free loopback ports; models,
accounts and keys of its settings go into the store there, the rest into the file. It is ready
when `/readyz` on the ops port answers 200. Its standard error is kept for diagnosis.
"""

import hashlib
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from arkway.control.import_toml import import_tables
from arkway.store import prices
from arkway.store.changes import change
from arkway.store.engine import open_store
from arkway.store.secret_io import SECRET_VARIABLE
from support.httpraw import Connection, Response, request
from support.stores import SECRET, fresh_store
from support.upstream import Upstream

KEY = "sk-test-0123456789abcdef0123456789abcdef0123456789abcdef"
OTHER_KEY = "sk-test-another-tenant-456789abcdef0123456789abcdef01234"
DISABLED_KEY = "sk-test-disabled-0123456789abcdef0123456789abcdef0123456"
LITE_KEY = "sk-test-lite-only-123456789abcdef0123456789abcdef012345"
UPSTREAM_KEY = "ark-upstream-credential-must-never-leave"
MODEL = "Doubao-1.5-pro-32k"
START_LIMIT_S = 20.0
STOP_LIMIT_S = 10.0

Settings = Mapping[str, Any]

# Outside Linux's ephemeral range (32768-60999), so that no outgoing connection takes one between
# our look and the gateway's bind.
_ports = itertools.count(random.Random(os.getpid()).randrange(20_000, 31_000))


def free_port() -> int:
    """Return a loopback port on which nobody listens, never the same one twice in a process."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


def sha256_hash(key: str) -> str:
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)  # JSON scalars and arrays of scalars are TOML ones


def toml(settings: Settings) -> str:
    """Return `settings` (tables, or lists of tables) as TOML."""
    lines: list[str] = []
    for name, value in settings.items():
        tables = [(f"[{name}]", value)] if isinstance(value, Mapping) else []
        tables = tables or [(f"[[{name}]]", table) for table in value]
        for title, table in tables:
            lines += [title, *(f"{key} = {_inline(item)}" for key, item in table.items())]
    return "\n".join(lines) + "\n"


def accounts(upstream: Upstream, dialect: str = "openai", **more: Any) -> list[Settings]:
    """Return one account per port of `upstream`, named `account-<n>`."""
    return [
        {
            "name": f"account-{n}",
            "dialect": dialect,
            "base_url": upstream.base_url(n),
            "key_env": "UPSTREAM_KEY",
            **more,
        }
        for n in range(len(upstream.ports))
    ]


TEST_KEYS: list[Settings] = [
    {"name": "test", "hash": sha256_hash(KEY)},
    {"name": "other", "hash": sha256_hash(OTHER_KEY), "tenant": "other"},
    {"name": "lite", "hash": sha256_hash(LITE_KEY), "models": ["Doubao-1.5-lite-32k"]},
    {"name": "off", "hash": sha256_hash(DISABLED_KEY), "enabled": False},
]
STORED = ("models", "accounts", "keys", "prices")  # settings that go into the store


def fill_store(home: Path, settings: Settings, environ: Mapping[str, str]) -> None:
    """Make the store of `home` with the models, accounts and keys of `settings`.

    They are written as in a file of an earlier version: `hash` of a key, `key_file` of an account.
    A model without an entry in `prices` costs nothing.
    """
    if environ.get(SECRET_VARIABLE) == SECRET:
        fresh_store(home)
    text = toml({name: settings[name] for name in STORED[:3] if settings.get(name)})
    with change(open_store(home, environ), "tests") as now:
        done = import_tables(now, text, home)
        costs = {name: {"input": "0", "output": "0"} for name in done.unpriced}
        for name, price in {**costs, **settings.get("prices", {})}.items():
            prices.put(now, name, price)


class Gateway:
    """A gateway process; use it as a context manager."""

    def __init__(
        self,
        settings: Settings,
        *,
        env: Mapping[str, str] | None = None,
        port: int | None = None,
        arguments: Iterable[str] = (),
    ) -> None:
        self.port = port or free_port()
        self.ops_port = free_port()
        self.home = Path(tempfile.mkdtemp(prefix="arkway-test-"))
        server = {"host": "127.0.0.1", "port": self.port, "ops_port": self.ops_port}
        self.config = self.home / "arkway.toml"
        process = {name: table for name, table in settings.items() if name not in STORED}
        process = {"control": {"enabled": False}, **process}  # only tests of it pay for it
        self.config.write_text(
            toml({**process, "server": {**server, **settings.get("server", {})}})
        )
        self._stderr = self.home / "stderr.log"
        self._stdout = self.home / "stdout.log"
        self._looked_at = 0  # how much of stderr `unhandled` has seen
        self._arguments = list(arguments)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("ARKWAY_")}
        self._env = {
            **inherited,
            "ARKWAY_HOME": str(self.home),
            "UPSTREAM_KEY": UPSTREAM_KEY,
            SECRET_VARIABLE: SECRET,
            **(env or {}),
        }
        fill_store(self.home, {"keys": TEST_KEYS, **settings}, self._env)
        self.process: subprocess.Popen[bytes]

    # -- life ----------------------------------------------------------------------------------

    def spawn(self) -> Self:
        """Start the process without waiting for it."""
        command = [sys.executable, "-X", "dev" if os.environ.get("ARKWAY_TEST_DEV") else "utf8"]
        command += ["-m", "arkway", "serve", *self._arguments]
        if setpriv := shutil.which("setpriv"):  # even if pytest itself is killed, it goes too
            command = [setpriv, "--pdeathsig", "KILL", *command]
        with self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            self.process = subprocess.Popen(
                command, cwd=self.home, env=self._env, stdin=subprocess.DEVNULL,
                stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip
        return self

    def wait_ready(self) -> Self:
        deadline_s = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline_s:
            if self.process.poll() is not None:
                raise AssertionError(f"exit {self.process.returncode} at start:\n{self.output()}")
            if self.ops("/readyz") == 200:
                return self
            time.sleep(0.02)
        raise AssertionError(f"not ready within {START_LIMIT_S} s:\n{self.output()}")

    def __enter__(self) -> Self:
        try:
            return self.spawn().wait_ready()
        except BaseException:
            self._end()
            raise

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        """End the whole session, politely first."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.send_signal(signal.SIGINT)  # twice: at once
            try:
                self.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def is_running(self) -> bool:
        return self.process.poll() is None

    def wait_exit(self, *, within_s: float = STOP_LIMIT_S) -> int:
        return self.process.wait(within_s)

    # -- diagnosis -----------------------------------------------------------------------------

    def stderr(self) -> str:
        return self._stderr.read_text(errors="replace") if self._stderr.exists() else ""

    def stdout(self) -> str:
        return self._stdout.read_text(errors="replace") if self._stdout.exists() else ""

    def output(self) -> str:
        return f"--- stdout\n{self.stdout()[-2000:]}\n--- stderr\n{self.stderr()[-6000:]}"

    def unhandled(self) -> str:
        """Return what was logged from the first crash on that no earlier call returned."""
        text = self.stderr()
        signs = ("Traceback", '"event":"unhandled"')
        places = [at for sign in signs if (at := text.find(sign, self._looked_at)) >= 0]
        found = min(places, default=-1)
        self._looked_at = len(text)
        return text[max(0, found - 200) : found + 2000] if found >= 0 else ""

    def resident_bytes(self) -> int:
        """Return the resident set of the process and its children."""
        return sum(_resident_bytes(pid) for pid in self.family())

    def family(self) -> list[int]:
        """Return the process and its descendants."""
        return _family(self.process.pid)

    def ops(self, path: str) -> int | None:
        """Return the status of a GET on the ops port; None when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ops_port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def wait_ops(self, path: str, status: int | None, *, within_s: float = 5.0) -> None:
        """Poll the ops port until `path` answers `status` (None: until nobody answers)."""
        deadline_s = time.monotonic() + within_s
        while (last := self.ops(path)) != status:
            if time.monotonic() > deadline_s:
                raise AssertionError(f"{path} still answers {last}, not {status}")
            time.sleep(0.01)

    def arkway(self, *arguments: str) -> str:
        """Run an `arkway` command on this gateway's home; return its standard output."""
        command = [sys.executable, "-m", "arkway", *arguments]
        done = subprocess.run(command, env=self._env, cwd=self.home, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # -- talking to it ---------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def connect(self, **options: Any) -> Connection:
        return Connection(self.port, **options)

    def raw(self, data: bytes, *, timeout_s: float = 10.0) -> bytes:
        """Send bytes, say nothing more, and return all that comes back until the close."""
        with self.connect(timeout_s=timeout_s) as connection:
            connection.try_send(data)
            connection.half_close()
            return connection.read_all()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = KEY,
        headers: Iterable[tuple[str, str]] = (),
        timeout_s: float = 10.0,
    ) -> Response:
        """Make one request on a connection of its own. `body`: bytes as they are, else JSON."""
        with self.connect(timeout_s=timeout_s) as connection:
            connection.try_send(encode(method, path, body, key=key, headers=headers))
            return connection.read_response(method=method)

    def post(self, body: Any, **options: Any) -> Response:
        return self.call("POST", "/v1/chat/completions", body, **options)

    def chat(self, prompt: str, **fields: Any) -> Response:
        """Ask one question; `fields` are more body fields."""
        return self.post(ask(prompt, **fields))

    def open_stream(self, prompt: str, **fields: Any) -> Connection:
        """Send a streaming request and return the connection, nothing read yet."""
        connection = self.connect()
        connection.send(encode("POST", "/v1/chat/completions", ask(prompt, stream=True, **fields)))
        return connection


def ask(prompt: str, **fields: Any) -> dict[str, Any]:
    """Return the body of a chat completion request with one user message."""
    return {"model": MODEL, "messages": [{"role": "user", "content": prompt}], **fields}


def encode(
    method: str,
    path: str,
    body: Any = None,
    *,
    key: str | None = KEY,
    headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Return the bytes of an ordinary API request. `body`: bytes as they are, else JSON."""
    given = list(headers)
    names = {name.lower() for name, _ in given}
    if key is not None and "authorization" not in names:
        given.append(("Authorization", f"Bearer {key}"))
    if body is not None and "content-type" not in names:
        given.append(("Content-Type", "application/json"))
    payload = (
        body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    )
    return request(method, path, given, payload)


def _family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def _resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
