"""What does a whole gateway tell its operators? Metrics, status, call lines, spans, in one run."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from prometheus_client.parser import text_string_to_metric_families

from arkway.telemetry import names as n
from arkway.telemetry.families import FAMILIES
from support.answers import CLOSE, Gate, fail, reply, sse, streamed
from support.gateway import MODEL, ask
from support.lab import open_lab
from support.otlp import Collector, attributes

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def ops(gateway, path):
    with closing(http.client.HTTPConnection("127.0.0.1", gateway.ops_port, timeout=5)) as wire:
        wire.request("GET", path)
        answer = wire.getresponse()
        return answer.status, answer.headers["content-type"], answer.read().decode()


def metrics(gateway):
    status, content_type, text = ops(gateway, "/metrics")
    assert status == 200
    assert content_type.startswith("text/plain")
    return {
        (sample.name.removeprefix("arkway_"), *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def wait_for_call_lines(gateway, count):
    """Return the log's lines of calls once there are `count`: they are written on ticks."""
    deadline_s = time.monotonic() + 5
    while True:
        lines = [json.loads(line) for line in gateway.stderr().splitlines()]
        calls = [line for line in lines if line["event"] == "call"]
        if len(calls) >= count:
            return calls
        assert time.monotonic() < deadline_s, calls
        time.sleep(0.02)


@pytest.fixture
def lab():
    with open_lab(number_of_accounts=2, settings={"log": {"calls": True}}) as it:
        yield it


def test_what_happened_is_counted(lab):
    gateway, upstream = lab.gateway, lab.upstream
    gateway.chat(upstream.plan(reply("a")))
    with gateway.open_stream(upstream.plan(reply("b"))) as connection:
        connection.read_response()
    gateway.chat(upstream.plan(fail(500), reply("c")))
    gateway.chat(upstream.plan(fail(400, "InvalidParameter")))
    gateway.post(ask("x", stream=True) | {"model": "nope"})
    gateway.call("GET", "/v1/models", key=None)
    gateway.raw(
        b"GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"
    )

    deadline_s = time.monotonic() + 5  # nobody waits for the end of a failed attempt to be durable
    while (found := metrics(gateway))["ledger_entries_total",] < 10:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)

    assert found["calls_total", "", "200", MODEL, "completed"] == 3
    assert sum(v for (name, *_), v in found.items() if name == "calls_total") == 4
    completed = [
        v for (name, *labels), v in found.items()
        if name == "attempts_total" and "completed" in labels
    ]  # fmt: skip
    refused = {
        tuple(labels[1:]): v for (name, *labels), v in found.items()
        if name == "attempts_total" and "refused" in labels
    }  # fmt: skip
    assert sum(completed) == 3
    assert sum(refused.values()) == 2
    assert {word for labels in refused for word in labels} >= {"transient", "caller"}
    assert found["errors_total", "", "401", "missing_api_key"] == 1
    assert found["errors_total", "", "404", "model_not_found"] == 1
    assert found["framing_errors_total", "transfer_encoding"] == 1
    assert found["tokens_total", MODEL, "cached_input"] == 15
    assert found["time_to_first_token_seconds_count", MODEL] == 1
    assert found["ledger_entries_total",] == 10
    assert found["ledger_open",] == 1
    calls = wait_for_call_lines(gateway, 4)
    assert [line["outcome"] for line in calls] == ["completed"] * 3 + ["error"]
    assert calls[2]["attempts"] == 2


def test_gauges_and_status_follow_what_is_under_way(lab):
    gateway, gate = lab.gateway, Gate()
    prompt = lab.upstream.plan(streamed(lambda say: [*sse(say.delta("a"), gate, end=False), CLOSE]))
    with gateway.open_stream(prompt) as caller:
        assert gate.reached.wait(5)
        deadline_s = time.monotonic() + 5
        while (now := metrics(gateway))["streams",] != 1:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        document = json.loads(ops(gateway, "/status")[2])
        gate.open()
        caller.read_all()
    after = json.loads(ops(gateway, "/status")[2])

    assert (now["calls_in_flight",], now["connections",]) == (1, 1)
    assert now["account_in_flight", "account-0"] + now["account_in_flight", "account-1"] == 1
    assert document["state"] == "ready"
    assert (document["calls_in_flight"], document["streams"]) == (1, 1)
    assert sum(each["in_flight"] for each in document["accounts"]) == 1
    assert document["attention"] == []
    assert (after["calls_in_flight"], after["streams"]) == (0, 0)


def test_a_change_is_in_force_within_a_second_and_its_lag_is_measured(lab):
    gateway = lab.gateway
    before = metrics(gateway)
    gateway.arkway("keys", "create", "--name", "new", "--tenant", "default")
    deadline_s = time.monotonic() + 5
    while (now := metrics(gateway))["configuration_revision",] == before["configuration_revision",]:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)

    assert now["configuration_lag_seconds_count",] == 1
    assert 0 < now["configuration_last_lag_seconds",] < 1


def test_spans_of_a_call_and_its_attempts_reach_a_collector_and_the_upstream():
    with Collector() as collector:
        telemetry = {"otlp_endpoint": collector.url, "sample_ratio": 1.0, "propagate": True}
        with open_lab(number_of_accounts=2, settings={"telemetry": telemetry}) as lab:
            gateway, upstream = lab.gateway, lab.upstream
            prompt = upstream.plan(fail(500), reply("text"))
            answer = gateway.post(ask(prompt), headers=[("traceparent", f"00-{TRACE}-{SPAN}-01")])
            assert answer.status == 200
            own = gateway.chat(upstream.plan(reply("more")))
            sent = [seen.header("traceparent") for seen in upstream.seen(prompt)]
            gateway.process.terminate()
            gateway.wait_exit()
            got = collector.metrics()
            gateway.spawn().wait_ready()
        spans = [span for span in collector.spans() if span.trace_id.hex() == TRACE]
        ours = [
            span for span in collector.spans()
            if span.trace_id.hex() == dict(own.headers)["x-request-id"].replace("-", "")
        ]  # fmt: skip

    call, *attempts = spans
    assert call.parent_span_id.hex() == SPAN
    assert [span.parent_span_id for span in attempts] == [call.span_id] * 2
    assert sent == [f"00-{TRACE}-{span.span_id.hex()}-01" for span in attempts]
    assert [attributes(span)[n.OUTCOME] for span in attempts] == ["refused", "completed"]
    assert attributes(attempts[1])[n.INPUT_TOKENS] == 21
    assert len(ours) == 2
    (tokens,) = got[n.USAGE_INPUT].sum.data_points
    assert tokens.as_int == 42


def test_upstreams_are_told_of_no_trace_unless_the_operator_says_so(lab):
    prompt = lab.upstream.plan(reply("x"))
    lab.gateway.post(ask(prompt), headers=[("traceparent", f"00-{TRACE}-{SPAN}-01")])

    assert lab.upstream.only(prompt).header("traceparent") is None


def test_many_scrapes_at_once_get_a_page_each(lab):
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda _: ops(lab.gateway, "/metrics"), range(40)))

    assert {status for status, _, _ in pages} == {200}
    assert {text.count("# HELP arkway_") for *_, text in pages} == {len(FAMILIES)}
