"""How does `arkway serve` run? Start everything in order, wait for a signal, drain, stop.

    configuration -> local model, if any -> data plane -> sockets -> ready ... signal -> drain

Whatever cannot start says so in one line and nothing is served: no half-configured gateway.
"""

import asyncio
import contextlib
import gc
import os
import random
import signal
import sqlite3
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import uvloop

from arkway import __version__
from arkway.admission.limits import Limits
from arkway.control.config import Config
from arkway.control.first_key import ensure_first_key
from arkway.control.home import ledger_file, open_home
from arkway.control.options import ServeOptions
from arkway.control.proof import TEST_PATH
from arkway.control.provision import Provisioned, provision
from arkway.control.routing import routing_policy
from arkway.control.watch import Reloader
from arkway.ledger.book_file_io import BookInUse, SchemaMismatch
from arkway.ledger.book_io import book_at
from arkway.local.supervise import LocalModels
from arkway.local.weights import LocalModelError, find_weights
from arkway.model.catalogue import AccountSpec, Dialect, Secret, Snapshot
from arkway.model.errors import Draining
from arkway.model.ids import AccountId
from arkway.routing.pool import Pool
from arkway.runtime.control_supervise import ControlProcess, beside
from arkway.runtime.ledger_reader_io import LedgerReader
from arkway.runtime.listening import listener_of, pipeline_limits, upstream_limits
from arkway.runtime.observe_io import Observer
from arkway.runtime.ops_io import OpsConnection
from arkway.runtime.plane import WorkerPlane
from arkway.runtime.starting import bind_problem, print_problems, raise_file_limit
from arkway.runtime.trials_io import Trials
from arkway.runtime.welcome import welcome
from arkway.store.problems import Problem
from arkway.store.secret_io import gateway_secrets
from arkway.store.version import StoreRefused
from arkway.telemetry.foreign_io import adopt
from arkway.telemetry.log_io import Log
from arkway.telemetry.otel_io import OtelMissing
from arkway.upstream.accounts_io import READ_BYTES, Upstream
from arkway.wire.outbox import Outbox

EXIT_OK, EXIT_FAILED, EXIT_CONFIG = 0, 1, 2
# Timeouts are judged this often: the shortest sensible one is a tenth of a second.
TICK_S = 0.1
# Connections' clocks are seconds long, and there may be thousands of connections.
SWEEP_EVERY_TICKS = 3
RELOAD_EVERY_S = 0.1  # a revoked key is refused within this and the time of a read
SWITCH_INTERVAL_S = 0.0002
# A cyclic collection walks every object; calls leave none to find (tests/faults/test_garbage.py).
GC_THRESHOLD = (50_000, 20, 50)


class StartError(Exception):
    """The gateway cannot start; the message is one line. `status` is the exit status."""

    def __init__(self, message: str, status: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.status = status


def run(options: ServeOptions) -> int:
    """Serve until a signal; return the exit status."""
    try:
        home = open_home(options.home)
        provisioned = provision(options, os.environ)
        first_key = None
        if not provisioned.problems and provisioned.needs_first_key:
            provisioned.close()
            first_key = ensure_first_key(home)
            provisioned = provision(options, os.environ)
        if provisioned.problems:
            print_problems(provisioned.loaded.path, provisioned.problems)
            return EXIT_CONFIG
        raise_file_limit()
        return uvloop.run(_Gateway(options, provisioned, first_key).run())
    except (StoreRefused, OtelMissing) as error:
        print(f"arkway serve: {error}", file=sys.stderr)
        return EXIT_CONFIG
    except StartError as error:
        print(f"arkway serve: {error}", file=sys.stderr)
        return error.status
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"arkway serve: {place}{error.strerror or error}", file=sys.stderr)
        return EXIT_FAILED


