"""What does a caller of a limited key see? Over the wire, with keys made by the command line."""

import json
import time

import openai
import pytest

from support.answers import reply
from support.gateway import Gateway, accounts, ask
from support.upstream import Upstream

USED = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@pytest.fixture(scope="module")
def gateway():
    with Upstream(1) as upstream, Gateway({"accounts": accounts(upstream)}) as running:
        running.upstream = upstream
        yield running


def key_with(gateway, name, *flags):
    made = gateway.arkway("keys", "create", "--name", name, *flags, "--json")
    key = json.loads(made)["key"]
    deadline = time.monotonic() + 10  # it reaches an idle worker within a second
    while gateway.call("GET", "/v1/models", key=key).status != 200:
        assert time.monotonic() < deadline, "the key was never accepted"
        time.sleep(0.02)
    return key


def chat(gateway, key, **fields):
    prompt = gateway.upstream.plan(reply("hi", usage=USED))
    return gateway.post(ask(prompt) | fields, key=key)


def test_requests_a_minute(gateway):
    key = key_with(gateway, "rpm", "--rpm", "2")

    first, second, third = (chat(gateway, key) for _ in range(3))
    assert (first.status, second.status) == (200, 200)
    assert first.header("x-ratelimit-limit-requests") == "2"
    assert second.header("x-ratelimit-remaining-requests") == "0"
    assert (third.status, third.error["code"]) == (429, "rate_limit_exceeded")
    assert third.error["type"] == "requests"
    assert 0 < int(third.header("retry-after-ms")) <= 60_000
    assert third.header("x-should-retry") is None


def test_tokens_a_minute(gateway):
    key = key_with(gateway, "tpm", "--tpm", "100")

    statuses = [chat(gateway, key, max_tokens=50).status for _ in range(12)]
    refused = chat(gateway, key, max_tokens=50)
    assert statuses[0] == 200
    assert statuses.count(200) * 15 <= 100, "never more than the limit"
    assert (refused.status, refused.error["type"]) == (429, "tokens")


def test_a_token_limit_suspends_the_key_until_it_is_raised(gateway):
    key = key_with(gateway, "total", "--total-tokens", "60")

    assert chat(gateway, key, max_tokens=5).status == 200
    while (answer := chat(gateway, key, max_tokens=5)).status == 200:
        pass
    assert (answer.status, answer.error["code"]) == (429, "insufficient_quota")
    assert answer.header("x-should-retry") == "false"
    gateway.arkway("keys", "edit", "total", "--total-tokens", "100000")
    for _ in range(100):
        if chat(gateway, key, max_tokens=5).status == 200:
            return
    raise AssertionError("still suspended")


def test_a_budget_is_never_passed_and_the_sdk_does_not_retry(gateway):
    gateway.arkway("prices", "set", "Doubao-1.5-pro-32k", "--input", "1000", "--output", "1000")
    key = key_with(gateway, "budget", "--budget", "0.10")

    served = 0
    while (answer := chat(gateway, key, max_tokens=5)).status == 200:
        served += 1
    assert answer.error["code"] == "insufficient_quota"
    assert 1 <= served <= 6, "15 tokens at 0.001 each: six calls are 0.09"
    client = openai.OpenAI(base_url=gateway.url, api_key=key, max_retries=5)
    with pytest.raises(openai.RateLimitError) as refusal:
        client.chat.completions.create(
            model="Doubao-1.5-pro-32k",
            messages=[{"role": "user", "content": "x"}],
            max_tokens=5,
        )
    assert refusal.value.code == "insufficient_quota"


def test_what_was_used_is_in_the_ledger_and_explained(gateway):
    key = key_with(gateway, "story")
    answer = chat(gateway, key)
    request_id = answer.header("x-request-id")
    time.sleep(1.0)  # the database is half a second behind
    story = gateway.arkway("explain", request_id)
    assert "answered" in story
    assert "10 input" in story  # the price was set to 1000 a million by the test before
    assert "5 output x 1000 = 0.005" in story
    (mine,) = gateway.call("GET", "/v1/usage", key=key).json()["data"]
    assert (mine["requests"], mine["uncached_input_tokens"], mine["output_tokens"]) == (1, 10, 5)
    assert mine["model"] == "Doubao-1.5-pro-32k"
    assert gateway.call("GET", "/v1/usage?days=3", key=key).error["param"] == "query"
    usage = json.loads(gateway.arkway("usage", "--by", "key,model", "--json"))
    ids = {
        made["name"]: made["id"] for made in json.loads(gateway.arkway("keys", "list", "--json"))
    }
    (line,) = (line for line in usage if line["key"] == ids["story"])
    assert line["attempts"] == 1
    assert json.loads(gateway.arkway("ledger", "verify", "--json"))["faults"] == []
