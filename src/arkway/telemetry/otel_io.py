"""How do spans and metrics reach a collector? OTLP over HTTP, in a thread of its own.

Only with the extra `otel`. The event loop puts calls into a bounded queue and goes on; the thread
turns them into spans, sends them, and sends the metrics of `names` from the meter's own counts
every METRICS_EVERY_S. A collector that is slow or away costs what the queue holds: what has no
room is dropped and counted, and a stop waits for it CLOSE_S at most.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from arkway.telemetry.events import CallFinished
from arkway.telemetry.exposition import Page
from arkway.telemetry.spans import ExportSettings, Span, spans_of

# About 4 MiB: a second of a node at its fastest, or a collector's restart in ordinary hours.
MAX_WAITING = 8192
BATCH_SPANS = 512
SPANS_EVERY_S = 1.0
METRICS_EVERY_S = 15.0
SEND_TIMEOUT_S = 5.0
CLOSE_S = 2.0

Report = Callable[[str], None]


class OtelMissing(Exception):
    """The extra is not installed; the message is one line."""


class Sink(Protocol):
    """Where spans and counts go; `otel_sink.OtlpSink` is one."""

    def send_spans(self, spans: list[Span]) -> bool:
        """Return whether the collector has taken them."""

    def send_metrics(self, page: Page) -> bool:
        """Return whether the collector has taken the counts of `page`."""


def otlp_sink(settings: ExportSettings) -> Sink:
    """Return OpenTelemetry's own exporters.

    Errors:  OtelMissing.
    """
    try:
        from arkway.telemetry.otel_sink import OtlpSink  # noqa: PLC0415 - only with the extra
    except ImportError:
        hint = "install arkway with the extra otel, or leave telemetry.otlp_endpoint empty"
        raise OtelMissing(f"OpenTelemetry is not installed: {hint}") from None
    return OtlpSink(settings, SEND_TIMEOUT_S)


class Exporter:
    """Takes calls from the event loop and exports them from a thread.

    `page` gives the current counts; it is called in the thread and must be safe there.
    `report` is called in the thread when exporting begins to fail or works again.
    """

    def __init__(
        self,
        sink: Sink,
        sample_ratio: float,
        provider_of: Callable[[str], str],
        page: Callable[[], Page],
        report: Report,
    ) -> None:
        """Prepare; `start` starts."""
        self._sample_ratio, self._provider_of = sample_ratio, provider_of
        self._page, self._report = page, report
        self._waiting: deque[tuple[int, CallFinished]] = deque()
        self.dropped = 0  # spans
        self._sink = sink
        self._closing = threading.Event()
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="otlp", daemon=True)

    def start(self) -> None:
        """Begin to export."""
        self._thread.start()

    def take(self, calls: list[CallFinished]) -> None:
        """Take calls that are over; those without room are dropped."""
        room = MAX_WAITING - len(self._waiting)
        if room < len(calls):
            self.dropped += sum(1 + len(call.attempts) for call in calls[max(room, 0) :])
            calls = calls[: max(room, 0)]
        offset_ns = time.time_ns() - time.monotonic_ns()
        self._waiting.extend((offset_ns, call) for call in calls)

    def close(self) -> None:
        """Send what waits, for CLOSE_S at most."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    # The thread.

    def _run(self) -> None:
        next_metrics_s = time.monotonic() + METRICS_EVERY_S
        while not self._closing.wait(SPANS_EVERY_S):
            self._send_spans()
            if time.monotonic() >= next_metrics_s:
                next_metrics_s = time.monotonic() + METRICS_EVERY_S
                self._told(self._sink.send_metrics(self._page()))
        self._send_spans()
        self._told(self._sink.send_metrics(self._page()))

    def _send_spans(self) -> None:
        batch: list[Span] = []
        while self._waiting:
            offset_ns, call = self._waiting.popleft()
            batch += spans_of(call, self._sample_ratio, offset_ns, self._provider_of)
            if len(batch) >= BATCH_SPANS:
                self._send(batch)
                batch = []
        if batch:
            self._send(batch)

    def _send(self, batch: list[Span]) -> None:
        worked = self._sink.send_spans(batch)
        if not worked:
            self.dropped += len(batch)
        self._told(worked)

    def _told(self, worked: bool) -> None:
        if worked == self._is_failing:
            self._is_failing = not worked
            self._report("failing" if self._is_failing else "working")
