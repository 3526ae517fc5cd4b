"""The life of a call, from the caller's bytes to the caller's bytes, over fake attempts."""

import json

import pytest
from hypothesis import given, settings

from arkway.admission.estimate import INITIAL_TOKENS_PER_BYTE
from arkway.model.catalogue import Dialect
from arkway.model.errors import UpstreamError
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from support.fakes import FakeLoop
from support.pipeline_lab import (
    KEY,
    OTHER,
    SNAPSHOT,
    PipelineLab,
    account,
    chat,
    chunk,
    code_of,
    completion,
    get,
    key,
    refusal,
    said,
)
from support.strategies import texts

# Before a call.


def test_each_route_has_its_own_refusals(lab):
    for request, status, code in (
        (get(b"/v1/nothing"), 404, "unknown_url"),
        (get(b"/v1/chat/completions"), 405, "method_not_allowed"),
        (get(b"/v1/models", "nobody-holds-this"), 401, "invalid_api_key"),
        (chat(api_key="nobody-holds-this"), 401, "invalid_api_key"),
        (chat().replace(b"authorization", b"x-a"), 401, "missing_api_key"),
        (chat().replace(b"application/json", b"text/plain"), 415, "unsupported_media_type"),
        (chat(body=b"{"), 400, "invalid_json"),
        (chat(model="none"), 404, "model_not_found"),
        (chat(n=0), 400, "invalid_value"),
    ):
        answer = said(lab.ask(request))
        assert (answer.status, code_of(answer)) == (status, code)
        assert answer.headers["x-should-retry"] == "false"
    assert lab.attempts == []


def test_models_are_those_a_key_may_use(lab):
    everything = said(lab.ask(get(b"/v1/models"))).json
    assert everything["object"] == "list"
    assert [model["id"] for model in everything["data"]] == ["Doubao", "Small"]
    assert [m["id"] for m in said(lab.ask(get(b"/v1/models", OTHER))).json["data"]] == ["Small"]


def test_a_model_is_found_by_its_name_and_by_its_alias(lab):
    one = said(lab.ask(get(b"/v1/models/Doubao"))).json
    assert one == {
        "id": "Doubao",
        "object": "model",
        "created": 1736899200,
        "owned_by": "bytedance",
    }
    assert said(lab.ask(get(b"/v1/models/alias"))).json == one
    for path, api_key in ((b"none", KEY), (b"Doubao", OTHER), (b"alias", OTHER), (b"doubao", KEY)):
        assert code_of(said(lab.ask(get(b"/v1/models/" + path, api_key)))) == "model_not_found"


def test_a_key_is_known_by_what_it_is_not_by_where_it_comes_from(lab):
    it = lab.connect()
    for api_key, status in ((KEY, 200), (KEY, 200), (OTHER, 404), (KEY, 200), ("no" * 9, 401)):
        answer = said(lab.ask(get(b"/v1/models/Doubao", api_key), connection=it))
        assert answer.status == status


def test_a_key_that_was_revoked_is_refused_on_a_connection_that_knew_it(lab):
    it = lab.ask(get(b"/v1/models"))
    assert said(it).status == 200

    lab.change(keys=key(OTHER))
    assert code_of(said(lab.ask(get(b"/v1/models"), connection=it))) == "invalid_api_key"


def test_a_second_credential_is_refused_on_a_connection_that_knew_the_first(lab):
    it = lab.ask(get(b"/v1/models"))
    assert said(it).status == 200
    twice = get(b"/v1/models").replace(b"host: h", b"authorization: Bearer x\r\nhost: h")

    assert said(lab.ask(twice, connection=it)).status == 401


def test_while_draining_no_call_begins(lab):
    lab.plane.is_draining = True

    answer = said(lab.call())

    assert (answer.status, code_of(answer)) == (503, "draining")
    assert answer.headers["retry-after"] == "1"
    assert said(lab.ask(get(b"/v1/models"))).status == 200


def test_calls_in_progress_are_bounded(planes):
    lab = planes(max_in_flight=2)
    first, _ = lab.call(), lab.call()

    refused = said(lab.call())
    assert (refused.status, code_of(refused)) == (503, "overloaded")
    for attempt in lab.attempts:
        attempt.answer()
    lab.loop.turn()
    assert said(first).status == 200
    assert said(lab.ask(get(b"/v1/models"))).status == 200
    lab.call()
    lab.last.answer()


def test_a_model_that_no_account_serves(planes):
    answer = said(planes(account("x", only_listed_models=True)).call())

    assert (answer.status, code_of(answer)) == (503, "no_healthy_account")
    assert answer.headers["retry-after"] == "5"


