"""What do tests of the pipeline hold in their hands? A plane whose upstream does as it is told.

The pool, the exchange and the caller's connection are real; attempts are fakes that keep the
contract of `upstream.attempt_io.Attempt` towards the pipeline and note what becomes of them.
"""

import json
import types
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

from arkway.admission.estimate import Estimator
from arkway.admission.limits import Limits
from arkway.model.catalogue import (
    AccountSpec,
    Clocks,
    Dialect,
    KeySpec,
    ModelSpec,
    Secret,
    Snapshot,
)
from arkway.model.errors import UpstreamError
from arkway.model.key_digest import key_digest
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.parking import Parking
from arkway.pipeline import serve
from arkway.routing.health import State
from arkway.routing.pool import Pool
from arkway.work import PipelineLimits
from support.fakes import FakeLoop
from support.listener_lab import ListenerLab, answers, post

KEY, OTHER = "sk-" + "k" * 48, "sk-" + "o" * 48
MODEL = ModelSpec("Doubao", "doubao-1-250115", 1000, 100, ("alias",), Clocks())
SMALL = ModelSpec("Small", "small-1", 1000, 100)


def account(name, dialect=Dialect.OPENAI, **fields):
    return AccountSpec(name, dialect, "http://up", Secret("c"), **fields)


def key(text, **fields):
    digest = key_digest(b"", text.encode())
    return {digest: KeySpec(digest, text[3], "t-" + text[3], **fields)}


SNAPSHOT = Snapshot(
    {"Doubao": MODEL, "alias": MODEL, "Small": SMALL},
    (account("a"), account("b"), account("c")),
    key(KEY) | key(OTHER, models=frozenset({"Small"})),
)


class FakeAttempt:
    """One try that the test answers, fails or leaves alone."""

    def __init__(self, target, body, clocks, is_stream):
        self.target, self.request, self.clocks, self.is_stream = target, body, clocks, is_stream
        self.status = 0
        self.sent_s = 1.0
        self.content_type = b""
        self.retry_after_s = None
        self.failure = None
        self.sink = None
        self.has_token = False
        self.is_closed = self.is_complete = self.is_finished = self.is_paused = False
        self.is_given_up = False
        self.resumed_s = None
        self.waiter = None
        self.content = b""

    # For the pipeline.

    @types.coroutine
    def response(self, strand):
        while self.failure is None and not (
            self.is_complete or (self.status == 200 and self.is_stream)
        ):
            self.waiter = strand
            yield
        if self.failure is not None:
            raise self.failure

    @types.coroutine
    def ended(self, strand):
        while self.failure is None and not (
            self.is_finished or self.is_given_up or self.is_complete
        ):
            self.waiter = strand
            yield

    def body(self):
        assert self.is_complete
        return self.content

    def finish(self):
        self.is_finished = True
        self.wake()

    def expect_end_by(self, deadline_s):
        self.end_by_s = deadline_s

    def give_up(self):
        self.is_given_up = True
        self.wake()

    def pause(self):
        self.is_paused = True

    def resume(self, now_s):
        self.is_paused, self.resumed_s = False, now_s

    def close(self):
        self.is_closed = True
        self.waiter = self.sink = None

    # For the test.

    def answer(
        self, body=None, status=200, *, content_type=b"application/json", retry_after_s=None
    ):
        """Let a whole plain answer come."""
        self.status, self.content_type, self.retry_after_s = status, content_type, retry_after_s
        self.content = completion() if body is None else body
        self.is_complete = True
        self.wake()

    def begin(self, content_type=b"text/event-stream"):
        """Let the head of a stream come, with the first bytes still to follow."""
        self.status, self.content_type = 200, content_type
        self.wake()

    def data(self, *events):
        """Let events of a stream come, all in one read."""
        if not self.status:
            self.begin()
        if self.sink is not None:
            self.sink(b"".join(events))

    def end(self):
        """Let the response end."""
        self.is_complete = True
        self.wake()

    def be_stale(self):
        """Let the attempt's connection turn out closed."""
        error = UpstreamError("m")
        self.failure = AttemptFailed(
            Ending.AMBIGUOUS, ErrorClass.TRANSIENT, error, "r", is_stale=True
        )
        self.wake()

    def fail(self, ending=Ending.AMBIGUOUS, error_class=ErrorClass.TRANSIENT, message="m"):
        if ending is Ending.AMBIGUOUS and self.has_token:
            ending = Ending.INTERRUPTED
        self.failure = AttemptFailed(ending, error_class, UpstreamError(message), "r")
        self.wake()

    def wake(self):
        waiter, self.waiter = self.waiter, None
        if waiter is not None:
            waiter.resume()


