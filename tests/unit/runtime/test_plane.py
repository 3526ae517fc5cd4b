"""The data plane composed: a caller's bytes in, an upstream's bytes out, over fake transports."""

import io
import json
import math
import uuid
from dataclasses import replace
from types import SimpleNamespace

import pytest

from arkway.model.catalogue import Dialect
from arkway.model.errors import UpstreamError
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.routing.lease import Ejected
from arkway.routing.pool import Pool
from arkway.runtime import plane as plane_module
from arkway.runtime.plane import WorkerPlane
from arkway.telemetry import families
from arkway.telemetry.log_io import Log
from arkway.work import PipelineLimits
from support.listener_lab import ListenerLab, answers, post
from support.pipeline_lab import (
    DONE,
    KEY,
    MODEL,
    SNAPSHOT,
    FakeLedger,
    account,
    chat,
    chunk,
    completion,
    get,
    key,
    said,
)
from support.upstream_lab import UpstreamLab

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ONE = account("one")


class Lab(ListenerLab):
    """A whole data plane over fake transports."""

    def __init__(self, loop, *accounts, level="debug"):
        snapshot = replace(SNAPSHOT, accounts=accounts or (ONE,))
        up = UpstreamLab(loop)
        self.up = up
        self.stream = io.StringIO()
        self.plane = WorkerPlane(
            snapshot,
            PipelineLimits(),
            Pool(b"s" * 43),
            up.upstream,
            FakeLedger(),
            Log(level, "json", self.stream),
        )
        super().__init__(loop, self.plane.serve)
        self.listener.front = self.plane

    @property
    def events(self):
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def dial(self):
        transport = self.loop.dials[-1].accept()
        self.loop.turn()
        return transport

    def answer(self, transport, data):
        transport.deliver(data)
        self.loop.turn()


@pytest.fixture
def lab(loop):
    return Lab(loop)


def plain(body):
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def framed(*events):
    return b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)


# Calls.


def test_a_plain_call_through_everything(lab):
    it = lab.ask(chat())
    upstream = lab.dial()
    sent = upstream.take()
    assert sent.startswith(b"POST /chat/completions HTTP/1.1\r\nhost: up\r\n")
    assert b"authorization: Bearer c\r\n" in sent

    lab.answer(upstream, plain(completion("hi")))

    answer = said(it)
    assert answer.json["choices"][0]["message"]["content"] == "hi"
    assert lab.plane.calls == 0
    lab.ask(chat(), connection=it)
    assert upstream.take() != b"", "the upstream's connection is used again"


def test_a_stream_through_everything(lab):
    it = lab.ask(chat(stream=True))
    upstream = lab.dial()

    lab.answer(upstream, HEAD + framed(chunk("a")))
    lab.answer(upstream, framed(chunk("b", finish="stop"), DONE) + b"0\r\n\r\n")

    answer = said(it)
    assert answer.is_done
    assert not upstream.is_closing()
    assert lab.plane.calls == 0


@pytest.mark.parametrize("steps", range(6))
@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_who_leaves_takes_the_upstream_with_it(lab, stream, steps):
    it = lab.ask(chat(stream=stream)[: -1 if steps == 0 else None])
    upstream = lab.dial() if steps > 1 else None
    for piece in [HEAD, framed(chunk("a")), framed(chunk("b"))][: max(0, steps - 2)]:
        lab.answer(upstream, piece)

    it.reset()
    lab.loop.turn()

    assert lab.plane.calls == 0
    assert lab.plane.pool.in_flight("one") == 0
    if upstream is not None:
        assert upstream.was_aborted
    elif lab.loop.dials:
        assert lab.loop.dials[-1].was_cancelled
    assert not [event for event in lab.events if event["level"] != "debug"]


@pytest.mark.parametrize("broken", [b"data: garbage\n\n", b"data: " + b"x" * 2_000_000])
def test_an_upstream_that_sends_garbage_is_dropped_at_once(lab, broken):
    lab.ask(chat(stream=True))
    upstream = lab.dial()

    lab.answer(upstream, HEAD + framed(chunk("a")))
    for at in range(0, len(broken), 60_000):
        lab.answer(upstream, framed(broken[at : at + 60_000]))

    assert upstream.was_aborted


