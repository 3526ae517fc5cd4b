"""An operator's test of an account: an attempt like any other, and nobody's."""

import json

import pytest

from arkway.ledger.entry import Kind, UsageSource
from arkway.model.catalogue import Dialect
from arkway.model.errors import LedgerUnavailable, UpstreamError
from arkway.model.ids import OPERATOR, RequestId
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.trial import CLOCKS, MAX_TOKENS, trial
from arkway.work import PipelineLimits
from support.fakes import FakeStrand
from support.pipeline_lab import MODEL, SNAPSHOT, FakePlane, account, completion, usage

OUT = account("out", Dialect.ARK, models={"Doubao": "ep-1"}, is_draining=True)


class Plane(FakePlane):
    def new_id(self):
        return RequestId("id-1")


class Run:
    """A test that is under way."""

    def __init__(self, loop, ledger_waits=False):
        self.plane = Plane(loop, SNAPSHOT, PipelineLimits())
        self.ledger = self.plane.ledger
        self.ledger.waits = ledger_waits
        self.result = None
        self.strand = FakeStrand.run(self._run)

    async def _run(self, strand):
        self.result = await trial(self.plane, OUT, MODEL, strand)

    @property
    def attempt(self):
        return self.plane.upstream.attempts[-1]

    @property
    def end(self):
        return self.ledger.entries[-1]


@pytest.fixture
def run(loop):
    return Run(loop)


def test_it_asks_the_account_for_one_token_by_its_own_name_of_the_model(run):
    asked = json.loads(run.attempt.request)

    assert run.attempt.target.account is OUT
    assert asked == {
        "model": "ep-1", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": MAX_TOKENS,
    }  # fmt: skip
    assert run.attempt.clocks is CLOCKS
    assert not run.attempt.is_stream


def test_an_answer_is_settled_for_the_operator(run):
    run.attempt.answer(completion(told=usage(8, 1)))

    intent, end = run.ledger.entries
    assert (intent.key, intent.tenant, intent.account) == (OPERATOR, OPERATOR, "out")
    assert (end.kind, end.source) == (Kind.SETTLE, UsageSource.UPSTREAM)
    assert (end.uncached, end.output, end.status) == (8, 1, 200)
    assert run.result.failure is None
    assert (run.result.intent, run.result.end) == (intent, end)
    assert run.attempt.is_closed


def test_an_answer_without_counts_is_estimated(run):
    run.attempt.answer(json.dumps({"choices": [{"message": {"content": "abcdefgh"}}]}).encode())

    assert run.end.source is UsageSource.ESTIMATE
    assert run.end.uncached > 0
    assert run.end.output > 0


def test_a_refusal_owes_nothing_and_keeps_the_code_and_no_text(run):
    body = {"error": {"code": "AccountOverdueError", "message": "account 2100000042 owes"}}
    run.attempt.answer(json.dumps(body).encode(), status=403)

    assert (run.end.kind, run.end.status) == (Kind.VOID, 403)
    assert run.result.failure.error_class is ErrorClass.BROKEN
    assert run.result.upstream_code == "AccountOverdueError"
    assert "2100000042" not in repr(run.result.failure.args) + str(run.result.failure.error)


@pytest.mark.parametrize("body", [b"<html>", b'{"choices": []}'])
def test_a_200_that_is_no_answer_may_have_cost_something(run, body):
    run.attempt.answer(body)

    assert run.end.kind is Kind.UNKNOWN
    assert run.result.failure.ending is Ending.AMBIGUOUS


def test_an_account_that_cannot_be_reached_is_not_sent(run):
    run.attempt.sent_s = 0.0
    run.attempt.failure = AttemptFailed(
        Ending.NOT_SENT, ErrorClass.TRANSIENT, UpstreamError("m"), "connect failed"
    )
    run.attempt.wake()

    assert run.end.kind is Kind.VOID
    assert (run.result.failure.ending, run.result.connected_ms) == (Ending.NOT_SENT, 0)


def test_nothing_is_sent_before_the_intent_is_durable_nor_told_before_the_end_is(loop):
    run = Run(loop, ledger_waits=True)

    assert run.plane.upstream.attempts == []
    run.ledger.tell()
    run.attempt.answer(completion())
    assert run.result is None
    run.ledger.tell()
    assert run.result is not None
    run.ledger.check_each_hold_has_one_end()


def test_a_ledger_that_cannot_be_written_sends_nothing(loop):
    run = Run(loop, ledger_waits=True)
    run.ledger.tell(is_durable=False)

    assert run.plane.upstream.attempts == []
    (error,) = run.strand.endings
    assert isinstance(error, LedgerUnavailable)


def test_what_breaks_in_the_middle_is_booked_as_ours(run):
    run.strand.throw(RuntimeError("a bug"))

    assert run.end.kind is Kind.UNKNOWN
    assert run.attempt.is_closed
    run.ledger.check_each_hold_has_one_end()