class FakeUpstream:
    def __init__(self):
        self.attempts = []
        self.at_once = []  # what to do with each attempt as soon as it is opened
        self.refusal = None

    def open(self, target, body, lines, clocks, is_stream, wants_new=False):
        if self.refusal is not None:
            raise self.refusal
        attempt = FakeAttempt(target, body, clocks, is_stream)
        attempt.lines, attempt.wants_new = lines, wants_new
        self.attempts.append(attempt)
        if self.at_once:
            self.at_once.pop(0)(attempt)
        return attempt


class FakeLedger:
    """A ledger that takes entries at once, or when the test says so."""

    def __init__(self):
        self.is_open = True
        self.waits = False
        self.entries, self.waiting = [], []

    def append(self, entry, told=None):
        if not self.is_open:
            return False
        self.entries.append(entry)
        if told is not None:
            self.waiting.append(told)
            if not self.waits:
                self.tell()
        return True

    def tell(self, is_durable=True):
        waiting, self.waiting = self.waiting, []
        for told in waiting:
            told(is_durable)

    def check_each_hold_has_one_end(self):
        kinds = {}
        for entry in self.entries:
            kinds.setdefault((entry.request_id, entry.attempt), []).append(entry.kind == "intent")
        assert all(each == [True, False] for each in kinds.values()), kinds

    @property
    def story(self):
        """Return `(attempt, kind, outcome)` of each entry."""
        return [
            (each.attempt, str(each.kind), str(getattr(each, "outcome", "")))
            for each in self.entries
        ]


class FakePlane:
    def __init__(self, loop, snapshot, limits):
        self.snapshot, self.limits = snapshot, limits
        self.pool = Pool(b"s" * 43)
        self.parking = Parking(self.pool, loop)
        self.upstream = FakeUpstream()
        self.ledger = FakeLedger()
        self.ended, self.errors = [], []
        self.propagates = False
        self.is_draining = False
        self.logs_debug = True
        self.calls = self.drains = 0
        self.time = loop.time
        self.estimator = Estimator()
        self.key_limits = Limits()
        self.documents = None
        self.settled = []
        self.failures = []
        self.encoded = Counter()

    def unix_ms(self):
        return 1_700_000_000_000

    @property
    def booked(self):
        return [attempt.end for work in self.ended for attempt in work.ended]

    def on_call(self, work):
        self.ended.append(work)

    def on_error(self, exchange, error):
        self.errors.append(error)

    def trace_lines(self, exchange, attempt):
        return b"traceparent: %d\r\n" % attempt

    def settle(self, held, tokens, cost_nano):
        self.key_limits.settle(held, tokens, cost_nano, self.time())
        self.settled.append((tokens, cost_nano))

    def on_encoded(self, call, dialect):
        self.encoded[dialect] += 1

    def on_attempt_failed(self, exchange, target, failure, ejected):
        self.failures.append((target.account.id, failure.ending, failure.reason))


