"""Tests of accounts by the running gateway: who may ask, what is done, what is told and counted."""

import io
import json
from dataclasses import replace

import pytest

from arkway.control.proof import proof
from arkway.model.call import Call
from arkway.model.catalogue import Price
from arkway.model.errors import NoHealthyAccount
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.routing.ask import Size
from arkway.routing.pool import Pool
from arkway.runtime.ops_io import OpsRequest
from arkway.runtime.plane import WorkerPlane
from arkway.runtime.trials_io import MOST_AT_ONCE, Trials
from arkway.telemetry import families
from arkway.telemetry.log_io import Log
from arkway.wire.common_body import CommonBody, CommonMessage
from arkway.work import PipelineLimits
from support.pipeline_lab import MODEL, SMALL, SNAPSHOT, FakeLedger, FakeUpstream, account, usage
from support.pipeline_lab import completion as answer

KEY = b"k" * 32
CREDENTIAL = "ark-canary+credential-0123"
PRICED = replace(MODEL, price=Price(1, "CNY", 800_000_000, 160_000_000, 2_000_000_000))
CHEAP = replace(SMALL, price=Price(2, "CNY", 1, 1, 1))


class Upstream(FakeUpstream):
    def apply(self, accounts):
        pass


class Lab:
    def __init__(self, *accounts):
        snapshot = replace(
            SNAPSHOT,
            accounts=accounts or (account("a"), account("d", is_draining=True)),
            models={"Doubao": PRICED, "alias": PRICED, "Small": CHEAP},
            revision=5,
        )
        self.stream = io.StringIO()
        self.plane = WorkerPlane(
            snapshot, PipelineLimits(), Pool(b"s" * 43), Upstream(), FakeLedger(),
            Log("info", "json", self.stream),
        )  # fmt: skip
        self.trials = Trials(self.plane, KEY)
        self.told = []

    def ask(self, query="account=a&revision=5", given=None):
        target = f"/accounts/test?{query}"
        if given is None:
            given = proof(KEY, target, self.plane.unix_ms() // 1000)
        self.trials.take(OpsRequest(target, given, lambda *told: self.told.append(told)))

    @property
    def attempts(self):
        return self.plane.upstream.attempts

    @property
    def last(self):
        return self.told[-1][1]


@pytest.fixture
def lab(loop):
    return Lab()


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("account=a", 400, "invalid_request"),
        ("account=a&revision=x", 400, "invalid_request"),
        ("revision=5", 400, "invalid_request"),
        ("account=a&revision=5&a=1&b=2&c=3", 400, "invalid_request"),
        ("account=a&revision=6", 409, "behind"),
        ("account=A&revision=5", 404, "not_served"),
        ("account=a&revision=5&model=Other", 404, "model_not_served"),
    ],
)
def test_what_cannot_be_done_is_refused(lab, query, status, code):
    lab.ask(query)

    assert [(each[0], each[1]["code"]) for each in lab.told] == [(status, code)]
    assert lab.attempts == []


@pytest.mark.parametrize("given", ["", "1.ab"])
def test_nobody_else_may_ask(lab, given):
    lab.ask(given=given)

    assert lab.told[0][0] == 403
    assert lab.plane.ledger.entries == []


def test_a_stopping_gateway_tests_nothing(lab):
    lab.plane.is_draining = True
    lab.ask()

    assert (lab.told[0][0], lab.last["code"]) == (503, "draining")


@pytest.mark.parametrize("name", ["a", "d"])
def test_an_account_is_asked_for_the_cheapest_model_also_while_it_drains(lab, name):
    lab.ask(f"account={name}&revision=4")
    lab.attempts[0].answer(answer(told=usage(8, 1)))

    ((status, told),) = lab.told
    assert status == 200
    assert (told["account"], told["model"], told["upstream_model"]) == (name, "Small", "small-1")
    assert told["is_ok"]
    assert told["booked"] == {
        "kind": "settle", "source": "upstream", "uncached": 8, "cached": 0, "created": 0,
        "output": 1, "reasoning": 0, "cost_nano": 0,
    }  # fmt: skip


def test_a_model_that_is_set_up_there_goes_before_a_cheaper_one(loop):
    lab = Lab(account("a", models={"Doubao": "ep-1"}))
    lab.ask()

    assert lab.attempts[0].target.upstream_model == "ep-1"


def test_a_model_is_named_by_its_alias_too(lab):
    lab.ask("account=a&revision=5&model=alias")
    lab.attempts[0].answer()

    assert lab.last["model"] == "Doubao"
    assert lab.last["booked"]["cost_nano"] == 9 * 800 + 4 * 2_000


