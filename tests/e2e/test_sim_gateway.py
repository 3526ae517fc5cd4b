"""Does the real gateway serve calls from simulated Ark accounts, and do both tell the same?"""

import json
import re
import threading

import pytest

from support.gateway import Gateway
from support.httpraw import frames_of
from support.sim import Sim, directive

STILL = {"first_token_s": 0, "prefill_tokens_per_s": 0, "tokens_per_s": 0}
CALLERS, CALLS = 8, 25


@pytest.fixture(scope="module")
def pair():
    settings = {"number_of_accounts": 4, "timing": STILL, "answers": {"length": "random"}}
    with Sim(settings) as sim, Gateway({"accounts": sim.pool}, env=sim.env) as gateway:
        yield sim, gateway
        assert gateway.unhandled() == ""


def text(body, *, stream):
    if not stream:
        return json.loads(body)["choices"][0]["message"]["content"]
    frames = [frame.json() for frame in frames_of(body) if not frame.is_done]
    return "".join(c["delta"].get("content", "") for f in frames for c in f["choices"])


def test_every_caller_gets_his_own_answer_whole_and_counted_as_served(pair):
    sim, gateway = pair
    wrong, asked = [], {}

    def call(caller):
        for n in range(CALLS):
            mark, stream = f"c{caller}-{n}", bool(n % 2)
            more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
            answer = gateway.chat(f"hello {directive(echo=mark)}", **more)
            words = re.findall(r"\d{3} ", text(answer.body, stream=stream).removeprefix(mark))
            if not text(answer.body, stream=stream).startswith(mark):
                wrong.append((mark, answer.body))
            if [int(word) for word in words] != list(range(len(words))):
                wrong.append((mark, answer.body))
            last = frames_of(answer.body)[-2].json() if stream else answer.json()
            asked[mark] = (answer.header("x-request-id"), last["usage"])

    callers = [threading.Thread(target=call, args=(n,)) for n in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    lines = {line["echo"]: line for line in sim.log() if line["echo"]}

    assert wrong == []
    assert len(asked) == CALLERS * CALLS
    assert set(lines) == set(asked)
    for mark, (request_id, usage) in asked.items():
        line = lines[mark]
        assert (line["outcome"], line["client_request_id"]) == ("answered", request_id)
        assert line["prompt_tokens"] == usage["prompt_tokens"]
        assert line["completion_tokens"] == usage["completion_tokens"]
    assert len({line["account"] for line in lines.values()}) == 4
    assert all(line["asked_model"].startswith("ep-") for line in lines.values())


def test_a_conversation_is_warm_and_the_caller_sees_it(pair):
    _, gateway = pair
    prompt = "x" * 4 * 2_048
    headers = [("X-Conversation-Id", "one")]
    cached = []
    for _ in range(3):
        body = {"model": "Doubao-1.5-pro-32k", "messages": [{"role": "user", "content": prompt}]}
        usage = gateway.post(body, headers=headers).json()["usage"]
        cached.append(usage["prompt_tokens_details"]["cached_tokens"])

    assert cached == [0, 2_048, 2_048]


def test_an_account_that_fails_is_gone_round_and_no_account_id_leaks(pair):
    sim, gateway = pair
    before = len(sim.log())
    sim.set_faults({"kind": "error", "code": "ServerOverloaded"})
    refused = gateway.chat("hello")
    sim.set_faults({"kind": "error", "code": "AccountOverdueError", "accounts": ["ark-1"]})
    answers = [gateway.chat("hello") for _ in range(8)]
    sim.control("DELETE", "/faults")
    lines = sim.log()[before:]

    assert refused.status in (429, 503)
    assert "21000000" not in refused.body.decode()
    assert "Request id: 02" not in refused.body.decode()
    assert [answer.status for answer in answers] == [200] * 8
    assert [line["account"] for line in lines if line["outcome"] == "answered"].count("ark-1") == 0
