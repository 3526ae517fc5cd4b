"""The promise: whatever callers send, metrics stay small and memory does not follow their fancy.

50 000 requests with models, paths, ids, keys and users that nobody sent before go through the real
front; then calls that are served, each of a conversation and a user of its own. Before and after:
the number of series of /metrics and of OpenTelemetry, and the resident set.
"""

import http.client
import random
import re
import threading
from contextlib import closing

from support.gateway import KEY, ask, encode
from support.lab import open_lab
from support.otlp import Collector, attributes

REQUESTS = 50_000
SERVED = 2_000  # what a scripted upstream answers in a few seconds
CALLERS = 4  # connections side by side
BATCH = 100  # requests that a caller sends ahead
MAX_SERIES = 2000
MAX_GROWTH_BYTES = 10 * 1024 * 1024
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-_."


def word(draw, least=1, most=60):
    return "".join(draw.choices(ALPHABET, k=draw.randint(least, most)))


def fancy(draw):
    """Return one request that is refused for something that nobody has ever sent."""
    kind = draw.randrange(6)
    if kind == 0:
        return encode("POST", "/v1/chat/completions", ask("x") | {"model": word(draw)})
    if kind == 1:
        return encode("GET", "/v1/" + word(draw))
    if kind == 2:
        return encode("GET", "/v1/models/" + word(draw))
    if kind == 3:
        return encode("GET", "/v1/models", key="sk-" + word(draw, 20, 60))
    if kind == 4:
        return encode("POST", "/v1/chat/completions", ask("x") | {word(draw): 1, "messages": 1})
    headers = [("X-Request-Id", word(draw)), ("X-Conversation-Id", word(draw))]
    return encode("GET", "/v1/" + word(draw), headers=[*headers, ("X-" + word(draw, 1, 8), "1")])


def served(draw):
    """Return one call that is answered, with all that a caller may make up."""
    body = ask(word(draw), user=word(draw))
    names = ("X-Conversation-Id", "X-Client-Request-Id", "User-Agent", "traceparent")
    headers = [(name, word(draw)) for name in names]
    return encode("POST", "/v1/chat/completions?" + word(draw), body, headers=headers)


def call(gateway, requests):
    """Send `requests` on one connection, BATCH ahead; return the statuses."""
    statuses = []
    with gateway.connect(timeout_s=30) as connection:
        for at in range(0, len(requests), BATCH):
            batch = requests[at : at + BATCH]
            connection.send(b"".join(batch))
            statuses += [connection.read_response().status for _ in batch]
    return statuses


def flood(gateway, seed, count, make=fancy):
    """Send `count` requests of `make` over CALLERS connections; return the counts of statuses."""
    counts, lock = {}, threading.Lock()

    def run(caller):
        draw = random.Random(seed * 1000 + caller)
        found = call(gateway, [make(draw) for _ in range(count // CALLERS)])
        with lock:
            for status in found:
                counts[status] = counts.get(status, 0) + 1

    threads = [threading.Thread(target=run, args=(caller,)) for caller in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts


def metrics(gateway):
    with closing(http.client.HTTPConnection("127.0.0.1", gateway.ops_port, timeout=5)) as wire:
        wire.request("GET", "/metrics")
        return wire.getresponse().read().decode()


def series(text):
    return [line.rpartition(" ")[0] for line in text.splitlines() if line[:1] not in ("#", "")]


def points(collector):
    """Return the series that the collector got: the metric, and its attributes."""
    return {
        (name, *sorted(attributes(point).items()))
        for name, metric in collector.metrics().items()
        for kind in ("sum", "histogram")
        for point in getattr(metric, kind).data_points
    }


def test_fifty_thousand_fancies_leave_no_trace():
    with Collector() as collector:
        telemetry = {"otlp_endpoint": collector.url, "sample_ratio": 0.01}
        with open_lab(settings={"telemetry": telemetry}) as lab:
            gateway = lab.gateway
            few = flood(gateway, 0, 100)  # each kind of refusal
            for _ in range(2):  # new conversations, and such as come again
                assert flood(gateway, 3, 40, served) == {200: 40}
            before = series(metrics(gateway))
            warm = flood(gateway, 1, 4_000)  # learns what a process learns once: allocators, caches
            before_bytes = gateway.resident_bytes()

            counts = flood(gateway, 2, REQUESTS)

            after_bytes = gateway.resident_bytes()
            answered = flood(gateway, 4, SERVED, served)
            text = metrics(gateway)
            gateway.process.terminate()  # what is left is exported
            gateway.wait_exit()
            exported = points(collector)
            gateway.spawn().wait_ready()

    after = series(text)
    assert sum(counts.values()) == REQUESTS
    assert set(counts) <= {400, 401, 404}, counts
    assert answered == {200: SERVED}
    assert len(after) <= MAX_SERIES
    assert set(after) == set(before), "no request made a series of its own"
    assert 0 < len(exported) <= 20, "one model's: no request made a point of its own"
    told = dict(re.findall(r'arkway_errors_total\{code="\w+".*status="(\d+)"\} (\S+)', text))
    assert set(told) == {"400", "401", "404"}
    total = sum(float(n) for n in re.findall(r"arkway_errors_total\{.*\} (\S+)", text))
    assert total == REQUESTS + sum(warm.values()) + sum(few.values()), "each was counted, once"
    assert after_bytes - before_bytes <= MAX_GROWTH_BYTES
    assert KEY not in text
