"""Does a failing account cost the caller an answer? Not before the first byte, while others work.

CONTRACT section 5, rows 10-13; the routing classes of Ark's error codes. A fresh gateway for each
case: health remembers.
"""

import time

import pytest

from support.answers import (
    ARK_ACCOUNT,
    ARK_ID,
    CLOSE,
    HANG,
    RESET,
    Pause,
    event,
    fail,
    reply,
    sse,
    steps,
    whole,
)
from support.gateway import KEY, OTHER_KEY, Gateway, accounts
from support.httpraw import Response, frames_of
from support.lab import Lab, open_lab
from support.upstream import Upstream, black_hole

QUICK = {"upstream": {"connect_s": 0.3, "first_token_s": 0.3, "between_chunks_s": 0.3}}


def text(answer: Response) -> str:
    """Return what the model said, plain or streamed."""
    if answer.header("content-type") == "application/json":
        return answer.json()["choices"][0]["message"]["content"]
    events = [frame.json() for frame in frames_of(answer.body)[:-1]]
    return "".join(item["choices"][0]["delta"].get("content") or "" for item in events)


FIRST_FAILS = {
    "500": fail(500),
    "502 of a proxy": steps(whole(502, b"<html>bad gateway</html>", ("Content-Type", "text/html"))),
    "503": fail(503, "ServiceUnavailable"),
    "429 of the account": fail(429, "ModelAccountTpmRateLimitExceeded"),
    "429 of the endpoint": fail(429, "RateLimitExceeded.EndpointRPMExceeded"),
    "429 that is a quota": fail(429, "SetLimitExceeded"),
    "401": fail(401, "AuthenticationError"),
    "403 overdue": fail(403, "AccountOverdueError"),
    "403 not open": fail(403, "OperationDenied.ServiceNotOpen"),
    "404 model": fail(404, "InvalidEndpointOrModel.NotFound"),
    "404 with an empty body": steps(whole(404, b"")),
    "400 closed endpoint": fail(400, "InvalidEndpoint.ClosedEndpoint"),
    "400 risk service failed": fail(400, "ContentSecurityDetectionError"),
    "reset after the request": steps(RESET),
    "closed after the request": steps(CLOSE),
    "reset inside the head": steps(b"HTTP/1.1 200 OK\r\nContent-", RESET),
    "an HTML page": steps(whole(200, b"<html>", ("Content-Type", "text/html"))),
    "a redirect": steps(whole(302, b"", ("Location", "/v1/elsewhere"))),
    "garbage for a head": steps(b"\0\1\2\3 garbage\r\n\r\n", CLOSE),
}
FIRST_STREAM_FAILS = {
    "reset before any event": lambda _: sse(RESET, end=False),
    "comments, then reset": lambda _: sse(b": ping\n\n", RESET, end=False),
    "a clean end without an event": lambda _: sse(),
    "an error event": lambda _: sse(event({"error": {"code": "InternalServiceError"}})),
    "an event that is no JSON": lambda _: sse(b"data: {oops\n\n"),
    "half an event": lambda _: sse(b'data: {"choices":[{"index"', CLOSE, end=False),
    "[DONE] at once": lambda _: sse(event("[DONE]")),
    "silence": steps(HANG),
    "silence after the head": lambda _: sse(HANG, end=False),
    "endless comments": lambda _: sse(*(b": ping\n\n", Pause(0.05)) * 40, end=False),
}


def cases() -> list:
    both = [
        pytest.param(answer, stream, id=f"{name}, {'stream' if stream else 'plain'}")
        for name, answer in FIRST_FAILS.items()
        for stream in (False, True)
    ]
    return both + [
        pytest.param(answer, True, id=f"{name}, stream")
        for name, answer in FIRST_STREAM_FAILS.items()
    ]


@pytest.fixture(scope="module")
def shared():
    """Two accounts; cases that leave health untouched enough to share a gateway take turns."""
    with open_lab(number_of_accounts=2, settings=QUICK) as lab:
        yield lab


@pytest.mark.parametrize(("first", "stream"), cases())
def test_the_next_account_answers_and_the_caller_sees_only_that(first, stream):
    with open_lab(number_of_accounts=2, settings=QUICK) as lab:
        prompt = lab.upstream.plan(first, reply("from the second"))
        answer = lab.gateway.chat(prompt, stream=stream)

        assert answer.status == 200, answer.body
        assert text(answer) == "from the second"
        assert answer.header("x-arkway-attempts") == "2"
        assert len({seen.account for seen in lab.upstream.seen(prompt)}) == 2
        shown = f"{answer.headers}{answer.body!r}"
        assert ARK_ACCOUNT not in shown
        assert ARK_ID not in shown


def test_an_account_that_refuses_connections():
    with open_lab(number_of_accounts=2) as lab, lab.upstream.refusing(0):
        answers = [lab.gateway.chat(lab.upstream.plan(reply("ok"))) for _ in range(10)]

    assert {answer.status for answer in answers} == {200}
    assert {answer.header("x-arkway-attempts") for answer in answers} <= {"1", "2"}


