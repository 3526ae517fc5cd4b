"""Where do the accounts listen, and on which clock? Ports, connections, refused connections.

A port that refuses stays bound: its listening socket is shut down and made to listen again later,
so nobody can take the port meanwhile.
"""

import asyncio
import itertools
import os
import socket
import time
from contextlib import suppress

import msgspec

from arkway.simulate.ark.connection_io import Connection
from arkway.simulate.ark.faults import FaultRule
from arkway.simulate.ark.log_io import Log
from arkway.simulate.ark.settings import Settings
from arkway.simulate.ark.world import AccountState, World

_BACKLOG = 4096
_TRIES = 8  # to get a free port
_TURNS = 100  # of the loop, until connections know that they are lost: one or two


class ListeningPort:
    """One port, for one account or for all."""

    def __init__(self, host: str, port: int, state: AccountState | None) -> None:
        self.state = state
        self.socket = _bound(host, port)
        self.port: int = self.socket.getsockname()[1]
        self._server: asyncio.AbstractServer | None = None

    async def open(self, server: "Server") -> None:
        """Listen; nothing happens when it does already."""
        if self._server is None:
            self.socket.listen(_BACKLOG)
            self._server = await server.loop.create_server(
                lambda: Connection(server, self.state), sock=self.socket.dup(), backlog=_BACKLOG
            )

    def refuse(self) -> None:
        """Refuse connections until `open`."""
        if self._server is not None:
            self._server.close()
            self._server = None
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the port."""
        self.refuse()
        self.socket.close()


class Server:
    """The simulator while it runs."""

    def __init__(self, settings: Settings, world: World, log: Log) -> None:
        self.settings = settings
        self.world = world
        self.log = log
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self.ports: list[ListeningPort] = []
        self._began_s = time.monotonic()  # uvloop's own clock counts whole milliseconds
        self._run = int.from_bytes(os.urandom(8))
        self._serial = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._refusing: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()
        listed = [{"id": m.id, "object": "model", "owned_by": "ark"} for m in settings.models]
        self.models_json = msgspec.json.encode({"object": "list", "data": listed})

    # Clocks and ids.

    def now_s(self) -> float:
        """Return simulated seconds since the start."""
        return (time.monotonic() - self._began_s) * self.settings.speed

    def next_request_id(self) -> bytes:
        """Return an id of Ark's form: 02, milliseconds, hexadecimal digits."""
        millis = time.time_ns() // 1_000_000
        return b"02%013d%016x%08x" % (millis, self._run, next(self._serial) & 0xFFFFFFFF)

    # Ports.

    async def start(self) -> None:
        """Listen everywhere.

        Errors:  OSError when a port is taken.
        """
        settings = self.settings
        states = list(self.world.states.values()) if settings.own_ports else [None]
        for state in states:
            port = settings.port if state is None else state.account.port
            self.ports.append(ListeningPort(settings.host, port, state))
        await self._apply_refusals()

    def set_faults(self, rules: tuple[FaultRule, ...]) -> "asyncio.Task[None]":
        """Put these rules in the place of all others, their times counted from now.

        The task is done once ports refuse, or listen, as the rules say.
        """
        self.world.faults.set(rules, self.now_s())
        return self._refusals_changed()

    async def stop(self) -> None:
        """Close everything, at once; what was being answered has its line in the log then."""
        if self._timer is not None:
            self._timer.cancel()
        for port in self.ports:
            port.close()
        for connection in list(self.connections):
            connection.abort()
        for _ in range(_TURNS):
            if not self.connections:
                return
            await asyncio.sleep(0)

    def port_of(self, account: str) -> int:
        """Return where `account` is reached."""
        for port in self.ports:
            if port.state is None or port.state.account.name == account:
                return port.port
        raise KeyError(account)

    def _refusals_changed(self) -> "asyncio.Task[None]":
        task = self.loop.create_task(self._apply_refusals())
        self._refusing.add(task)
        task.add_done_callback(self._refusing.discard)
        return task

    async def _apply_refusals(self) -> None:
        """Open and close ports as the rules say now; come back when they say otherwise."""
        async with self._one_at_a_time:
            await self._apply()

    async def _apply(self) -> None:
        now_s, faults = self.now_s(), self.world.faults
        for port in self.ports:
            names = [port.state.account.name] if port.state else list(self.world.states)
            if all(faults.is_refused(now_s, name) for name in names):
                port.refuse()
                for connection in list(self.connections):
                    if connection.account is port.state:
                        connection.abort()
            else:
                await port.open(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        change_s = faults.refusals_change_at_s(now_s)
        if change_s is not None:
            delay_s = (change_s - now_s) / self.settings.speed
            self._timer = self.loop.call_later(delay_s, self._refusals_changed)


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket bound to `port`; to a free one for 0.

    A port that Linux chose is given back on shutdown, one that was asked for is kept: so a free
    one is found out first and asked for then.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(_TRIES if port == 0 else 0):
        with socket.socket(family) as probe:
            probe.bind((host, 0))
            free = probe.getsockname()[1]
        with suppress(OSError):  # somebody was quicker
            return _bound(host, free)
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"port {port} of {host}: {error.strerror}") from None
    bound.setblocking(False)
    return bound
