"""What leaves for a collector, read back by OpenTelemetry's own protobuf."""

import pytest

from arkway.telemetry import names as n
from arkway.telemetry.exposition import Page
from arkway.telemetry.meter import Meter
from arkway.telemetry.otel_sink import OtlpSink, token_sums
from arkway.telemetry.spans import ExportSettings, spans_of
from support.otlp import Collector, attributes
from support.telemetry import call, failed_attempt, served_attempt


@pytest.fixture
def collector():
    with Collector() as it:
        yield it


def sink(collector, timeout_s=5.0):
    return OtlpSink(ExportSettings(collector.url, "mine", "1.2", "node"), timeout_s)


def test_spans_arrive_with_their_ids_kinds_and_attributes(collector):
    attempts = (failed_attempt("a"), served_attempt("b", attempt=2))
    sent = spans_of(call(*attempts), 1.0, 0, str)

    assert sink(collector).send_spans(sent)

    own, first, second = collector.spans()
    assert own.trace_id.hex() == f"{sent[0].trace_id:032x}"
    assert (own.kind, first.kind) == (2, 3), "server, client"
    assert own.parent_span_id == b""
    assert first.parent_span_id == second.parent_span_id == own.span_id
    assert (own.status.code, first.status.code) == (0, 2)
    assert attributes(second)[n.INPUT_TOKENS] == 150
    assert (own.start_time_unix_nano, own.end_time_unix_nano) == (sent[0].start_ns, sent[0].end_ns)


def test_sums_and_histograms_arrive(collector):
    meter = Meter()
    only = served_attempt(first_token_ms=150)
    for is_stream in (True, False):
        meter.on_ordinary(only.intent, only.end, is_stream, 10.0, 10.3)

    assert sink(collector).send_metrics(Page({**meter.counters()}, list(meter.spreads())))

    got = collector.metrics()
    assert set(got) == {
        n.REQUEST_DURATION, n.TIME_TO_FIRST_TOKEN, n.USAGE_INPUT, n.USAGE_OUTPUT,
        n.USAGE_CACHE_READ, n.USAGE_CACHE_WRITE, n.USAGE_REASONING,
    }  # fmt: skip
    (point,) = got[n.TIME_TO_FIRST_TOKEN].histogram.data_points
    assert (point.count, point.sum) == (1, 0.15)
    assert sum(point.bucket_counts) == 1
    (tokens,) = got[n.USAGE_INPUT].sum.data_points
    assert tokens.as_int == 300
    assert got[n.USAGE_INPUT].sum.is_monotonic
    assert attributes(tokens)[n.REQUEST_MODEL] == "Doubao"
    assert len(got[n.REQUEST_DURATION].histogram.data_points) == 2


def test_a_refusal_is_told(collector):
    collector.status = 400

    assert not sink(collector).send_spans(spans_of(call(), 1.0, 0, str))


def test_sums_contain_each_other_as_the_conventions_say():
    classes = {"input": 1, "cached_input": 2, "cache_creation": 4, "output": 8, "reasoning": 16}

    sums = token_sums({("m", kind): count for kind, count in classes.items()})

    assert {name: by_model["m"] for name, by_model in sums.items()} == {
        n.USAGE_INPUT: 7,
        n.USAGE_OUTPUT: 24,
        n.USAGE_CACHE_READ: 2,
        n.USAGE_CACHE_WRITE: 4,
        n.USAGE_REASONING: 16,
    }
