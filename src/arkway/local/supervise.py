"""How do the embedded model's servers stay up? Start, watch, restart and stop the children.

Rules: a server's port is chosen once and kept by every child that takes its place, so an
account's base URL stays true; no child outlives the gateway (`server.py` says how), and none
dies of a Ctrl-C meant for the gateway, so that running answers drain (`child.py`).
"""

import asyncio
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from pathlib import Path

from arkway.local.backoff import Backoff
from arkway.local.child import STOP_GRACE_S, end, how_it_ended, server_command, spawn
from arkway.local.weights import LocalModelError

Log = Callable[[str, dict[str, str | int | float]], None]


class LocalModels:
    """Local model servers with fixed addresses, kept running from `start` to `stop`.

    `log` is called with an event's name and fields: `local_model_ready` (server, port, pid,
    start_s) and `local_model_down` (server, reason, restart_in_s). `command` starts one child;
    `--port N` is added to it.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        count: int = 2,
        log: Log,
        command: Sequence[str] | None = None,
    ) -> None:
        self._command = command or server_command(model_path)
        self._log = log
        self._ports = [0] * count  # 0: any free one, the first time
        self._children: list[Process | None] = [None] * count
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def base_urls(self) -> list[str]:
        """The OpenAI base URLs, one per server; they stay the same through restarts."""
        assert all(self._ports), "no addresses before start() returned"
        return [f"http://127.0.0.1:{port}/v1" for port in self._ports]

    @property
    def running(self) -> list[bool]:
        """Whether each server's child is there now."""
        return [child is not None for child in self._children]

    async def start(self) -> None:
        """Return when every server answers. If one cannot, or if cancelled, none is left.

        Errors: LocalModelError, the cause of the first that failed.
        """
        servers = range(len(self._ports))
        try:
            results = await asyncio.gather(*map(self._spawn, servers), return_exceptions=True)
            _raise_first(results)
        except BaseException:
            await self.stop()
            raise
        self._keepers = [asyncio.create_task(self._keep(server)) for server in servers]

    async def stop(self) -> None:
        """End every child and return when they are gone, after STOP_GRACE_S at most.

        May be called in any state, and again.
        """
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(end(child, STOP_GRACE_S) for child in self._children if child))
        self._keepers = []
        self._children = [None] * len(self._children)

    async def _keep(self, server: int) -> None:
        """Put a new child in the place of one that ended, until cancelled."""
        clock = asyncio.get_running_loop().time
        backoff = Backoff()
        while True:
            began_s = clock()
            reason = await self._one_life(server)
            wait_s = backoff.after_life(clock() - began_s)
            self._log(
                "local_model_down", {"server": server, "reason": reason, "restart_in_s": wait_s}
            )
            await asyncio.sleep(wait_s)

    async def _one_life(self, server: int) -> str:
        """Start the child unless it runs already, wait for its end and return the reason."""
        try:
            child = self._children[server] or await self._spawn(server)
        except LocalModelError as error:
            return str(error)
        status = await child.wait()
        self._children[server] = None
        return how_it_ended(status)

    async def _spawn(self, server: int) -> Process:
        clock = asyncio.get_running_loop().time
        began_s = clock()
        child, port = await spawn(self._command, self._ports[server])
        self._children[server], self._ports[server] = child, port
        start_s = round(clock() - began_s, 3)
        self._log(
            "local_model_ready",
            {"server": server, "port": port, "pid": child.pid, "start_s": start_s},
        )
        return child


def _raise_first(results: Sequence[object]) -> None:
    for result in results:
        if isinstance(result, BaseException):
            raise result