def test_an_upstream_that_is_down_is_logged_without_secrets(lab):
    it = lab.ask(chat())

    lab.loop.dials[-1].refuse(ConnectionRefusedError(111, "Connection refused"))
    lab.loop.turn()

    assert said(it).status == 502
    (event,) = lab.events
    assert event["event"] == "attempt_failed"
    assert event["account"] == "one"
    assert event["ending"] == "not_sent"
    assert event["reason"] == "connect failed: Connection refused"
    assert KEY not in lab.stream.getvalue()
    assert lab.plane.counts["attempt_not_sent"] == 1


# Configurations.


def test_a_new_snapshot_is_in_force_for_the_next_call(lab):
    it = lab.ask(chat())
    first = lab.dial()

    lab.plane.apply(replace(lab.plane.snapshot, accounts=(account("two"),), keys=key(KEY)))
    lab.answer(first, plain(completion("old")))
    assert said(it).json["choices"][0]["message"]["content"] == "old"
    lab.ask(chat(), connection=it)
    second = lab.dial()
    lab.answer(second, plain(completion("new")))

    assert said(it).json["choices"][0]["message"]["content"] == "new"
    assert first.is_closing()


# Ids, counts, ratios.


def test_ids_are_unique_uuids_in_the_order_of_time(lab):
    ids = [lab.plane.new_id() for _ in range(2 * 256 + 5)]

    assert len(set(ids)) == len(ids)
    assert {uuid.UUID(one).version for one in ids} == {7}
    heads = [one[:13] for one in ids]
    assert heads == sorted(heads)


def test_an_id_tells_the_time(lab, monkeypatch):
    monkeypatch.setattr(plane_module.time, "time_ns", lambda: 1_700_000_000_123_000_000)
    assert uuid.UUID(lab.plane.new_id()).int >> 80 == 1_700_000_000_123

    monkeypatch.setattr(plane_module.time, "time_ns", lambda: 1_700_000_000_124_000_000)
    assert uuid.UUID(lab.plane.new_id()).int >> 80 == 1_700_000_000_124


def test_the_clocks_are_the_loops_and_the_systems(lab):
    assert lab.plane.time() == lab.loop.now_s
    assert lab.plane.unix_ms() // 1000 > 1_700_000_000


def test_each_model_has_a_ratio_of_its_own(lab):
    one, two = SNAPSHOT.models["Doubao"], SNAPSHOT.models["Small"]

    assert lab.plane.estimator.ratio(one) is lab.plane.estimator.ratio(
        replace(one, context_tokens=5)
    )
    assert lab.plane.estimator.ratio(one) is not lab.plane.estimator.ratio(two)


# What operators and developers learn.


def fail(lab, **fields):
    failure = AttemptFailed(
        Ending.REFUSED, ErrorClass.BROKEN, UpstreamError("m"), "status 401, code X"
    )
    exchange = type("Exchange", (), {"request_id": "id-9"})()
    target = type("Target", (), {"account": ONE})()
    lab.plane.on_attempt_failed(exchange, target, failure, fields.get("ejected"))


@pytest.mark.parametrize(
    ("ending", "is_stale", "counted"),
    [
        (Ending.REFUSED, False, 1),
        (Ending.AMBIGUOUS, False, 1),
        (Ending.AMBIGUOUS, True, 0),
        (Ending.ABORTED, False, 0),
        (Ending.HEDGE_LOST, False, 0),
    ],
)
def test_what_an_account_did_wrong_is_counted_and_what_we_did_is_not(
    lab, ending, is_stale, counted
):
    error = UpstreamError("m")
    failure = AttemptFailed(ending, ErrorClass.TRANSIENT, error, "r", is_stale=is_stale)
    failure.upstream_code = "InternalServiceError.Unknown"
    exchange = type("Exchange", (), {"request_id": "id-9"})()
    lab.plane.on_attempt_failed(exchange, type("Target", (), {"account": ONE})(), failure, None)

    found = lab.plane.faults.of(["one"], lab.plane.time())["one"]
    assert [(each.code, each.hour) for each in found] == [("InternalServiceError", 1)][:counted]


