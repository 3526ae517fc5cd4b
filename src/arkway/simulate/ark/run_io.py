"""How does the simulator start and stop? Everything put together; SIGTERM and SIGINT end it."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from arkway.simulate.ark.control_io import ControlConnection
from arkway.simulate.ark.log_io import Log
from arkway.simulate.ark.pool_file import entries, environment, toml, variable_of, write_secret
from arkway.simulate.ark.server_io import ListeningPort, Server
from arkway.simulate.ark.settings import Settings
from arkway.simulate.ark.world import World

_COLLECT_AFTER = 50_000  # objects; a call makes no cycles, so collecting rarely loses nothing


@dataclass(frozen=True)
class Files:
    """What is written once the ports are known."""

    pool: Path | None = None
    env: Path | None = None


def run(settings: Settings, files: Files, ready: Callable[[dict[str, Any]], None]) -> int:
    """Serve until a signal; return the exit status.

    Shapes:  ready: called once all ports listen, with what `ready_line` returns.
    Errors:  OSError when a port is taken or a file cannot be written; also later, when the log
             cannot be written any more.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, files, ready))


async def _serve(settings: Settings, files: Files, ready: Callable[[dict[str, Any]], None]) -> int:
    stopped, failures = asyncio.Event(), list[OSError]()

    def log_failed(error: OSError) -> None:
        failures.append(error)
        stopped.set()

    log = Log(settings.log, log_failed)
    server = Server(settings, World(settings), log)
    for number in (signal.SIGTERM, signal.SIGINT):
        server.loop.add_signal_handler(number, stopped.set)
    control = ListeningPort("127.0.0.1", settings.control_port, None)
    listening = None
    try:
        await server.start()
        control.socket.listen()
        listening = await server.loop.create_server(
            lambda: ControlConnection(server), sock=control.socket.dup()
        )
        line = ready_line(settings, server, control.port)
        if files.pool is not None:
            urls = {account["name"]: account["base_url"] for account in line["accounts"]}
            files.pool.write_text(toml(entries(settings, urls)))
        if files.env is not None:
            write_secret(files.env, environment(settings.every_account()))
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        ready(line)
        sys.stdout.flush()
        await stopped.wait()
    finally:
        if listening is not None:
            listening.close()
        control.close()
        await server.stop()
        log.close()
    if failures:
        raise OSError(failures[0].errno, f"the log, {settings.log}: {failures[0].strerror}")
    return 0


def ready_line(settings: Settings, server: Server, control_port: int) -> dict[str, Any]:
    """Return what a script needs to know."""
    return {
        "control": f"http://127.0.0.1:{control_port}",
        "accounts": [
            {
                "name": account.name,
                "account_id": account.account_id,
                "base_url": f"http://{_host(settings.host)}:{server.port_of(account.name)}/api/v3",
                "key": account.key,
                "key_env": variable_of(account.name),
                "endpoints": account.endpoints,
            }
            for account in settings.every_account()
        ],
        "models": [model.id for model in settings.models],
        "log": settings.log,
    }


def _host(host: str) -> str:
    """Return where callers on this machine find `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is looked up
    return f"[{host}]" if ":" in host else host