class PipelineLab(ListenerLab):
    def __init__(self, loop, snapshot=SNAPSHOT, **limits):
        self.plane = FakePlane(loop, snapshot, PipelineLimits(**limits))
        super().__init__(loop, lambda exchange: serve(exchange, self.plane))

    @property
    def attempts(self):
        return self.plane.upstream.attempts

    @property
    def last(self):
        return self.plane.upstream.attempts[-1]

    def change(self, **fields):
        self.plane.snapshot = replace(self.plane.snapshot, **fields)

    def call(self, *lines, connection=None, api_key=KEY, **fields):
        """Send a chat completion; return the caller's end of its connection."""
        return self.ask(chat(*lines, api_key=api_key, **fields), connection=connection)

    def is_out(self, target):
        """Whether the pool holds an account, or this model of it, to be out."""
        return any(
            report.account == target.account.id and report.state in (State.EJECTED, State.BROKEN)
            for report in self.plane.pool.health(self.loop.now_s)
        )

    def pass_time(self, seconds):
        """Let time pass, and what the loop was to do meanwhile be done."""
        self.loop.pass_time(seconds)
        self.loop.turn()

    def check_nothing_is_left(self):
        assert self.plane.calls == 0
        assert all(attempt.is_closed for attempt in self.attempts)
        for one in self.plane.snapshot.accounts:
            assert self.plane.pool.in_flight(one.id) == 0
        assert len(self.plane.parking) == 0
        assert not self.plane.pool.has_waiting
        self.plane.ledger.check_each_hold_has_one_end()


def chat(*lines, api_key=KEY, body=None, **fields):
    whole = {"model": "Doubao", "messages": [{"role": "user", "content": "hi"}]} | fields
    return post(
        json.dumps(whole).encode() if body is None else body,
        b"authorization: Bearer " + api_key.encode(),
        b"content-type: application/json",
        *lines,
        line=b"POST /v1/chat/completions HTTP/1.1",
    )


def get(path, api_key=KEY):
    credential = b"authorization: Bearer " + api_key.encode()
    return post(b"", credential, line=b"GET %b HTTP/1.1" % path, length=False)


def usage(prompt=9, completion=4):
    return {"prompt_tokens": prompt, "completion_tokens": completion}


def completion(content="hello", told=None, **choice):
    whole = {"choices": [{"index": 0, "message": {"content": content}} | choice]}
    return json.dumps(whole | {"usage": usage() if told is None else told or None}).encode()


def chunk(content=None, finish=None, **fields):
    delta = {} if content is None else {"content": content}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({"choices": choices} | fields).encode() + b"\n\n"


def usage_chunk(**counts):
    return b"data: " + json.dumps({"choices": [], "usage": usage(**counts)}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def error_chunk(code="InternalServiceError"):
    return b"data: " + json.dumps({"error": {"code": code, "message": "m"}}).encode() + b"\n\n"


def said(connection):
    """Return the one answer on a connection, with its JSON or its events decoded."""
    (answer,) = answers(connection)
    if answer.headers["content-type"].startswith("text/event-stream"):
        *events, rest = answer.body.split(b"\n\n")
        assert rest == b""
        assert all(event.startswith(b"data: ") for event in events)
        answer.is_done = events[-1:] == [b"data: [DONE]"]
        answer.events = [json.loads(event[6:]) for event in events if event != b"data: [DONE]"]
    else:
        answer.json = json.loads(answer.body)
    return answer


def refusal(status, code="", **fields):
    """Return what makes an attempt end with an error answer."""
    body = json.dumps({"error": {"code": code, "message": "hunter2"}}).encode()
    return lambda attempt: attempt.answer(body, status, **fields)


@contextmanager
def planes():
    """Give a function that opens planes; hold at the end that no call has left anything behind."""
    labs = []
    with FakeLoop() as loop:

        def make(*accounts, **limits):
            snapshot = replace(SNAPSHOT, accounts=accounts or SNAPSHOT.accounts)
            labs.append(PipelineLab(loop, snapshot, **limits))
            return labs[-1]

        yield make
        for lab in labs:
            lab.check_nothing_is_left()
            assert lab.front.crashes == []


def code_of(answer):
    return answer.json["error"]["code"]


def contents(answer):
    """Return the content of each choice of a stream, by index."""
    found = {}
    for event in answer.events:
        for choice in event.get("choices", ()):
            found[choice["index"]] = found.get(choice["index"], "") + choice["delta"].get(
                "content", ""
            )
    return found