def test_an_account_that_never_connects():
    """Clock 1: connect."""
    with black_hole() as port, Upstream() as upstream:
        (good,) = accounts(upstream)
        hole = {**good, "name": "hole", "base_url": f"http://127.0.0.1:{port}/v1"}
        with Gateway({"accounts": [hole, good], **QUICK}) as gateway:
            answers = [gateway.chat(upstream.plan(reply("ok"))) for _ in range(4)]

    assert {answer.status for answer in answers} == {200}
    assert "2" in {answer.header("x-arkway-attempts") for answer in answers}


def test_connections_closed_behind_our_back_cost_nothing():
    """An idle connection that the upstream closed is replaced without an attempt of its own."""
    with open_lab() as lab:
        for _ in range(5):
            lab.gateway.chat(lab.upstream.plan(reply("warm")))
            lab.upstream.drop_idle_connections(0)
            answer = lab.gateway.chat(lab.upstream.plan(reply("after")))
            assert (answer.status, text(answer)) == (200, "after")
            assert answer.header("x-arkway-attempts") == "1"


def test_a_connection_that_dies_as_it_is_reused_costs_nothing():
    """The race no pool can avoid: the upstream closes just as our request is under way."""
    with open_lab() as lab:
        lab.gateway.chat(lab.upstream.plan(reply("warm")))
        prompt = lab.upstream.plan(steps(RESET), reply("on a fresh connection"))
        answer = lab.gateway.chat(prompt)
        first, second = lab.upstream.seen(prompt)

    assert (answer.status, text(answer)) == (200, "on a fresh connection")
    assert first.nth_on_connection > 0
    assert second.nth_on_connection == 0


# -- what must not be tried again -----------------------------------------------------------------

MODERATION, CONTEXT = {"content_policy_violation"}, {"context_length_exceeded"}
REQUEST = {"invalid_value", "invalid_type", "missing_required_parameter"}
FINAL = {
    "InvalidParameter": REQUEST,
    "InvalidParameter.max_tokens": REQUEST,
    "MissingParameter": REQUEST,
    "InvalidArgumentError.UnknownRole": REQUEST,
    "OutofContextError": CONTEXT,
    "SensitiveContentDetected": MODERATION,
    "SensitiveContentDetected.SevereViolation": MODERATION,
    "InputTextSensitiveContentDetected": MODERATION,
    "OutputTextSensitiveContentDetected.PolicyViolation": MODERATION,
    "InputTextRiskDetection": MODERATION,
}


@pytest.mark.parametrize(("code", "expected"), FINAL.items())
def test_a_fault_of_the_request_is_final(shared: Lab, code, expected):
    prompt = shared.upstream.plan(fail(400, code), reply("must not be asked"))
    answer = shared.gateway.chat(prompt)

    assert answer.status == 400
    assert answer.error["code"] in expected
    assert answer.header("x-should-retry") == "false"
    assert len(shared.upstream.seen(prompt)) == 1
    shown = f"{answer.headers}{answer.body!r}"
    assert ARK_ACCOUNT not in shown
    assert ARK_ID not in shown


@pytest.mark.parametrize("code", ["ServerOverloaded", "RequestBurstTooFast"])
def test_an_overload_of_the_whole_pool_is_not_carried_from_account_to_account(code):
    """Other accounts do not help; a short bounded wait, then 503 with `retry-after`."""
    with open_lab(number_of_accounts=3) as lab:
        prompt = lab.upstream.plan(fail(429, code))
        started_s = time.monotonic()
        answer = lab.gateway.chat(prompt)
        took_s = time.monotonic() - started_s
        asked = lab.upstream.seen(prompt)
        ready = lab.gateway.chat(lab.upstream.plan(reply("still here")))

    assert answer.status == 503
    assert answer.error["code"] in ("overloaded", "no_healthy_account")
    assert int(answer.header("retry-after")) >= 1
    assert answer.header("x-should-retry") != "false"
    assert len(asked) == 2  # once, and once more after a pause
    assert 1 < took_s < 5
    assert ready.status == 200, "nobody is ejected for it"


def test_no_more_than_three_attempts_and_one_an_account():
    with open_lab(number_of_accounts=5) as lab:
        prompt = lab.upstream.plan(fail(500))
        answer = lab.gateway.chat(prompt)
        asked = [seen.account for seen in lab.upstream.seen(prompt)]

    assert (answer.status, answer.error["code"]) == (502, "upstream_error")
    assert len(asked) == 3
    assert len(set(asked)) == 3


def test_a_broken_account_is_left_out_afterwards():
    with open_lab(number_of_accounts=3) as lab:
        prompt = lab.upstream.plan(fail(401, "AuthenticationError"), reply("ok"))
        lab.gateway.chat(prompt)
        broken = lab.upstream.seen(prompt)[0].account
        for _ in range(12):
            assert lab.gateway.chat(lab.upstream.plan(reply("ok"))).status == 200
        later = [seen.account for seen in lab.upstream.log[2:]]

    assert broken not in later


