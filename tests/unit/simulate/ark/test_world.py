import json

import pytest

from arkway.simulate.ark.settings import settings_of
from arkway.simulate.ark.world import Answer, Refused, Struck, World

MODEL = "doubao-1-5-pro-32k-250115"
STILL = {"first_token_s": 0, "prefill_tokens_per_s": 0, "tokens_per_s": 0}


class Lab:
    def __init__(self, **settings):
        self.world = World(settings_of({"timing": STILL, **settings}))
        self.states = list(self.world.states.values())

    def ask(self, prompt="hello", account=0, now_s=0.0, **fields):
        message = {"role": "user", "content": prompt}
        body = {"model": MODEL, "messages": [message], **fields}
        return self.send(
            {name: value for name, value in body.items() if value != "-"}, now_s, account
        )

    def send(self, body, now_s=0.0, account=0):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.world.ask(self.states[account].account.key, None, raw, now_s)

    def code(self, *args, **fields):
        found = self.ask(*args, **fields)
        assert type(found) is Refused, found
        return found.refusal.code


def test_an_answer():
    answer = Lab().ask("abcdefgh", max_tokens=100)

    assert (answer.prompt_tokens, answer.cached_tokens, answer.tokens) == (2, 0, 32)
    assert (answer.finish, answer.is_stream, answer.model.id) == ("stop", False, MODEL)


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_wrong_key(key):
    found = Lab().world.ask(key, None, b"{}", 0.0)

    assert (found.refusal.status, found.refusal.code) == (401, "AuthenticationError")


def test_a_key_at_another_accounts_port():
    lab = Lab(number_of_accounts=2)
    found = lab.world.ask(lab.states[0].account.key, lab.states[1], b"{}", 0.0)

    assert found.refusal.code == "AuthenticationError"
    assert "2100000002" in found.refusal.message


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"model": "-"}, "MissingParameter", "model"),
        ({"messages": "-"}, "MissingParameter", "messages"),
        ({"messages": []}, "MissingParameter", "messages"),
        (
            {"messages": [{"role": "developer", "content": "x"}]},
            "InvalidParameter",
            "messages.role",
        ),
        ({"messages": [{"role": "assistant", "content": ""}]}, "InvalidParameter", None),
        ({"messages": "text"}, "InvalidParameter", None),
        ({"max_tokens": 20_000}, "InvalidParameter", "max_tokens"),
        ({"max_tokens": -1}, "InvalidParameter", "max_tokens"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "InvalidParameter", None),
        ({"prompt": "x" * 600_000}, "InvalidParameter", "messages"),
        ({"prompt": "[[sim tokens=x]]"}, "InvalidParameter", "messages"),
        ({"model": "sim-fault-nonsense"}, "InvalidParameter", None),
        ({"model": "sim-fault-refuse"}, "InvalidParameter", None),
        ({"model": "gpt-4"}, "InvalidEndpointOrModel.NotFound", ""),
    ],
)
def test_requests_that_cannot_be(fields, code, param):
    found = Lab().ask(**fields)

    assert found.refusal.code == code
    assert param is None or found.refusal.param == param


def test_no_json():
    assert Lab().send(b"{").refusal.code == "InvalidParameter"


def test_endpoints_are_an_accounts_own():
    lab = Lab(number_of_accounts=2)
    endpoint = next(iter(lab.states[0].account.endpoints))

    assert lab.ask(model=endpoint).model.id == MODEL
    assert lab.code(model=endpoint, account=1) == "InvalidEndpointOrModel.NotFound"


def test_models_that_are_not_open_or_must_be_named_by_endpoint():
    lite = "doubao-1-5-lite-32k-250115"
    lab = Lab(accounts=[{"name": "a", "not_open": [lite], "takes_model_ids": False}])

    assert lab.code(model=lite) == "ModelNotOpen"
    assert lab.code() == "InvalidEndpointOrModel.ModelIDAccessDisabled"
    assert type(lab.ask(model=next(iter(lab.states[0].account.endpoints)))) is Answer


@pytest.mark.parametrize(
    ("answers", "fields", "tokens", "finish"),
    [
        ({"tokens": 7}, {}, 7, "stop"),
        ({"tokens": 7}, {"max_tokens": 5}, 5, "length"),
        ({"tokens": 7}, {"max_tokens": 7}, 7, "length"),
        ({"length": "max_tokens"}, {"max_tokens": 5}, 5, "length"),
        ({"length": "max_tokens"}, {}, 4_096, "stop"),
        ({}, {"prompt": "[[sim tokens=3]]"}, 3, "stop"),
        ({}, {"prompt": "[[sim tokens=9999999]]"}, 4_096, "length"),
        ({}, {"prompt": "[[sim tokens=3 finish=content_filter]]"}, 3, "content_filter"),
    ],
)
def test_how_long_an_answer_is(answers, fields, tokens, finish):
    answer = Lab(answers=answers).ask(**fields)

    assert (answer.tokens, answer.finish) == (tokens, finish)


def test_random_lengths_follow_prompt_and_seed():
    random = {"length": "random", "min_tokens": 10, "max_tokens": 20}
    lengths = [Lab(answers=random).ask(f"prompt {n}").tokens for n in range(200)]

    assert lengths == [Lab(answers=random).ask(f"prompt {n}").tokens for n in range(200)]
    assert set(lengths) == set(range(10, 21))
    other = [Lab(answers=random, seed=5).ask(f"prompt {n}").tokens for n in range(200)]
    assert lengths != other


