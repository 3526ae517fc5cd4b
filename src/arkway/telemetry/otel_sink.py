"""What does OpenTelemetry's SDK get? Finished spans and finished sums, for its OTLP exporters.

Imported only where the extra `otel` is installed. Nothing here samples, waits or keeps: the SDK's
own processors would do per call, in the event loop, what `meter` and `otel_io` do in batches.
"""

import logging
import time
from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import export as points
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from arkway.telemetry import families as f
from arkway.telemetry import names as n
from arkway.telemetry.exposition import Page
from arkway.telemetry.spans import SERVER, ExportSettings, Span


class OtlpSink:
    """OpenTelemetry's own exporters, fed with finished spans and finished sums."""

    def __init__(self, settings: ExportSettings, timeout_s: float) -> None:
        # Its own words go to no stream of ours: `report` says in our form what matters.
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        logging.getLogger("opentelemetry").propagate = False
        endpoint = settings.endpoint.rstrip("/")
        self._spans = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=timeout_s)
        self._metrics = OTLPMetricExporter(f"{endpoint}/v1/metrics", timeout=timeout_s)
        attributes = {
            n.SERVICE_NAME: settings.service_name,
            n.SERVICE_VERSION: settings.version,
            n.SERVICE_INSTANCE: settings.instance,
        }
        self._resource = Resource(attributes, n.SCHEMA_URL)
        self._scope = InstrumentationScope("arkway", settings.version, n.SCHEMA_URL)
        self._since_ns = time.time_ns()

    def send_spans(self, spans: list[Span]) -> bool:
        """Return whether the collector has taken them."""
        result = self._spans.export([self._readable(span) for span in spans])
        return result is SpanExportResult.SUCCESS

    def send_metrics(self, page: Page) -> bool:
        """Return whether the collector has taken the counts of `page`."""
        metrics = [*self._histograms(page), *self._sums(page)]
        scoped = points.ScopeMetrics(self._scope, metrics, n.SCHEMA_URL)
        of_this = points.ResourceMetrics(self._resource, [scoped], n.SCHEMA_URL)
        result = self._metrics.export(points.MetricsData([of_this]))
        return result is points.MetricExportResult.SUCCESS

    def _readable(self, span: Span) -> ReadableSpan:
        sampled = TraceFlags(TraceFlags.SAMPLED)

        def context(span_id: int, *, is_remote: bool) -> SpanContext:
            return SpanContext(span.trace_id, span_id, is_remote, sampled)

        is_server = span.kind == SERVER
        return ReadableSpan(
            name=span.name,
            context=context(span.span_id, is_remote=False),
            parent=context(span.parent_id, is_remote=is_server) if span.parent_id else None,
            resource=self._resource,
            attributes=span.attributes,
            kind=SpanKind.SERVER if is_server else SpanKind.CLIENT,
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )

    def _histograms(self, page: Page) -> list[points.Metric]:
        now_ns = time.time_ns()
        found: list[points.Metric] = []
        for family, name in (
            (f.CALL_SECONDS, n.REQUEST_DURATION),
            (f.FIRST_TOKEN_SECONDS, n.TIME_TO_FIRST_TOKEN),
        ):
            data = [
                points.HistogramDataPoint(
                    attributes=_common(labels[0]) | _stream(labels),
                    start_time_unix_nano=self._since_ns,
                    time_unix_nano=now_ns,
                    count=sum(spread.counts),
                    sum=spread.total,
                    bucket_counts=spread.counts,
                    explicit_bounds=spread.bounds,
                    min=0.0,
                    max=0.0,
                )
                for key, labels, spread in page.spreads
                if key == family.name
            ]
            histogram = points.Histogram(data, points.AggregationTemporality.CUMULATIVE)
            found.append(points.Metric(name, family.help, "s", histogram))
        return found

    def _sums(self, page: Page) -> list[points.Metric]:
        now_ns = time.time_ns()
        found: list[points.Metric] = []
        for name, by_model in token_sums(page.values.get(f.TOKENS.name, {})).items():
            data = [
                points.NumberDataPoint(
                    attributes=_common(model) | {n.MODALITY: n.UNKNOWN_MODALITY},
                    start_time_unix_nano=self._since_ns,
                    time_unix_nano=now_ns,
                    value=value,
                )
                for model, value in by_model.items()
            ]
            total = points.Sum(data, points.AggregationTemporality.CUMULATIVE, True)
            found.append(points.Metric(name, f.TOKENS.help, "{token}", total))
        return found


def token_sums(tokens: Mapping[tuple[str, ...], float]) -> dict[str, dict[str, int]]:
    """Return OpenTelemetry's sums by model: theirs contain each other, our classes do not."""
    holds = {
        n.USAGE_INPUT: ("input", "cached_input", "cache_creation"),
        n.USAGE_OUTPUT: ("output", "reasoning"),
        n.USAGE_CACHE_READ: ("cached_input",),
        n.USAGE_CACHE_WRITE: ("cache_creation",),
        n.USAGE_REASONING: ("reasoning",),
    }
    sums: dict[str, dict[str, int]] = {name: {} for name in holds}
    for (model, kind), count in tokens.items():
        for name, kinds in holds.items():
            if kind in kinds:
                sums[name][model] = sums[name].get(model, 0) + int(count)
    return sums


def _common(model: str) -> dict[str, str | bool]:
    return {n.OPERATION: n.CHAT, n.PROVIDER: n.GATEWAY, n.REQUEST_MODEL: model}


def _stream(labels: tuple[str, ...]) -> dict[str, str | bool]:
    return {"arkway.stream": labels[1] == "true"} if len(labels) > 1 else {}