def test_a_model_not_open_on_an_account_leaves_its_other_models_alone():
    """`ModelNotOpen` is about one model of one account."""
    with open_lab(number_of_accounts=2) as lab:
        closed = lab.upstream.plan(fail(404, "ModelNotOpen"), reply("ok"))
        assert lab.gateway.chat(closed, model="Doubao-pro-32k").status == 200
        refusing = lab.upstream.seen(closed)[0].account
        for _ in range(6):
            prompt = lab.upstream.plan(reply("ok"))
            assert lab.gateway.chat(prompt, model="Doubao-pro-32k").status == 200
            assert lab.upstream.only(prompt).account != refusing
        used = set()
        for _ in range(12):
            prompt = lab.upstream.plan(reply("ok"))
            assert lab.gateway.chat(prompt, model="Doubao-1.5-lite-32k").status == 200
            used.add(lab.upstream.only(prompt).account)

    assert used == {0, 1}


def test_a_rate_limited_account_is_spared_until_its_reset():
    with open_lab(number_of_accounts=2) as lab:
        prompt = lab.upstream.plan(
            fail(429, "ModelAccountRpmRateLimitExceeded", ("Retry-After", "20")), reply("ok")
        )
        lab.gateway.chat(prompt)
        limited = lab.upstream.seen(prompt)[0].account
        later = []
        for _ in range(8):
            prompt = lab.upstream.plan(reply("ok"))
            assert lab.gateway.chat(prompt).header("x-arkway-attempts") == "1"
            later.append(lab.upstream.only(prompt).account)

    assert limited not in later


# -- conversations --------------------------------------------------------------------------------


def test_a_conversation_stays_on_its_account():
    with open_lab(number_of_accounts=4) as lab:
        homes = {}
        for conversation in ("c-1", "c-2", "c-3", "c-4", "c-5", "c-6"):
            used = set()
            for _ in range(4):
                prompt = lab.upstream.plan(reply("ok"))
                answer = lab.gateway.post(
                    {"model": "Doubao-pro-32k", "messages": [{"role": "user", "content": prompt}]},
                    headers=[("X-Conversation-Id", conversation)],
                )
                assert answer.status == 200
                used.add(lab.upstream.only(prompt).account)
            homes[conversation] = used

    assert all(len(used) == 1 for used in homes.values()), homes
    assert len(set().union(*homes.values())) > 1, "six conversations all live in one place"


def test_a_conversation_whose_home_fails_is_served_elsewhere_and_says_spill():
    headers = [("X-Conversation-Id", "c-1")]

    def ask_for(lab: Lab, *answers) -> tuple[Response, list[int]]:
        prompt = lab.upstream.plan(*answers)
        body = {"model": "Doubao-pro-32k", "messages": [{"role": "user", "content": prompt}]}
        answer = lab.gateway.post(body, headers=headers)
        return answer, [seen.account for seen in lab.upstream.seen(prompt)]

    with open_lab(number_of_accounts=3) as lab:
        _, (home,) = ask_for(lab, reply("ok"))
        settled, (again,) = ask_for(lab, reply("ok"))
        moved, (first, second) = ask_for(lab, fail(500), reply("ok"))

    assert again == home == first != second
    assert settled.header("x-arkway-affinity") == "home"
    assert moved.header("x-arkway-affinity") == "spill"


def test_two_tenants_with_one_conversation_id_need_not_meet():
    """Namespaced by tenant: over 12 ids the two tenants' homes cannot all agree by chance."""
    with open_lab(number_of_accounts=4) as lab:
        homes: dict[str, list[int]] = {KEY: [], OTHER_KEY: []}
        for number in range(12):
            for key, found in homes.items():
                prompt = lab.upstream.plan(reply("ok"))
                body = {
                    "model": "Doubao-pro-32k",
                    "messages": [{"role": "user", "content": prompt}],
                }
                named = [("X-Conversation-Id", f"shared-{number}")]
                assert lab.gateway.post(body, key=key, headers=named).status == 200
                found.append(lab.upstream.only(prompt).account)

    assert homes[KEY] != homes[OTHER_KEY]


# -- the caller's deadline ------------------------------------------------------------------------


def test_a_deadline_of_the_caller_bounds_the_attempt(shared: Lab):
    """`x-stainless-read-timeout` is what the SDKs send; total never goes beyond it."""
    prompt = shared.upstream.plan(steps(HANG))
    started_s = time.monotonic()
    body = {"model": "Doubao-pro-32k", "messages": [{"role": "user", "content": prompt}]}
    answer = shared.gateway.post(body, headers=[("X-Stainless-Read-Timeout", "0.5")])

    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    assert time.monotonic() - started_s < 2