def test_timing_skips_what_is_cached():
    timing = {"first_token_s": 0.5, "prefill_tokens_per_s": 1_000, "tokens_per_s": 50}
    lab = Lab(timing=timing, accounts=[{"name": "a"}, {"name": "slow", "slowness": 2}])
    prompt = "x" * 4 * 2_100

    first = lab.ask(prompt)
    lab.world.first_token(first, 0.0)
    again = lab.ask(prompt, now_s=1.0)
    slow = lab.ask(prompt, account=1)

    assert first.first_token_s == pytest.approx(0.5 + 2.1)
    assert (again.cached_tokens, again.first_token_s) == (2_048, pytest.approx(0.5 + 0.052))
    assert (slow.first_token_s, slow.tokens_per_s) == (pytest.approx(5.2), 25)


def test_a_prompt_is_cached_from_its_first_token_on_and_on_that_account_only():
    lab = Lab(number_of_accounts=2)
    prompt = "x" * 4 * 1_024
    first = lab.ask(prompt)

    assert lab.ask(prompt).cached_tokens == 0
    lab.world.first_token(first, 0.0)
    assert lab.ask(prompt).cached_tokens == 1_024
    assert lab.ask(prompt, account=1).cached_tokens == 0
    assert lab.ask(prompt, model="doubao-pro-32k-241215").cached_tokens == 0
    assert lab.ask(prompt, now_s=301.0).cached_tokens == 0


def test_no_cache():
    lab = Lab(cache={"enabled": False})
    prompt = "x" * 4 * 1_024
    lab.world.first_token(lab.ask(prompt), 0.0)

    assert lab.ask(prompt).cached_tokens == 0


def test_limits_hold_an_estimate_until_the_end():
    lab = Lab(limits={"tokens_per_min": 1_000}, estimated_output_tokens=500)
    first = lab.ask("x" * 400, max_tokens=4_000)  # 100 + 500

    assert lab.code("x" * 400, max_tokens=4_000) == "ModelAccountTpmRateLimitExceeded"
    small = lab.ask("x" * 400, max_tokens=300)  # a smaller max_tokens holds less: exactly the rest
    lab.world.end(first, 32, has_left=False)

    assert type(small) is Answer
    assert lab.states[0].gates[MODEL].used(0.0) == (2, 132 + 400)


def test_limits_are_by_account_and_model():
    lab = Lab(
        accounts=[
            {"name": "a", "limits": {"requests_per_min": 1}},
            {"name": "b", "model_limits": {MODEL: {"in_flight": 1}}},
        ]
    )
    assert type(lab.ask()) is Answer
    assert lab.code() == "ModelAccountRpmRateLimitExceeded"
    assert type(lab.ask(model="doubao-pro-32k-241215")) is Answer
    assert type(lab.ask(account=1)) is Answer
    assert lab.code(account=1) == "InflightBatchsizeExceeded"


def test_counters():
    lab = Lab()
    for has_left in (False, True):
        lab.world.end(lab.ask("abcd"), 5, has_left=has_left)
    lab.world.end(lab.ask("abcd [[sim fault=cut]]"), 3, has_left=False)
    lab.ask(model="gpt")
    lab.ask("[[sim fault=hang]]")
    state = lab.states[0]

    assert (state.requests, state.answered, state.left, state.struck) == (5, 1, 1, 2)
    assert state.refused == {"InvalidEndpointOrModel.NotFound": 1}
    assert (state.prompt_tokens, state.completion_tokens) == (1 + 1 + 6, 13)


def test_faults_by_directive_model_and_rule():
    lab = Lab(faults=[{"kind": "stall", "stream": True}])

    assert lab.ask("[[sim fault=cut]]", stream=True).fault.kind == "cut"
    assert lab.ask(model="sim-fault-bad_json", stream=True).fault.kind == "bad_json"
    assert lab.ask(stream=True).fault.kind == "stall"
    assert lab.ask().fault is None


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [("sim-fault-503", 503, ""), ("sim-fault-ServerOverloaded", None, "ServerOverloaded")],
)
def test_errors_by_model_name(model, status, code):
    found = Lab().ask(model=model)

    assert type(found) is Struck
    assert (found.fault.kind, found.fault.status, found.fault.code) == ("error", status, code)


def test_a_fault_in_the_place_of_an_answer_uses_up_no_limit():
    lab = Lab(limits={"requests_per_min": 1}, faults=[{"kind": "hang", "at_most": 3}])

    assert [type(lab.ask()) for _ in range(5)] == [Struck] * 3 + [Answer, Refused]


def test_tools():
    tools = [{"type": "function", "function": {"name": "look"}}]
    answer = Lab().ask("[[sim finish=tool_calls tokens=2]]", tools=tools)

    assert (answer.tool, answer.finish) == ("look", "tool_calls")


def test_all_accounts_share_one_pool_of_machines():
    lab = Lab(number_of_accounts=2, models=[{"id": MODEL, "shared_in_flight": 2}])
    first = lab.ask()
    lab.ask(account=1)

    assert [lab.code(account=n) for n in (0, 1)] == ["ServerOverloaded"] * 2
    lab.world.end(first, 1, has_left=False)
    assert type(lab.ask(account=1)) is Answer
