"""Who looks after the telemetry? Ticks, pages for the operators' port, and the exporter's life.

What is counted is taken down in the event loop (a copy of some hundred numbers); looking at the
process and writing the text happen in a thread, one at a time.
"""

import asyncio
import os
import platform
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from arkway import __version__
from arkway.control.config import Config
from arkway.ledger.book_io import Book
from arkway.listener.server_io import Listener
from arkway.local.supervise import LocalModels
from arkway.model.catalogue import Snapshot
from arkway.runtime import process_io
from arkway.runtime.accounts_view import account_states
from arkway.runtime.ops_io import Page as OpsPage
from arkway.runtime.ops_io import Readiness, Reply
from arkway.runtime.plane import WorkerPlane
from arkway.runtime.status import Facts, status
from arkway.telemetry import exposition
from arkway.telemetry import families as f
from arkway.telemetry import names as n
from arkway.telemetry.call_log import CallLog
from arkway.telemetry.events import Subscriber
from arkway.telemetry.otel_io import Exporter, otlp_sink
from arkway.telemetry.recent import Recent, totals
from arkway.telemetry.spans import ExportSettings

NOTE_EVERY_S = 1.0
# The longest delay of the last so many seconds is shown: as long as scrapes are usually apart.
LAG_NOTES = 15
# A change of the store is heard within this, or the clocks of two machines differ.
MAX_LAG_S = 3600.0


