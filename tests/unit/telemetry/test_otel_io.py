import threading

import pytest

from arkway.telemetry import otel_io
from arkway.telemetry.exposition import Page
from arkway.telemetry.otel_io import MAX_WAITING, Exporter, OtelMissing, otlp_sink
from arkway.telemetry.spans import ExportSettings
from support.telemetry import call, served_attempt


class FakeSink:
    def __init__(self):
        self.spans, self.pages = [], []
        self.works = True
        self.gate = threading.Event()
        self.gate.set()

    def send_spans(self, spans):
        self.gate.wait(10)
        self.spans.append(spans)
        return self.works

    def send_metrics(self, page):
        self.pages.append(page)
        return self.works


@pytest.fixture
def sink(monkeypatch):
    monkeypatch.setattr(otel_io, "SPANS_EVERY_S", 0.005)
    return FakeSink()


def exporter(sink, ratio=1.0):
    reports = []
    made = Exporter(sink, ratio, str, Page, reports.append)
    made.reports = reports
    return made


def test_what_waits_is_sent_when_it_closes(sink):
    it = exporter(sink)
    it.start()

    it.take([call(served_attempt())] * 3)
    it.close()

    assert sum(map(len, sink.spans)) == 6
    assert len(sink.pages) == 1
    assert (it.dropped, it.reports) == (0, [])
    assert not it._thread.is_alive()


def test_what_has_no_room_is_dropped_and_counted(sink):
    it = exporter(sink)  # its thread does not run

    it.take([call(served_attempt())] * (MAX_WAITING + 5))
    it.take([call(served_attempt())])

    assert len(it._waiting) == MAX_WAITING
    assert it.dropped == 2 * 6


def test_a_collector_that_is_away_is_reported_once_and_again_when_it_is_back(sink):
    it = exporter(sink)
    sink.works = False
    it._send_spans()
    it.take([call(served_attempt())])
    it._send_spans()
    it.take([call(served_attempt())])
    it._send_spans()
    assert (it.reports, it.dropped) == (["failing"], 4)
    sink.works = True

    it.take([call(served_attempt())])
    it._send_spans()

    assert it.reports == ["failing", "working"]


def test_a_close_does_not_wait_for_a_collector_that_hangs(sink, monkeypatch):
    monkeypatch.setattr(otel_io, "CLOSE_S", 0.05)
    it = exporter(sink)
    sink.gate.clear()
    it.start()
    it.take([call(served_attempt())])

    it.close()

    assert it._thread.is_alive(), "a daemon: it ends with the process"
    sink.gate.set()
    it._thread.join(10)


def test_without_the_extra_there_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "arkway.telemetry.otel_sink", None)

    with pytest.raises(OtelMissing, match="extra otel"):
        otlp_sink(ExportSettings("http://127.0.0.1:1", "arkway", "0", "i"))