def test_an_account_that_serves_nothing_is_not_asked(loop):
    lab = Lab(account("a", only_listed_models=True))
    lab.ask()

    assert lab.last["code"] == "model_not_served"


def test_a_failure_tells_code_and_class(lab):
    lab.ask()
    body = {"error": {"code": "ModelNotOpen", "message": "of account 2100000042"}}
    lab.attempts[0].answer(json.dumps(body).encode(), status=404)

    assert (lab.last["is_ok"], lab.last["ending"], lab.last["status"]) == (False, "refused", 404)
    assert (lab.last["code"], lab.last["error_class"]) == ("ModelNotOpen", "model_broken")
    assert "2100000042" not in json.dumps(lab.told) + lab.stream.getvalue()


@pytest.mark.parametrize(
    "code", [CREDENTIAL, f"bad key {CREDENTIAL}", CREDENTIAL.upper(), CREDENTIAL[:14], "x" * 200]
)
def test_a_code_that_quotes_the_credential_is_not_told(loop, code):
    one = account("a")
    lab = Lab(replace(one, credential=type(one.credential)(CREDENTIAL)))
    lab.ask()
    lab.attempts[0].answer(json.dumps({"error": {"code": code, "message": code}}).encode(), 401)

    assert lab.last["code"] == ("" if code[0] != "x" else "x" * 80)
    assert CREDENTIAL[:14].lower() not in json.dumps(lab.told).lower()


def test_what_it_used_is_counted_and_no_call_is(lab):
    lab.ask("account=a&revision=5&model=Doubao")
    lab.attempts[0].answer()
    counters = lab.plane.meter.counters()

    assert counters[families.ATTEMPTS.name] == {("a", "completed", ""): 1}
    assert counters[families.TOKENS.name] == {("Doubao", "input"): 9, ("Doubao", "output"): 4}
    assert counters[families.CALLS.name] == {}
    lab.plane.ledger.check_each_hold_has_one_end()
    (line,) = map(json.loads, lab.stream.getvalue().splitlines())
    assert (line["event"], line["ending"], line["account"]) == ("account_tested", "completed", "a")


def test_one_test_of_an_account_and_a_few_of_all_at_once(loop):
    names = [f"n{number}" for number in range(MOST_AT_ONCE + 1)]
    lab = Lab(*map(account, names))
    for name in [names[0], *names]:
        lab.ask(f"account={name}&revision=5")

    assert [told["code"] for _, told in lab.told] == ["busy", "busy"]
    assert len(lab.attempts) == MOST_AT_ONCE
    lab.attempts[0].answer()
    lab.ask(f"account={names[-1]}&revision=5")
    assert len(lab.attempts) == MOST_AT_ONCE + 1


def test_a_ledger_that_is_closed_is_said(lab):
    lab.plane.ledger.is_open = False
    lab.ask()

    assert (lab.told[0][0], lab.last["code"]) == (503, "ledger_unavailable")
    lab.plane.ledger.is_open = True
    lab.ask()
    assert len(lab.attempts) == 1


def test_a_bug_of_ours_is_told_as_one_and_ends_the_test(lab):
    lab.plane.upstream.refusal = RuntimeError(CREDENTIAL)
    lab.ask()

    assert (lab.told[0][0], lab.last["code"]) == (500, "internal_error")
    assert CREDENTIAL not in lab.stream.getvalue() + json.dumps(lab.told)
    lab.plane.ledger.check_each_hold_has_one_end()


def test_an_account_that_answers_is_tried_again_and_one_that_does_not_stays_out(lab):
    pool, now_s = lab.plane.pool, lab.plane.time()
    only = (lab.plane.snapshot.accounts[0],)
    body = CommonBody("Doubao", [CommonMessage("user", "hi")])
    call = Call(PRICED, "Doubao", False, False, 1, body, 2, None)
    ask = pool.ask(call, "t", Size(0, 0), only)
    lease = pool.choose(ask, only, now_s)
    error = NoHealthyAccount("m")
    pool.fail(lease, AttemptFailed(Ending.REFUSED, ErrorClass.BROKEN, error, "r"), now_s)

    def state():
        return next(each.state.value for each in pool.health(lab.plane.time()))

    assert state() == "broken"
    lab.ask("account=a&revision=5&model=Doubao")
    lab.attempts[0].answer(b'{"error": {"code": "AccountOverdueError"}}', status=403)
    assert state() == "broken"
    lab.ask("account=a&revision=5&model=Doubao")
    lab.attempts[1].answer()
    assert state() != "broken"
