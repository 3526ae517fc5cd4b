import msgspec
import pytest

from arkway.control import trial_io
from arkway.control.process import Server
from arkway.control.trial_io import ANSWER_S, NotTested, ask_trial
from arkway.trial import CLOCKS
from support.gateway import free_port
from support.ops import Ops, trial_told

KEY = b"k" * 32


@pytest.fixture
def ops():
    with Ops(KEY) as ops:
        yield ops


def asked(ops, model=None):
    return ask_trial(Server(ops_port=ops.port), KEY, "main/1", model, 7)


def test_the_gateway_is_asked_once_with_a_proof(ops):
    found = asked(ops, "Doubao 1")

    assert msgspec.to_builtins(found) == trial_told()
    assert ops.trial_asks == [("/accounts/test?account=main%2F1&revision=7&model=Doubao+1", True)]
    assert found.recorded() == {
        "request_id": found.request_id, "model": "Doubao-pro-32k", "is_ok": True, "status": 200,
        "code": "",
    }  # fmt: skip


def test_a_gateway_that_is_behind_is_asked_again(ops, monkeypatch):
    monkeypatch.setattr(trial_io, "_AGAIN_S", 0.001)
    ops.trials = [(409, {"code": "behind", "message": "m"})] * 3 + [(200, trial_told())]

    assert asked(ops).is_ok
    assert len(ops.trial_asks) == 4


def test_it_is_not_asked_for_ever(ops, monkeypatch):
    monkeypatch.setattr(trial_io, "BEHIND_S", 0.0)
    ops.trials = [(409, {"code": "behind", "message": "not yet"})]

    with pytest.raises(NotTested, match="not yet") as refused:
        asked(ops)
    assert refused.value.code == "behind"
    assert len(ops.trial_asks) <= 2


@pytest.mark.parametrize("status", [404, 429, 503, 500])
def test_a_refusal_is_passed_on(ops, status):
    ops.trials = [(status, {"code": "some_word", "message": "a sentence"})]

    with pytest.raises(NotTested, match="a sentence") as refused:
        asked(ops)
    assert refused.value.code == "some_word"


def test_without_a_gateway_nothing_is_tested():
    with pytest.raises(NotTested, match=r"no gateway answers on 127\.0\.0\.1:") as refused:
        ask_trial(Server(ops_port=free_port()), KEY, "a", None, 1)
    assert refused.value.code == "no_gateway"


def test_what_answers_there_may_be_something_else(ops):
    ops.trials = [(200, ["no", "gateway"])]

    with pytest.raises(NotTested) as refused:
        asked(ops)
    assert refused.value.code == "no_answer"


def test_the_gateway_has_given_up_before_we_do():
    assert CLOCKS.total_s + 2 < ANSWER_S