def test_a_prompt_clearly_beyond_the_window_is_refused_here(lab):
    size = int(1250 / INITIAL_TOKENS_PER_BYTE)  # over 1.25 times a window of 1000 tokens
    message = {"role": "user", "content": "x" * (size + 10)}

    answer = said(lab.call(messages=[message]))

    assert (answer.status, code_of(answer)) == (400, "context_length_exceeded")
    assert lab.attempts == []
    lab.call(messages=[message | {"content": "x" * size}])
    lab.last.answer()


# A plain call.


def test_a_plain_call(lab):
    it = lab.call(temperature=0.5)
    assert it.take() == b""
    assert json.loads(lab.last.request) == {
        "model": "doubao-1-250115",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.5,
    }
    assert not lab.last.is_stream
    assert lab.last.lines == b"x-client-request-id: id-1\r\n"
    lab.loop.now_s += 0.25

    lab.last.answer()
    lab.loop.turn()

    answer = said(it)
    assert answer.status == 200
    assert answer.json == {
        "id": "chatcmpl-id1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "Doubao",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 4,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }
    assert answer.headers["openai-processing-ms"] == "250"
    assert answer.headers["x-arkway-affinity"] == "none"
    assert answer.headers["x-arkway-attempts"] == "1"
    assert "x-arkway-upstream" not in answer.headers
    assert not it.is_closing()


@given(texts)
@settings(max_examples=25)
def test_any_content_arrives(content):
    with FakeLoop() as loop:
        lab = PipelineLab(loop)
        it = lab.call()
        lab.last.answer(completion(content))
        loop.turn()
        assert said(it).json["choices"][0]["message"]["content"] == content


def test_an_answer_carries_the_name_that_was_asked_for(lab):
    it = lab.call(model="alias")
    lab.last.answer()
    lab.loop.turn()

    assert said(it).json["model"] == "alias"


def test_an_answer_without_usage_has_none(lab):
    it = lab.call()
    lab.last.answer(completion(told={}))
    lab.loop.turn()

    assert "usage" not in said(it).json


def test_a_stand_in_is_unmistakable(planes):
    lab = planes(account("local", Dialect.LOCAL))
    it = lab.call()
    lab.last.answer()
    lab.loop.turn()

    assert said(it).headers["x-arkway-upstream"] == "local"


def test_a_conversation_sees_where_it_was_served(lab):
    homes, seen = set(), []
    for _ in range(3):
        it = lab.call(b"x-conversation-id: c1")
        lab.last.answer()
        lab.loop.turn()
        homes.add(lab.last.target.account.id)
        seen.append(said(it).headers["x-arkway-affinity"])
    assert seen == ["new", "home", "home"]
    assert len(homes) == 1

    it = lab.call(b"x-conversation-id: c1")
    lab.last.fail(Ending.NOT_SENT)
    lab.last.answer()
    lab.loop.turn()
    answer = said(it)
    assert answer.headers["x-arkway-affinity"] == "spill"
    assert answer.headers["x-arkway-attempts"] == "2"


def test_prompts_teach_how_long_tokens_are(lab):
    for size in (100, 400):
        lab.call(messages=[{"role": "user", "content": "x" * size}])
        lab.last.answer(completion(told={"prompt_tokens": 120, "completion_tokens": 1}))
    lab.loop.turn()

    assert lab.plane.estimator.ratio(SNAPSHOT.models["Doubao"]).tokens_per_byte == 120 / 400
    assert (
        lab.plane.estimator.ratio(SNAPSHOT.models["Small"]).tokens_per_byte
        == INITIAL_TOKENS_PER_BYTE
    )


def test_a_request_body_is_encoded_once_for_all_tries(planes):
    lab = planes(account("a"), account("b"), account("c", Dialect.ARK))
    lab.call(seed=7)
    lab.last.fail(Ending.NOT_SENT)
    lab.last.fail(Ending.NOT_SENT)
    lab.last.answer()

    bodies = {a.target.account.id: a.request for a in lab.attempts}
    assert b'"seed":7' in bodies["a"]
    assert bodies["a"] is bodies["b"]
    assert b"seed" not in bodies["c"]
    assert lab.plane.encoded == {Dialect.OPENAI: 1, Dialect.ARK: 1}


# Other accounts.


HOPPING = {
    "not sent": lambda attempt: attempt.fail(Ending.NOT_SENT),
    "lost": lambda attempt: attempt.fail(Ending.AMBIGUOUS),
    "401": refusal(401),
    "403": refusal(403),
    "404": refusal(404),
    "429": refusal(429),
    "500": refusal(500),
    "502 with HTML": lambda attempt: attempt.answer(b"<html>", 502, content_type=b"text/html"),
    "a redirect": refusal(302),
    "204": lambda attempt: attempt.answer(b"", 204),
    "no JSON": lambda attempt: attempt.answer(b"<html>"),
    "no message": lambda attempt: attempt.answer(b"{}"),
    "an error with status 200": lambda attempt: attempt.answer(b'{"error":{"code":"X"}}'),
    "closed endpoint": refusal(400, "InvalidEndpoint.ClosedEndpoint"),
}


@pytest.mark.parametrize("go_wrong", HOPPING.values(), ids=HOPPING)
def test_a_failure_before_the_first_byte_goes_on_to_the_next_account(lab, go_wrong):
    it = lab.call()
    for _ in range(2):
        go_wrong(lab.last)
        assert it.take() == b""
    lab.last.answer()
    lab.loop.turn()

    answer = said(it)
    assert answer.status == 200
    assert answer.headers["x-arkway-attempts"] == "3"
    assert sorted(attempt.target.account.id for attempt in lab.attempts) == ["a", "b", "c"]
    assert len(lab.plane.failures) == 2
    assert [attempt.is_closed for attempt in lab.attempts] == [True] * 3


@pytest.mark.parametrize("go_wrong", HOPPING.values(), ids=HOPPING)
def test_when_no_account_is_left_the_caller_learns_why_and_no_more(lab, go_wrong):
    it = lab.call()
    for _ in range(3):
        go_wrong(lab.last)
    lab.loop.turn()

    answer = said(it)
    assert answer.status in (429, 502, 503)
    assert answer.json["error"]["type"] == "server_error"
    assert "x-should-retry" not in answer.headers
    assert "hunter2" not in str(answer.json)
    assert len(lab.attempts) == 3


def test_attempts_are_bounded(planes):
    lab = planes(max_attempts=2)
    it = lab.call()
    for _ in range(2):
        lab.last.fail()
    lab.loop.turn()

    assert said(it).status == 502
    assert len(lab.attempts) == 2


@pytest.mark.parametrize(
    ("status", "code", "seen"),
    [
        (400, "InvalidParameter", (400, "invalid_value")),
        (413, "", (400, "invalid_value")),
        (400, "SensitiveContentDetected", (400, "content_policy_violation")),
        (400, "OutofContextError", (400, "context_length_exceeded")),
    ],
)
def test_what_another_account_would_not_cure_is_told_at_once(lab, status, code, seen):
    it = lab.call()
    refusal(status, code)(lab.last)
    lab.loop.turn()

    answer = said(it)
    assert (answer.status, code_of(answer)) == seen
    assert len(lab.attempts) == 1


def test_an_overload_of_the_pool_is_waited_out_where_it_is(lab):
    it = lab.call()
    refusal(429, "ServerOverloaded")(lab.last)
    assert len(lab.attempts) == 1  # every account would say the same
    lab.pass_time(3.0)
    assert len(lab.attempts) == 2
    lab.last.answer()
    lab.loop.turn()

    answer = said(it)
    assert (answer.status, answer.headers["x-arkway-attempts"]) == (200, "2")
    assert not any(lab.is_out(each.target) for each in lab.attempts)


def test_an_overload_that_lasts_is_told(lab):
    it = lab.call()
    for _ in range(2):
        refusal(429, "ServerOverloaded")(lab.last)
        lab.pass_time(30.0)

    answer = said(it)
    assert (answer.status, code_of(answer)) == (503, "overloaded")
    assert "retry-after" in answer.headers
    assert len(lab.attempts) == 2


def test_when_all_are_limited_the_soonest_reset_is_told(lab):
    it = lab.call()
    for seconds in (30.0, 7.0, 20.0):
        refusal(429, retry_after_s=seconds)(lab.last)
    lab.loop.turn()

    answer = said(it)
    assert (answer.status, code_of(answer)) == (429, "accounts_exhausted")
    assert answer.headers["retry-after"] == "7"


def test_limits_alone_cost_a_call_no_more_than_its_wait(planes):
    lab = planes(*(account(name) for name in "abcde"))
    it = lab.call()
    for _ in range(4):
        refusal(429, retry_after_s=9.0)(lab.last)
    lab.last.answer()
    lab.loop.turn()

    answer = said(it)
    assert (answer.status, answer.headers["x-arkway-attempts"]) == (200, "5")
    assert len({each.target.account.id for each in lab.attempts}) == 5


def test_an_account_that_left_the_configuration_is_passed_over(lab):
    lab.plane.upstream.refusal = AttemptFailed(
        Ending.NOT_SENT, ErrorClass.TRANSIENT, UpstreamError("gone"), "left"
    )

    answer = said(lab.call())

    assert (answer.status, code_of(answer)) == (502, "upstream_error")
    assert len(lab.plane.failures) == 3


def test_what_broke_an_account_ejects_it(lab):
    lab.call(b"x-conversation-id: c")
    broken = lab.last.target
    refusal(401, "AuthenticationError")(lab.last)
    lab.last.answer()

    assert lab.is_out(broken)
    lab.call(b"x-conversation-id: c")
    assert lab.last.target != broken
    lab.last.answer()


# The caller's deadline.


@pytest.mark.parametrize(
    ("stream", "said_s", "first_s", "plain_s", "total_s"),
    [
        (False, b"7", 120.0, 7.0, 7.0),
        (True, b"7", 7.0, 300.0, 900.0),
        (False, b"5000", 120.0, 300.0, 900.0),
        (True, b"5000", 120.0, 300.0, 900.0),
        (False, b"never", 120.0, 300.0, 900.0),
    ],
)
def test_the_clocks_of_an_attempt_are_cut_to_the_callers(
    lab, stream, said_s, first_s, plain_s, total_s
):
    lab.call(b"x-stainless-read-timeout: " + said_s, stream=stream)
    clocks = lab.last.clocks

    assert (clocks.first_token_s, clocks.plain_answer_s, clocks.total_s) == (
        first_s,
        plain_s,
        total_s,
    )
    lab.last.fail()
    lab.last.fail()
    lab.last.fail()


def test_a_second_attempt_gets_what_the_first_has_left(lab):
    lab.call(b"x-stainless-read-timeout: 7")
    lab.loop.now_s += 5
    lab.last.fail()

    assert lab.last.clocks.plain_answer_s == 2.0
    lab.last.answer()


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_is_sent_for_a_caller_who_has_stopped_waiting(lab, stream):
    it = lab.call(b"x-stainless-read-timeout: 7", stream=stream)
    lab.loop.now_s += 7
    lab.last.fail()
    lab.loop.turn()

    answer = said(it)
    assert (answer.status, code_of(answer)) == (504, "upstream_timeout")
    assert len(lab.attempts) == 1
    target = lab.last.target
    assert not lab.is_out(target)


def test_a_stream_that_has_begun_has_met_its_deadline(lab):
    it = lab.call(b"x-stainless-read-timeout: 7", stream=True)
    lab.last.data(chunk("a"))
    lab.loop.now_s += 60
    lab.last.fail()
    lab.loop.turn()

    *_, last = said(it).events
    assert last["error"]["code"] == "upstream_stream_interrupted"


def test_a_deadline_that_passed_during_the_upload_is_not_dispatched(lab):
    whole = chat(b"x-stainless-read-timeout: 2")
    it = lab.ask(whole[:-5])
    lab.loop.now_s += 3
    lab.ask(whole[-5:], connection=it)

    assert said(it).status == 504
    assert lab.attempts == []


# A reused connection that had closed.


def test_what_a_closed_connection_may_have_carried_is_booked_and_asked_anew_there(lab):
    it = lab.call()
    first = lab.last
    first.be_stale()
    assert lab.last.wants_new
    assert lab.last.target == first.target
    lab.last.answer()
    lab.loop.turn()

    assert said(it).headers["x-arkway-attempts"] == "2"
    assert lab.plane.ledger.story == [
        (1, "intent", ""),
        (1, "unknown", "ambiguous"),
        (2, "intent", ""),
        (2, "settle", "completed"),
    ]
    assert not lab.is_out(first.target)


def test_it_counts_neither_as_a_retry_nor_against_the_account(lab):
    refused = lab.plane.pool.retries
    it = lab.call()
    lab.last.be_stale()
    for _ in range(3):
        lab.last.fail()
    lab.loop.turn()

    assert said(it).status == 502
    assert len(lab.attempts) == 4  # the three that there may be, and the one that was replaced
    assert refused.refused == 0


def test_a_connection_is_replaced_once(lab):
    it = lab.call()
    first = lab.last
    first.be_stale()
    lab.last.be_stale()
    assert lab.last.target != first.target
    lab.last.answer()
    lab.loop.turn()

    assert said(it).status == 200