def test_a_failed_attempt_is_one_event(lab):
    fail(lab)

    (event,) = lab.events
    assert event | {"time": ""} == {
        "time": "",
        "level": "warning",
        "event": "attempt_failed",
        "request_id": "id-9",
        "account": "one",
        "ending": "refused",
        "class": "broken",
        "reason": "status 401, code X",
    }


def test_an_ejection_is_another(lab):
    fail(lab, ejected=Ejected(30.0, "5 in a row"))

    _, event = lab.events
    assert event | {"time": ""} == {
        "time": "",
        "level": "warning",
        "event": "account_ejected",
        "account": "one",
        "model": "",
        "ejected_s": 30.0,
        "needs_operator": False,
        "reason": "5 in a row",
    }


def test_an_account_that_only_an_operator_can_mend_says_so(lab):
    fail(lab, ejected=Ejected(math.inf, "status 401, code X"))

    _, event = lab.events
    assert (event["ejected_s"], event["needs_operator"]) == (None, True)


def test_a_crash_is_logged_where_it_happened_and_answered_without_its_text(lab, monkeypatch):
    def crash(*_):
        raise RuntimeError("hunter2")

    monkeypatch.setattr("arkway.pipeline.validate", crash)

    it = lab.ask(chat())

    answer = said(it)
    assert answer.status == 500
    assert answer.json["error"]["code"] == "internal_error"
    (event,) = lab.events
    assert event["kind"] == "RuntimeError"
    assert event["request_id"] == answer.headers["x-request-id"]
    assert event["where"].startswith("crash:")
    assert "hunter2" not in lab.stream.getvalue() + str(answer.json)
    assert lab.plane.counts["internal_error"] == 1
    assert lab.plane.calls == 0


def encode(lab, **params):
    it = lab.ask(chat(**params))
    lab.loop.dials[-1].refuse(OSError("x"))
    lab.loop.turn()
    it.reset()


def dropped(lab):
    return [event["parameter"] for event in lab.events if event["event"] == "parameter_dropped"]


def test_a_dropped_parameter_is_named_once(loop):
    lab = Lab(loop, account("ark", Dialect.ARK))

    encode(lab, user="u", odd="x")
    encode(lab, user="v", seed=1)

    assert dropped(lab) == ["odd", "user", "seed"]
    assert '"u"' not in lab.stream.getvalue()


def test_names_of_parameters_are_shown_short_and_few(loop, monkeypatch):
    monkeypatch.setattr(plane_module, "MAX_NAMED", 3)
    lab = Lab(loop, account("ark", Dialect.ARK))

    encode(lab, **{"a\n" + "x" * 1000: 1, "b": 1})
    encode(lab, **{f"c{at}": 1 for at in range(9)})

    assert dropped(lab) == ["a?" + "x" * 62, "b", "c0"]


@pytest.mark.parametrize(("dialect", "level"), [(Dialect.OPENAI, "debug"), (Dialect.ARK, "info")])
def test_nothing_is_named_where_nothing_is_dropped_or_nobody_looks(loop, dialect, level):
    lab = Lab(loop, account("a", dialect), level=level)

    encode(lab, user="u")

    assert dropped(lab) == []


def test_the_front_counts_what_never_becomes_a_call(lab):
    lab.ask(b"garbage\r\n\r\n")
    lab.plane.count("garbage")

    assert lab.plane.counts["garbage"] == 1


def test_models_through_everything(lab):
    it = lab.ask(get(b"/v1/models"))

    assert [model["id"] for model in said(it).json["data"]] == [MODEL.name, "Small"]
    assert answers(it) == []


# What is counted.


def counted(lab, family):
    return {labels: n for labels, n in lab.plane.meter.counters()[family.name].items() if n}


def calls(lab):
    return {labels[1:]: n for labels, n in counted(lab, families.CALLS).items()}


