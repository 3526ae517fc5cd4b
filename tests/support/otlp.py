"""What would a collector get? A receiver of OTLP over HTTP on loopback that keeps every body."""

from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support.threaded import Threaded


class Collector(Threaded):
    """Use it as a context manager. `status` is what it answers with."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[bytes] = []
        self.received: list[tuple[str, bytes]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.bodies.append(body)
                collector.received.append((self.path, body))
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

        super().__init__(Handler)

    def spans(self) -> list[Any]:
        """Return every span that came."""
        return [
            span
            for path, body in self.received
            if path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> dict[str, Any]:
        """Return the last state of every metric that came, by name."""
        return {
            metric.name: metric
            for path, body in self.received
            if path == "/v1/metrics"
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


def attributes(of: Any) -> dict[str, Any]:
    """Return the attributes of a span or a point as plain values."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in of.attributes}