class _Gateway:
    """One running gateway process."""

    def __init__(
        self, options: ServeOptions, provisioned: Provisioned, first_key: str | None
    ) -> None:
        self._options = options
        self._provisioned = provisioned
        self._config: Config = provisioned.config
        self._first_key = first_key
        self._log = Log(self._config.log.level, self._config.log.format)
        adopt(self._log)
        self._local: LocalModels | None = None
        self._local_accounts: tuple[AccountSpec, ...] = ()
        self._ops: asyncio.Server | None = None
        self._control: ControlProcess | None = None
        self._signals = 0
        self._stopping = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._is_ready = False
        self._ticks = 0

    async def run(self) -> int:
        """Start, serve, drain, stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        for warning in self._provisioned.warnings:
            self._report(warning)
        helpers: list[asyncio.Task[None]] = []
        self._compose()
        self._open_ledger()
        try:
            ports = await self._open_sockets()
            helpers.append(asyncio.create_task(self._tick()))
            await self._start_local_model()
            self._observer.start(self._listener)
            self._is_ready = True
            helpers.append(asyncio.create_task(self._watch()))
            self._log.event(
                "info",
                "ready",
                version=__version__,
                port=ports[0],
                ops_port=ports[1],
                accounts=len(self._plane.snapshot.accounts),
            )
            welcome(
                self._options.home, self._config, self._plane.snapshot, ports[0], self._first_key
            )
            if self._control is not None:
                self._control.start()
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLD)
            await self._stopping.wait()
            await self._drain()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            self._close_sockets()
            self._observer.close()
            self._plane.close()
            if self._control is not None:
                await self._control.stop()
            self._reader.close()
            self._book.close()
            if self._local is not None:
                await self._local.stop()
        return EXIT_OK

    def _compose(self) -> None:
        config, home = self._config, self._options.home
        secrets = gateway_secrets(home, os.environ)
        read_buffer = memoryview(bytearray(READ_BYTES))
        outbox = Outbox(asyncio.get_running_loop().call_soon)
        upstream = Upstream(upstream_limits(config), read_buffer, f"arkway/{__version__}", outbox)
        self._book = book_at(ledger_file(home), asyncio.get_running_loop(), self._on_ledger)
        self._plane = WorkerPlane(
            self._with_local(self._provisioned.snapshot),
            pipeline_limits(config),
            Pool(secrets.affinity, routing_policy(config.routing), random.random),
            upstream,
            self._book,
            self._log,
        )
        self._reader = self._plane.reader = LedgerReader(self._book, ledger_file(home))
        self._plane.key_limits = Limits(self._reader.seed)
        if config.server.docs:
            from arkway.runtime.documents_io import Documentation  # noqa: PLC0415  20 MiB, if wanted

            self._plane.documents = Documentation()
        self._trials = Trials(self._plane, secrets.ops)
        self._listener = listener_of(config, self._plane, outbox)
        self._observer = Observer(
            config, self._plane, self._book, home, lambda: self._local, self._readiness
        )
        loop = asyncio.get_running_loop()

        def apply(snapshot: Snapshot) -> None:  # called in the watching thread
            loop.call_soon_threadsafe(self._apply, snapshot)

        self._reloader = Reloader(self._provisioned, self._options, os.environ, apply, self._report)

    def _open_ledger(self) -> None:
        """Open the ledger and end what a crash left open; nothing is served before."""
        try:
            opened = self._book.open(time.time_ns() // 1_000_000)
        except (SchemaMismatch, BookInUse) as error:
            raise StartError(str(error)) from None
        except sqlite3.Error as error:
            raise StartError(f"{ledger_file(self._options.home)}: {error}") from None
        # Calls wait for the ledger's threads: Python's own 5 ms between switches would show.
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        if opened.recovered or opened.damaged or opened.mended:
            self._log.event(
                "warning",
                "ledger_recovered",
                entries=opened.entries,
                unknown=opened.recovered,
                damaged=opened.damaged,
                mended=opened.mended,
                took_s=round(opened.took_s, 3),
            )

    def _on_ledger(self, state: str) -> None:
        self._log.event("error" if not self._book.is_open else "info", "ledger", state=state)

    async def _open_sockets(self) -> tuple[int, int]:
        server = self._config.server
        try:
            port = await self._listener.open(server.host, server.port, server.backlog)
        except OSError as error:
            raise StartError(bind_problem(server.host, server.port, error, "--port")) from None
        try:
            ops = await asyncio.get_running_loop().create_server(
                partial(
                    OpsConnection,
                    self._readiness,
                    self._observer.pages(),
                    {TEST_PATH.encode(): self._trials.take},
                ),
                server.ops_host,
                server.ops_port,
            )
        except OSError as error:
            problem = bind_problem(server.ops_host, server.ops_port, error, "--ops-port")
            raise StartError(problem) from None
        self._ops = ops
        ports = port, int(ops.sockets[0].getsockname()[1])
        try:
            self._control = beside(self._options, self._provisioned, ports, self._log)
        except OSError as error:
            raise StartError(str(error)) from None
        return ports

    async def _start_local_model(self) -> None:
        if self._plane.snapshot.accounts and not self._options.local:
            return
        configured = self._config.local.model
        explicit = self._options.model_path or (Path(configured) if configured else None)
        print("arkway: starting the embedded model ...", file=sys.stderr, flush=True)
        try:
            weights = find_weights(explicit)
            self._local = LocalModels(weights, log=partial(_log_local, self._log))
            starting = asyncio.create_task(self._local.start())
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not starting.done():
                starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            if self._stopping.is_set():
                return
        except LocalModelError as error:
            raise StartError(str(error)) from None
        self._local_accounts = tuple(
            AccountSpec(
                id=AccountId(f"@local-{number}"),  # no configured account can have such a name
                dialect=Dialect.LOCAL,
                base_url=url,
                credential=Secret(""),
            )
            for number, url in enumerate(self._local.base_urls, start=1)
        )
        self._apply(self._plane.snapshot)

    def _with_local(self, snapshot: Snapshot | None) -> Snapshot:
        """Return `snapshot`, served by the local accounts if asked for or if it has none itself."""
        assert snapshot is not None, "checked before the gateway was made"
        if self._options.local or not snapshot.accounts:
            return replace(snapshot, accounts=self._local_accounts)
        return snapshot

    def _apply(self, snapshot: Snapshot) -> None:
        self._plane.apply(self._with_local(snapshot))
        cut = self._listener.cut_revoked(snapshot.keys)
        if self._is_ready:
            lag_ms = self._observer.on_applied(snapshot, cut)
            self._log.event(
                "info",
                "configuration_applied",
                cut=cut,
                accounts=len(self._plane.snapshot.accounts),
                keys=len(snapshot.keys),
                revision=snapshot.revision,
                lag_ms=lag_ms,
            )

    async def _tick(self) -> None:
        """Judge the clocks: one loop for every timeout of the process."""
        loop = asyncio.get_running_loop()
        while True:
            now_s = loop.time()
            self._listener.now_s = now_s
            self._observer.tick(now_s, TICK_S)
            self._plane.upstream.sweep(now_s)
            self._ticks += 1
            if self._ticks % SWEEP_EVERY_TICKS == 0:
                self._listener.sweep(now_s)
                self._plane.upstream.sweep_idle(now_s)
            await asyncio.sleep(TICK_S)

    async def _watch(self) -> None:
        """Look for changed keys, accounts and models; in a thread: reading many takes a while."""
        while True:
            await asyncio.sleep(RELOAD_EVERY_S)
            await asyncio.to_thread(self._reloader.poll)

    async def _drain(self) -> None:
        """Finish what runs, within the cap; a second signal ends it."""
        self._plane.is_draining = True
        self._listener.drain()
        self._log.event("info", "draining", calls=self._plane.calls)
        if self._control is not None:  # the process that takes our place needs its port
            await self._control.stop()
        cap_s = asyncio.get_running_loop().time() + self._config.server.drain_s
        while self._plane.calls and asyncio.get_running_loop().time() < cap_s:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop_now.wait(), TICK_S)
                break
        self._listener.stop_accepting()
        cut = self._plane.calls
        self._listener.cut_all(Draining("This node has stopped.", retry_after_s=1.0))
        await asyncio.sleep(TICK_S)  # let the last bytes leave
        self._listener.abort_all()
        self._log.event("warning" if cut else "info", "stopped", cut=cut)

    def _close_sockets(self) -> None:
        """Let the ports go, also after a start that failed half-way."""
        self._listener.stop_accepting()
        if self._ops is not None:
            self._ops.close()

    def _on_signal(self, number: int) -> None:
        self._signals += 1
        self._stopping.set()
        if self._signals > 1 and number == signal.SIGINT:
            self._stop_now.set()

    def _readiness(self) -> tuple[bool, dict[str, object]]:
        draining = self._plane.is_draining
        ready = self._is_ready and not draining and bool(self._plane.snapshot.accounts)
        if ready and not self._book.is_open:
            ready, status = False, "ledger closed"
        elif ready:
            status = "ready"
        else:
            status = "draining" if draining else "starting" if not self._is_ready else "no account"
        return ready, {
            "status": status,
            "calls": self._plane.calls,
            "connections": self._listener.connections,
            "counts": dict(self._plane.counts),
        }

    def _report(self, problem: Problem) -> None:
        self._log.event("warning", "configuration", problem=str(problem))


def _log_local(log: Log, name: str, fields: dict[str, str | int | float]) -> None:
    log.event("warning" if name.endswith("_down") else "info", name, **fields)