def test_an_answered_call_is_counted_and_no_event_is_made_that_nobody_takes(lab):
    lab.ask(chat())
    lab.answer(lab.dial(), plain(completion("hi")))

    assert calls(lab) == {("completed", "200", ""): 1}
    assert counted(lab, families.ATTEMPTS) == {("one", "completed", ""): 1}
    assert lab.plane.meter._waiting == []


def test_whoever_listens_gets_the_event_of_every_call(lab):
    taken = []
    lab.plane.meter.subscribers = (SimpleNamespace(take=taken.extend),)
    lab.ask(chat(b"traceparent: t"))
    lab.answer(lab.dial(), plain(completion("hi")))
    lab.plane.meter.flush()

    (event,) = taken
    assert (event.outcome, event.status, event.code, event.model) == (
        "completed",
        200,
        "",
        "Doubao",
    )
    assert [attempt.end.uncached for attempt in event.attempts] == [9]
    assert event.traceparent == b"t"
    assert calls(lab) == {("completed", "200", ""): 1}, "once"


def test_a_failed_call_is_counted_with_its_status_and_code(lab):
    lab.ask(chat())
    lab.loop.dials[-1].refuse(ConnectionRefusedError(111, "Connection refused"))
    lab.loop.turn()

    assert calls(lab) == {("error", "502", "upstream_error"): 1}
    assert counted(lab, families.ATTEMPTS) == {("one", "not_sent", "transient"): 1}
    assert counted(lab, families.ERRORS) == {("502", "upstream_error", ""): 1}


def test_an_interrupted_stream_had_a_200(lab):
    lab.ask(chat(stream=True))
    upstream = lab.dial()
    lab.answer(upstream, HEAD + framed(chunk("a")))
    upstream.reset()
    lab.loop.turn()

    assert calls(lab) == {("interrupted", "200", "upstream_stream_interrupted"): 1}
    assert counted(lab, families.ERRORS) == {("200", "upstream_stream_interrupted", ""): 1}


@pytest.mark.parametrize(("pieces", "phase"), [([], "before_first_byte"), ([HEAD], "in_stream")])
def test_a_caller_who_leaves_is_no_error(lab, pieces, phase):
    it = lab.ask(chat(stream=True))
    upstream = lab.dial()
    for piece in pieces:
        lab.loop.now_s += 0.01
        lab.answer(upstream, piece + framed(chunk("a")))
    it.reset()
    lab.loop.turn()

    assert calls(lab) == {("caller_left", "none", ""): 1}
    assert counted(lab, families.CALLERS_LEFT) == {(phase,): 1}
    assert counted(lab, families.ERRORS) == {}
    assert counted(lab, families.ATTEMPTS) == {("one", "caller_left", ""): 1}


def test_a_bug_of_ours_is_a_crash_and_not_a_caller_who_left(lab, monkeypatch):
    monkeypatch.setattr("arkway.answering.read_answer", lambda *_: 1 / 0)
    lab.listener.front = lab.plane
    it = lab.ask(chat())
    lab.answer(lab.dial(), plain(completion("hi")))

    assert said(it).status == 500
    assert calls(lab) == {("crashed", "500", "internal_error"): 1}
    assert counted(lab, families.ERRORS) == {("500", "internal_error", ""): 1}


@pytest.mark.parametrize(
    ("credential", "reason"),
    [
        (b"Bearer nonsense", "malformed"),
        (b"Bearer sk-" + b"x" * 48, "unknown"),
        (b"Bearer sk-a\r\nauthorization: Bearer sk-b", "repeated"),
    ],
)
def test_refused_credentials_are_told_apart(lab, credential, reason):
    lab.ask(post(b"", b"authorization: " + credential, line=b"GET /v1/models HTTP/1.1"))

    assert counted(lab, families.ERRORS) == {("401", "invalid_api_key", reason): 1}


def test_an_attempts_trace_header_goes_where_the_operator_says(lab):
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    lab.ask(chat(b"traceparent: " + trace))
    assert b"traceparent" not in lab.dial().take()
    lab.plane.propagates = True

    lab.ask(chat(b"traceparent: " + trace))

    assert b"\r\ntraceparent: " + trace + b"\r\n\r\n{" in lab.dial().take()
