"""How does the control process run? Alone (`arkway control`), or as a child of `arkway serve`.

    python -m arkway.runtime.control_io JSON   # the child; JSON: `ControlOptions`

It is on the way of no call: the gateway serves while it starts, hangs, dies or is away. As a child
it gives way to the gateway's process, and ends when its standard input does.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from arkway import __version__
from arkway.console import app as console
from arkway.control.admin.first_token import ensure_first_token
from arkway.control.admin.operation import Desk
from arkway.control.home import FIRST_ADMIN_TOKEN_NAME, open_home
from arkway.control.load import Loaded, load
from arkway.runtime.control_app import application
from arkway.runtime.control_supervise import ControlOptions, bind, bind_problem, decode
from arkway.store.engine import open_store
from arkway.store.version import StoreRefused
from arkway.telemetry.foreign_io import adopt
from arkway.telemetry.log_io import Log

EXIT_OK, EXIT_FAILED, EXIT_CONFIG = 0, 1, 2
_NICENESS = 5  # people can wait a little for a page; calls are not to wait for people
_MAX_CONNECTIONS = 256  # browsers take six each, and as many WebSockets as tabs
_KEEP_ALIVE_S = 30
_STOP_S = 3  # answers take milliseconds; a browser's WebSocket would stay for ever


def run(options: ControlOptions) -> int:
    """Serve until a signal, or until the gateway that started this is gone; return the status."""
    try:
        if options.descriptor is not None:
            os.nice(_NICENESS)
        loaded = load(options.home, options.config_path, os.environ, options.overrides)
        if loaded.config is None:
            for problem in loaded.problems:
                print(f"arkway control: {problem}", file=sys.stderr)
            return EXIT_CONFIG
        return _serve(options, loaded)
    except StoreRefused as error:
        print(f"arkway control: {error}", file=sys.stderr)
        return EXIT_CONFIG
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"arkway control: {place}{error.strerror or error}", file=sys.stderr)
        return EXIT_FAILED


def _serve(options: ControlOptions, loaded: Loaded) -> int:
    assert loaded.config is not None, "checked by the caller"
    config = loaded.config
    log = Log(config.log.level, config.log.format)
    adopt(log)
    store = open_store(open_home(options.home), os.environ)
    if options.descriptor is not None:
        listening = socket.socket(fileno=options.descriptor)
    else:
        try:
            listening = bind(config.control)
        except OSError as error:
            print(f"arkway control: {bind_problem(config.control, error)}", file=sys.stderr)
            return EXIT_FAILED
    with listening:
        token = ensure_first_token(store, options.home)
        desk = Desk(options.home, store, loaded, config, lambda: time.time_ns() // 1_000_000)
        port = int(listening.getsockname()[1])
        _welcome(options.home, config.control.host, port, token)
        log.event("info", "control_ready", version=__version__, port=port, pid=os.getpid())
        if not console.is_installed():
            log.event("info", "console_off", reason="pip install 'arkway[console]' brings it")
        server = _Server(
            uvicorn.Config(
                application(desk, log),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_MAX_CONNECTIONS,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_STOP_S,
            )
        )
        if options.descriptor is not None:
            server.is_child, server.idle_s = True, config.control.idle_s
        server.run(sockets=[listening])
    return EXIT_OK


class _Server(uvicorn.Server):
    """uvicorn, told when to stop by us: after a signal it would end the process by that signal."""

    is_child = False
    idle_s = 0.0  # 0: it never rests
    _was_signalled = False
    _busy_s = 0.0  # when there was a connection last

    async def on_tick(self, counter: int) -> bool:
        """Look, several times a second, whether to end: told to, or with nothing to do."""
        if await super().on_tick(counter):
            return True
        if not self.idle_s:
            return False
        now_s = time.monotonic()
        if self.server_state.connections or not self._busy_s:
            self._busy_s = now_s
        return now_s - self._busy_s >= self.idle_s

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT; as a child, when the gateway has gone."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        if self.is_child:
            loop.add_reader(sys.stdin.fileno(), self._left_alone)  # it only ever ends
        yield

    def _signalled(self) -> None:
        self.force_exit, self._was_signalled = self._was_signalled, True
        self.should_exit = True

    def _left_alone(self) -> None:
        """The gateway ends, or has ended; it also sends a signal if it can."""
        self.should_exit = True
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())


def _welcome(home: Path, host: str, port: int, token: str | None) -> None:
    """Print where the admin API is; with a new token, that token, once."""
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if token is None:
        return
    kept = home / FIRST_ADMIN_TOKEN_NAME
    print(
        f"\n  Your first admin token for {url} (shown once, kept in {kept}):\n\n    {token}\n",
        flush=True,
    )


def main(arguments: list[str]) -> int:
    """Run as the child of a gateway."""
    return run(decode(arguments[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
