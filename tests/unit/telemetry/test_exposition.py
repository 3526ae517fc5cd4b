import re

from prometheus_client.parser import text_string_to_metric_families

from arkway.telemetry import exposition
from arkway.telemetry import families as f
from arkway.telemetry.meter import Meter
from support.telemetry import served_attempt


def page():
    meter = Meter()
    for took_s, first_ms in ((0.005, 3), (0.3, 150), (900.0, 90_000)):
        only = served_attempt(first_token_ms=first_ms)
        meter.on_ordinary(only.intent, only.end, True, 10.0, 10.0 + took_s)
    return exposition.Page({**meter.counters()}, list(meter.spreads()))


def parsed(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_page_is_what_prometheus_reads():
    text = exposition.render(page()).decode()
    samples = parsed(text)
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in samples.items()
        if name == "arkway_call_duration_seconds_bucket"
    }

    assert samples["arkway_cost_total", (("currency", "CNY"), ("model", "Doubao"))] == 2.1e-05
    assert list(buckets.values()) == sorted(buckets.values()), "cumulative"
    assert (buckets["0.01"], buckets["0.32"], buckets["655.36"], buckets["+Inf"]) == (1, 2, 2, 3)
    labels = (("model", "Doubao"), ("stream", "true"))
    assert samples["arkway_call_duration_seconds_count", labels] == 3
    assert round(samples["arkway_call_duration_seconds_sum", labels], 3) == 900.305


def test_every_family_is_on_the_page_with_its_kind_and_help():
    text = exposition.render(page()).decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))

    assert kinds == {family.name: family.kind for family in f.FAMILIES}
    assert helps == {family.name: family.help for family in f.FAMILIES}


def test_the_number_of_series_is_that_of_the_page():
    text = exposition.render(page()).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]

    assert parsed(text)["arkway_series", ()] == len(lines) - 1


def test_families_are_in_good_order():
    assert len({family.name for family in f.FAMILIES}) == len(f.FAMILIES)
    for family in f.FAMILIES:
        assert re.fullmatch(r"arkway_[a-z0-9]+(_[a-z0-9]+)*", family.name)
        assert family.name.endswith("_total") == (family.kind == f.COUNTER)
        assert family.help.endswith(".")
        assert bool(family.bounds) == (family.kind == f.HISTOGRAM)
        assert list(family.bounds) == sorted(set(family.bounds))
