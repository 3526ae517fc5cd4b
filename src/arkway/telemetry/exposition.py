"""How do counts become a page for Prometheus? The text format, by its own library. Pure.

A `Page` is a copy of everything that is counted; rendering it takes some milliseconds and may
happen in another thread.
"""

from collections.abc import Iterator

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from arkway.telemetry import families as f
from arkway.telemetry.meter import Labels, Spread

CONTENT_TYPE = CONTENT_TYPE_LATEST
_NANO = 1e9


class Page(msgspec.Struct):
    """Values by the name of their metric, in its own unit (money in nano-units)."""

    values: dict[str, dict[Labels, float]] = {}
    spreads: list[tuple[str, Labels, Spread]] = []

    def put(self, family: f.Family, value: float, *labels: str) -> None:
        """Set one value."""
        assert len(labels) == len(family.labels), family.name
        self.values.setdefault(family.name, {})[labels] = value


class _Once(Collector):
    """Gives the metrics of one page."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def collect(self) -> Iterator[Metric]:
        """Yield every family, those that have counted nothing too."""
        for family in f.FAMILIES:
            if family.kind == f.HISTOGRAM:
                yield _histogram(family, self._page)
            else:
                yield _plain(family, self._page.values.get(family.name, {}))


def render(page: Page) -> bytes:
    """Return `page` in Prometheus' text format, with the number of its series."""
    page.put(f.SERIES, series(page))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(page))
    return generate_latest(registry)


def series(page: Page) -> int:
    """Return how many series a page has, the one that says so left out."""
    plain = sum(len(sets) for name, sets in page.values.items() if name != f.SERIES.name)
    return plain + sum(len(each.counts) + 2 for _, _, each in page.spreads)


def _plain(family: f.Family, sets: dict[Labels, float]) -> Metric:
    metric: CounterMetricFamily | GaugeMetricFamily
    if family.kind == f.COUNTER:
        metric = CounterMetricFamily(family.name, family.help, labels=family.labels)
    else:
        metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in sets.items():
        metric.add_metric(labels, value / _NANO if family is f.COST else value)
    return metric


def _histogram(family: f.Family, page: Page) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    for name, labels, spread in page.spreads:
        if name == family.name:
            metric.add_metric(labels, _buckets(spread), spread.total)
    return metric


def _buckets(spread: Spread) -> list[tuple[str, float]]:
    """Return the cumulative buckets, as the format wants them."""
    sum_so_far, buckets = 0, []
    bounds = [f"{bound:g}" for bound in spread.bounds]
    for bound, count in zip([*bounds, "+Inf"], spread.counts, strict=True):
        sum_so_far += count
        buckets.append((bound, float(sum_so_far)))
    return buckets
