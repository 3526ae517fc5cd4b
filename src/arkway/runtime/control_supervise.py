"""How does `arkway serve` keep a control process beside it? Bind, start, watch, restart, stop.

The port is bound here, once: whether it is free is known before anything is served, and while a
new process starts its callers wait in the queue of the kernel. Nothing of the control process is
imported here: its libraries weigh more than the gateway (tests/unit/store/test_read_io.py).
"""

import asyncio
import contextlib
import errno
import socket
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from arkway.control.options import ServeOptions
from arkway.control.process import Control
from arkway.control.provision import Provisioned
from arkway.local.backoff import Backoff
from arkway.local.child import end, how_it_ended
from arkway.telemetry.log_io import Log

STOP_GRACE_S = 4.0  # it has nothing to save; answers under way take milliseconds
_BACKLOG = 128
AT_REST = 0  # exit status of a child that had nothing to do


@dataclass(frozen=True, slots=True)
class ControlOptions:
    """What the control process is told; no secret, as everybody on the machine can read it."""

    home: Path
    config_path: Path | None = None
    overrides: dict[str, str | int] = field(default_factory=dict)  # dotted setting -> value
    descriptor: int | None = None  # of the listening socket; None: it is to bind its own


def bind(control: Control) -> socket.socket:
    """Return a socket that listens where `control` says.

    Errors:  OSError.
    """
    found = socket.getaddrinfo(control.host, control.port, type=socket.SOCK_STREAM)
    family, _, _, _, address = found[0]
    return socket.create_server((str(address[0]), int(address[1])), family=family, backlog=_BACKLOG)


def bind_problem(control: Control, error: OSError) -> str:
    """Return what is said when the address cannot be had."""
    if error.errno == errno.EADDRINUSE:
        taken = f"{control.host}:{control.port} is in use by another process"
        return f"{taken}; stop it or choose another --control-port"
    return f"cannot listen on {control.host}:{control.port}: {error.strerror or error}"


class ControlProcess:
    """A control process from `start` to `stop`; whatever happens to it, nothing here fails.

    One that has nothing to do ends by itself (`control.idle_s`). Its port stays open here, and who
    connects waits in the kernel's queue while another one starts.
    """

    def __init__(self, listening: socket.socket, options: ControlOptions, log: Log) -> None:
        self._listening = listening
        self._command = command(options)
        self._log = log
        self._child: Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it, and from then on another one in its place."""
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End it, and let the port go. May be called again."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._listening.close()
        if self._child is not None:
            await end(self._child, STOP_GRACE_S)

    async def _keep(self) -> None:
        clock = asyncio.get_running_loop().time
        backoff = Backoff()
        while True:
            began_s = clock()
            status = await self._one_life()
            if status == AT_REST:
                await self._somebody_asks()
                continue
            reason = "could not be started" if status is None else how_it_ended(status)
            wait_s = backoff.after_life(clock() - began_s)
            self._log.event("warning", "control_down", reason=reason, restart_in_s=wait_s)
            await asyncio.sleep(wait_s)

    async def _one_life(self) -> int | None:
        """Run one; return its exit status, None if it could not be started."""
        with contextlib.suppress(OSError):  # no memory, no descriptors: later, perhaps
            self._child = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,  # held open, never written to: it ends when we do
                pass_fds=(self._listening.fileno(),),
                start_new_session=True,  # Ctrl-C is meant for us; we tell it
            )
            return await self._child.wait()
        return None

    async def _somebody_asks(self) -> None:
        """Wait until somebody connects."""
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        descriptor = self._listening.fileno()
        loop.add_reader(descriptor, asked.set)
        try:
            await asked.wait()
        finally:
            loop.remove_reader(descriptor)


def beside(
    options: ServeOptions, running: Provisioned, ports: tuple[int, int], log: Log
) -> ControlProcess | None:
    """Return a control process, not started yet; None when there is to be none.

    A port that nobody named and somebody has is no reason not to serve; one line says it.
    Errors:  OSError when a port that was named cannot be had.
    """
    control = running.config.control
    if not control.enabled:
        return None
    try:
        listening = bind(control)
    except OSError as error:
        is_named = any(
            running.loaded.sources.get(f"control.{name}", "default") != "default"
            for name in ("host", "port")
        )
        if is_named:
            raise OSError(bind_problem(control, error)) from None
        log.event("warning", "control_off", reason=bind_problem(control, error))
        return None
    overrides: dict[str, str | int] = {
        name: value for name, value in options.overrides.items() if isinstance(value, str | int)
    }
    overrides |= {"server.port": ports[0], "server.ops_port": ports[1]}
    overrides["control.port"] = int(listening.getsockname()[1])
    path = options.config_path
    told = ControlOptions(options.home, path, overrides, listening.fileno())
    return ControlProcess(listening, told, log)


def command(options: ControlOptions) -> list[str]:
    """Return what starts the process; -P keeps modules of the working directory out."""
    told = msgspec.json.encode(options, enc_hook=str).decode()
    return [sys.executable, "-P", "-m", "arkway.runtime.control_io", told]


def decode(told: str) -> ControlOptions:
    """Return what `command` was given."""
    return msgspec.json.decode(told, type=ControlOptions, dec_hook=lambda kind, text: kind(text))