class Observer:
    """Everything that operators can look at, of one running node."""

    def __init__(
        self,
        config: Config,
        plane: WorkerPlane,
        book: Book,
        folder: Path,
        local: Callable[[], LocalModels | None],
        readiness: Readiness,
    ) -> None:
        """Prepare; `start` follows once the plane serves.

        Shapes:  folder: where the ledger is; local: the stand-in, if there is one.
        Errors:  OtelMissing: an endpoint is configured and the extra is not installed.
        """
        self._plane, self._book, self._folder = plane, book, folder
        self._find_local, self._readiness = local, readiness
        self._began_s = plane.time()
        self._recent = Recent()
        self._noted_s = self._ticked_s = 0.0
        self._late_s = self._worst_s = 0.0
        self._worsts: deque[float] = deque(maxlen=LAG_NOTES)
        self._last_lag_s = 0.0
        self._process: process_io.Process | None = None
        self._rendering: asyncio.Future[bytes] | None = None
        self._listener: Listener | None = None
        self._exporter = self._export(config)
        log = plane.log
        taking: list[Subscriber] = [CallLog(log)] if config.log.calls else []
        if self._exporter is not None:
            taking.append(self._exporter)
            plane.sample_ratio = config.telemetry.sample_ratio
        plane.meter.subscribers = tuple(taking)
        plane.propagates = config.telemetry.propagate

    def start(self, listener: Listener) -> None:
        """Begin: the listener is there."""
        self._listener = listener
        if self._exporter is not None:
            self._exporter.start()

    def close(self) -> None:
        """Export what is left, within bounds."""
        self._plane.meter.flush()
        if self._exporter is not None:
            self._counted = self._count()
            self._exporter.close()

    def pages(self) -> dict[bytes, OpsPage]:
        """Return what the operators' port serves beside health."""
        return {b"/metrics": self._on_metrics, b"/status": self._on_status}

    # From the runtime.

    def tick(self, now_s: float, every_s: float) -> None:
        """Take a turn of the clock that was meant to come `every_s` after the last one."""
        if self._ticked_s:
            late_s = max(0.0, now_s - self._ticked_s - every_s)
            self._late_s += late_s
            self._worst_s = max(self._worst_s, late_s)
        self._ticked_s = now_s
        self._plane.meter.flush()
        if now_s - self._noted_s >= NOTE_EVERY_S:
            self._noted_s = now_s
            self._worsts.append(self._worst_s)
            self._worst_s = 0.0
            self._recent.note(now_s, totals(self._plane.meter.counters()))
            if self._exporter is not None:
                self._counted = self._count()

    def on_applied(self, snapshot: Snapshot, cut: int) -> int:
        """Take a change that is in force; return how long it took. Unit: ms."""
        lag_ms = max(0, time.time_ns() // 1_000_000 - snapshot.changed_unix_ms)
        self._last_lag_s = lag_ms / 1000
        meter = self._plane.meter
        if self._last_lag_s < MAX_LAG_S:
            meter.lag.add(self._last_lag_s)
        meter.count(f.REVOKED, cut)
        return lag_ms

    # Pages.

    def _on_status(self, reply: Reply) -> None:
        if self._process is None:
            self._look()
        document = status(self._facts(), self._plane.meter, self._recent, self._plane.faults)
        reply("application/json", msgspec.json.encode(document))

    def _on_metrics(self, reply: Reply) -> None:
        """Answer with the page, rendered in a thread; who asks meanwhile gets the same one."""
        if self._rendering is None:
            page = self._page()
            loop = asyncio.get_running_loop()
            self._rendering = loop.run_in_executor(None, self._render, page)
        self._rendering.add_done_callback(partial(self._on_rendered, reply))

    def _on_rendered(self, reply: Reply, rendered: "asyncio.Future[bytes]") -> None:
        self._rendering = None
        if not rendered.cancelled() and rendered.exception() is None:
            reply(exposition.CONTENT_TYPE, rendered.result())

    def _render(self, page: exposition.Page) -> bytes:
        """Look at the process and write the page; in a thread."""
        self._look()
        process = self._process
        assert process is not None, "just looked"
        page.put(f.CPU, process.cpu_s)
        page.put(f.MAX_FDS, process.max_fds)
        for family, value in (
            (f.RSS, process.rss_bytes),
            (f.FDS, process.open_fds),
            (f.LEDGER_DISK, process.disk_free_bytes),
        ):
            if value is not None:
                page.put(family, value)
        return exposition.render(page)

    def _look(self) -> None:
        self._process = process_io.look(self._folder)

    def _count(self) -> exposition.Page:
        meter = self._plane.meter
        values: dict[str, dict[tuple[str, ...], float]] = {**meter.counters()}  # type: ignore[dict-item]  # ints are floats
        return exposition.Page(values, list(meter.spreads()))

    def _page(self) -> exposition.Page:
        """Take down everything that the event loop knows."""
        page, plane, book = self._count(), self._plane, self._book.state
        listener = self._listener
        for family, value in (
            (f.CALLS_IN_FLIGHT, plane.calls),
            (f.DRAINS, plane.drains),
            (f.RETRIES_REFUSED, plane.pool.retries.refused),
            (f.STREAMS, listener.streams if listener else 0),
            (f.CONNECTIONS, listener.connections if listener else 0),
            (f.DRAINING, plane.is_draining),
            (f.REVISION, plane.snapshot.revision),
            (f.LAST_LAG, self._last_lag_s),
            (f.UPTIME, plane.time() - self._began_s),
            (f.LOOP_LAG, self._loop_lag_s),
            (f.LOOP_LATE, self._late_s),
            (f.LEDGER_OPEN, book.is_open),
            (f.LEDGER_WAITING, book.waiting),
            (f.LEDGER_UNFILED, book.unfiled),
            (f.LEDGER_KEPT, book.kept_ends),
            (f.LEDGER_ENTRIES, book.entries),
            (f.LEDGER_COMMITS, book.commits),
            (f.LEDGER_COMMIT_SECONDS, book.last_commit_s),
            (f.DROPPED, self._exporter.dropped if self._exporter else 0),
        ):
            page.put(family, float(value))
        page.put(f.BUILD, 1, __version__, platform.python_version())
        for server, is_up in enumerate(self._local()):
            page.put(f.LOCAL_UP, float(is_up), str(server))
        self._put_accounts(page)
        return page

    def _put_accounts(self, page: exposition.Page) -> None:
        """Put the accounts that have a label of their own; the others are too many for gauges."""
        plane = self._plane
        for each in account_states(plane.pool, plane.snapshot.accounts, plane.time()):
            label = plane.meter.account(each.account)
            if label == f.OTHER:
                continue
            page.put(f.ACCOUNT_UP, float(not each.is_out), label)
            page.put(f.ACCOUNT_IN_FLIGHT, each.in_flight, label)
            page.put(f.ACCOUNT_WAITING, each.waiting, label)
            if each.utilisation is not None:
                page.put(f.ACCOUNT_LOAD, each.utilisation, label)

    def _local(self) -> list[bool]:
        """Whether each server of the stand-in runs."""
        local = self._find_local()
        return [] if local is None else local.running

    @property
    def _loop_lag_s(self) -> float:
        return max(self._worst_s, *self._worsts, 0.0)

    def _facts(self) -> Facts:
        plane, listener = self._plane, self._listener
        return Facts(
            state=str(self._readiness()[1]["status"]),
            version=__version__,
            uptime_s=plane.time() - self._began_s,
            now_s=plane.time(),
            unix_ms=plane.unix_ms(),
            calls_in_flight=plane.calls,
            streams=listener.streams if listener else 0,
            connections=listener.connections if listener else 0,
            revision=plane.snapshot.revision,
            last_lag_s=self._last_lag_s,
            loop_lag_s=self._loop_lag_s,
            accounts=account_states(plane.pool, plane.snapshot.accounts, plane.time()),
            local=self._local(),
            book=self._book.state,
            process=self._process,
            home=str(self._folder.resolve()),
            pid=os.getpid(),
        )

    # The exporter.

    def _export(self, config: Config) -> Exporter | None:
        settings = config.telemetry
        if not settings.otlp_endpoint:
            return None
        self._counted = self._count()
        log, loop = self._plane.log, asyncio.get_running_loop()

        def report(state: str) -> None:  # in the exporter's thread
            level = "warning" if state == "failing" else "info"
            loop.call_soon_threadsafe(lambda: log.event(level, "telemetry_export", state=state))

        instance = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        sink = otlp_sink(
            ExportSettings(settings.otlp_endpoint, settings.service_name, __version__, instance)
        )
        return Exporter(
            sink,
            settings.sample_ratio,
            self._provider_of,
            lambda: self._counted,
            report,
        )

    def _provider_of(self, account: str) -> str:
        """Return whom an account belongs to; in the exporter's thread."""
        for each in self._plane.snapshot.accounts:
            if each.id == account:
                return n.PROVIDERS[each.dialect.value]
        return n.GATEWAY
