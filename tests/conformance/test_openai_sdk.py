"""Does the official Python SDK work as its users expect, answers and errors alike?

Retries are counted as requests that leave the SDK; its sleeping is replaced by a note of how long
it would have slept, so `retry-after` is checked without waiting.
"""

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from support.answers import (
    CLOSE,
    DONE,
    HANG,
    RESET,
    SHAPES,
    USAGE,
    Gate,
    fail,
    reply,
    sse,
    steps,
    streamed,
)
from support.gateway import DISABLED_KEY, KEY, MODEL, Gateway, accounts, ask
from support.lab import Lab, open_lab
from support.upstream import Upstream

openai = pytest.importorskip("openai")


@dataclass
class Traffic:
    """What the SDK did: requests sent, and how long it would have slept between them."""

    requests: int = 0
    sleeps_s: list[float] = field(default_factory=list)


class _NotSleeping:
    """The `time` module as the SDK sees it."""

    def __init__(self, sleeps_s: list[float]) -> None:
        self.sleep = sleeps_s.append

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@pytest.fixture
def traffic(monkeypatch) -> Traffic:
    traffic = Traffic()
    monkeypatch.setattr("openai._base_client.time", _NotSleeping(traffic.sleeps_s))
    return traffic


@contextlib.contextmanager
def client_of(gateway: Gateway, traffic: Traffic | None = None, **options: Any) -> Iterator[Any]:
    def count(_: object) -> None:
        if traffic is not None:
            traffic.requests += 1

    http = openai.DefaultHttpxClient(event_hooks={"request": [count]})
    with openai.OpenAI(
        **{"api_key": KEY, "base_url": gateway.url, "http_client": http, "timeout": 10, **options}
    ) as client:
        yield client


@pytest.fixture
def client(lab: Lab) -> Iterator[Any]:
    with client_of(lab.gateway) as client:
        yield client


# -- answers ---------------------------------------------------------------------------------------


def test_a_plain_answer(lab: Lab, client):
    prompt = lab.upstream.plan(reply("Hello"))
    answer = client.chat.completions.create(**ask(prompt), temperature=0.5)

    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == MODEL
    assert answer.usage.to_dict() == USAGE
    assert answer._request_id
    assert lab.upstream.only(prompt).json["temperature"] == 0.5


def test_a_stream(lab: Lab, client):
    prompt = lab.upstream.plan(reply("Hel", "lo"))
    chunks = list(client.chat.completions.create(**ask(prompt, stream=True)))

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_the_stream_helper_accumulates(lab: Lab, client):
    prompt = lab.upstream.plan(reply("Hel", "lo"))
    with client.chat.completions.stream(**ask(prompt)) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_completion()

    assert answer.choices[0].message.content == "Hello"
    assert "content.delta" in kinds


def test_three_plain_choices(lab: Lab, client):
    prompt = lab.upstream.plan(*(reply(f"choice {i}") for i in range(3)))
    answer = client.chat.completions.create(**ask(prompt), n=3)

    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert {choice.message.content for choice in answer.choices} == {
        "choice 0",
        "choice 1",
        "choice 2",
    }
    assert answer.usage.prompt_tokens == USAGE["prompt_tokens"]
    assert answer.usage.completion_tokens == 3 * USAGE["completion_tokens"]


@pytest.mark.parametrize("usage", [False, True])
def test_three_streamed_choices_interleave(lab: Lab, client, usage):
    gates = [Gate(), Gate(), Gate()]

    def branch(gate: Gate) -> Callable:
        def answer(seen):
            say = SHAPES["openai"](seen)
            return sse(
                say.role(), say.delta("a"), gate, say.delta("b"), say.finish(), say.usage(), DONE
            )

        return answer

    prompt = lab.upstream.plan(*map(branch, gates))
    options = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = []
    with client.chat.completions.create(**ask(prompt, stream=True), n=3, **options) as stream:
        for chunk in stream:
            chunks.append(chunk)
            if len(chunks) == 6:  # role and "a" of each branch
                for gate in gates:
                    gate.open()

    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert {choice.index for choice in choices[:6]} == {0, 1, 2}, "not interleaved"
    for index in range(3):
        own = [choice for choice in choices if choice.index == index]
        assert "".join(choice.delta.content or "" for choice in own) == "ab"
        assert [choice.finish_reason for choice in own if choice.finish_reason] == ["stop"]
    totals = [chunk.usage for chunk in chunks if chunk.usage]
    assert len(totals) == int(usage)
    if usage:
        assert chunks[-1].choices == []
        assert totals[0].completion_tokens == 3 * USAGE["completion_tokens"]


def test_tools(lab: Lab, client):
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    prompt = lab.upstream.plan(reply("", finish="tool_calls", tool_calls=[call]))
    answer = client.chat.completions.create(**ask(prompt), tools=[tool], tool_choice="auto")

    (made,) = answer.choices[0].message.tool_calls
    assert made.to_dict() == call
    assert answer.choices[0].finish_reason == "tool_calls"
    assert lab.upstream.only(prompt).json["tools"] == [tool]


@pytest.mark.parametrize("stop", ["\n", ["a", "b"]])
def test_stop_as_string_or_array(lab: Lab, client, stop):
    prompt = lab.upstream.plan(reply("x"))
    client.chat.completions.create(**ask(prompt), stop=stop)

    assert lab.upstream.only(prompt).json["stop"] == stop


def test_explicit_nulls_as_sdk_users_send_them(lab: Lab, client):
    prompt = lab.upstream.plan(reply("x"))
    client.chat.completions.create(
        **ask(prompt), temperature=None, stop=None, max_tokens=None, n=None, stream=None
    )

    assert set(lab.upstream.only(prompt).json) == {"model", "messages"}


def test_models(client):
    listed = {model.id: model for model in client.models.list()}

    assert MODEL in listed
    assert client.models.retrieve(MODEL) == listed[MODEL]
    assert listed[MODEL].object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")


def test_the_async_client(lab: Lab):
    plain, three = lab.upstream.plan(reply("Hello")), lab.upstream.plan(reply("a", "b"))

    async def talk() -> None:
        async with openai.AsyncOpenAI(api_key=KEY, base_url=lab.gateway.url) as client:
            completions = client.chat.completions
            answers = await asyncio.gather(*(completions.create(**ask(plain)) for _ in range(5)))
            assert {answer.choices[0].message.content for answer in answers} == {"Hello"}
            stream = await completions.create(**ask(three, stream=True), n=3)
            chunks = [chunk async for chunk in stream]
            finished = sorted(c.choices[0].index for c in chunks if c.choices[0].finish_reason)
            assert finished == [0, 1, 2]
            with pytest.raises(openai.NotFoundError):
                await completions.create(**{**ask("x"), "model": "nope"})

    asyncio.run(talk())


# -- errors: the truth table -----------------------------------------------------------------------

TIGHT = {
    "limits": {"max_body_bytes": 1 << 20, "body_grace_s": 0.3, "max_in_flight": 4},
    "upstream": {"first_token_s": 0.3, "between_chunks_s": 0.3},
}


@dataclass(frozen=True)
class Case:
    """How to provoke an error through the SDK, and what its user must get."""

    code: str
    raises: str
    retries: int
    provoke: Callable[[Lab, Any], Any]
    api_key: str = KEY


def create(**fields: Any) -> Callable[[Lab, Any], Any]:
    return lambda _, client: client.chat.completions.create(**{**ask("x"), **fields})


def planned(*answers: Callable, **fields: Any) -> Callable[[Lab, Any], Any]:
    return lambda lab, client: client.chat.completions.create(
        **ask(lab.upstream.plan(*answers), **fields)
    )


def post(**options: Any) -> Callable[[Lab, Any], Any]:
    path = options.pop("path", "/chat/completions")
    return lambda _, client: client.post(path, cast_to=object, **options)


def with_headers(**headers: Any) -> Callable[[Lab, Any], Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _, client: client.chat.completions.create(**ask("x"), extra_headers=named)


def slow_body() -> Iterator[bytes]:
    yield b"{"
    threading.Event().wait(3)  # longer than the grace; a refusal ends it sooner
    yield b"}"


def overloaded(lab: Lab, client: Any) -> None:
    gate = Gate()
    prompt = lab.upstream.plan(lambda seen: [gate, *reply("late")(seen)])
    with contextlib.ExitStack() as stack:
        slots = TIGHT["limits"]["max_in_flight"]
        taken = [stack.enter_context(lab.gateway.open_stream(prompt)) for _ in range(slots)]
        lab.upstream.wait_seen(prompt, slots)
        try:
            client.chat.completions.create(**ask("one too many"))
        finally:
            gate.open()
            for connection in taken:
                connection.read_response()


LIMITED = fail(429, "RateLimitExceeded.EndpointRPMExceeded", ("Retry-After", "7"))
CASES = [
    Case("invalid_json", "BadRequestError", 0, post(content=b"{")),
    Case("missing_required_parameter", "BadRequestError", 0, post(body={"model": MODEL})),
    Case("invalid_type", "BadRequestError", 0, create(temperature="hot")),
    Case("invalid_value", "BadRequestError", 0, create(temperature=3)),
    Case(
        "context_length_exceeded",
        "BadRequestError",
        0,
        create(messages=[{"role": "user", "content": "ab " * 200_000}]),
    ),
    Case(
        "content_policy_violation",
        "BadRequestError",
        0,
        planned(fail(400, "InputTextSensitiveContentDetected.PolicyViolation")),
    ),
    Case("missing_api_key", "AuthenticationError", 0, with_headers(Authorization="")),
    Case("invalid_api_key", "AuthenticationError", 0, create(), api_key="sk-nobody-holds-this"),
    Case("key_disabled", "AuthenticationError", 0, create(), api_key=DISABLED_KEY),
    Case("model_not_found", "NotFoundError", 0, create(model="nope")),
    Case("unknown_url", "NotFoundError", 0, post(path="/nope", body={})),
    Case("method_not_allowed", "APIStatusError", 0, post(path="/models", body={})),
    Case("request_timeout", "APIStatusError", 0, post(content=slow_body())),
    Case("body_too_large", "APIStatusError", 0, create(user="x" * (1 << 20))),
    Case("unsupported_media_type", "APIStatusError", 0, with_headers(Content_Type="text/plain")),
    Case("headers_too_large", "APIStatusError", 0, with_headers(X_Big="x" * 40_000)),
    Case("upstream_error", "InternalServerError", 2, planned(fail(500))),
    Case("upstream_error", "InternalServerError", 2, planned(steps(RESET))),
    Case("upstream_timeout", "InternalServerError", 2, planned(steps(HANG), stream=True)),
    Case("overloaded", "InternalServerError", 2, overloaded),
    Case("accounts_exhausted", "RateLimitError", 2, planned(LIMITED)),
    Case("no_healthy_account", "InternalServerError", 2, planned(fail(401, "AuthenticationError"))),
]
BREAKS_THE_ACCOUNT = {"accounts_exhausted", "no_healthy_account", "upstream_error"}


@pytest.fixture(scope="module")
def tight() -> Iterator[Lab]:
    with open_lab(settings=TIGHT) as lab:
        yield lab


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_each_code_raises_its_class_after_its_retries(request, traffic: Traffic, case: Case):
    with contextlib.ExitStack() as stack:
        if case.code in BREAKS_THE_ACCOUNT:
            lab = stack.enter_context(open_lab(settings=TIGHT))
        else:
            lab = request.getfixturevalue("tight")
        client = stack.enter_context(client_of(lab.gateway, traffic, api_key=case.api_key))
        with pytest.raises(openai.APIStatusError) as caught:
            case.provoke(lab, client)

    error = caught.value
    assert type(error).__name__ == case.raises
    assert error.code == case.code
    assert error.request_id
    assert traffic.requests == 1 + case.retries
    if error.status_code in (429, 503):
        told_s = int(error.response.headers["retry-after-ms"]) / 1000
        assert traffic.sleeps_s
        assert all(0 < slept_s <= 7 for slept_s in traffic.sleeps_s)
        assert 0 < told_s <= 7


def test_retry_after_is_the_accounts_own_and_is_obeyed(traffic: Traffic):
    with (
        open_lab() as lab,
        client_of(lab.gateway, traffic) as client,
        pytest.raises(openai.RateLimitError),
    ):
        planned(LIMITED)(lab, client)

    assert all(6 <= slept_s <= 7 for slept_s in traffic.sleeps_s), traffic.sleeps_s


def test_a_retry_after_a_transient_error_gets_its_answer(traffic: Traffic):
    with open_lab() as lab, client_of(lab.gateway, traffic) as client:
        prompt = lab.upstream.plan(fail(500), reply("second time"))
        answer = client.chat.completions.create(**ask(prompt))

    assert answer.choices[0].message.content == "second time"
    assert traffic.requests == 2


def test_a_draining_node_is_a_server_error_with_a_hint(traffic: Traffic):
    gate = Gate()
    with Upstream() as upstream, Gateway({"accounts": accounts(upstream)}) as gateway:
        prompt = upstream.plan(lambda seen: [gate, *reply("late")(seen)])
        with gateway.open_stream(prompt) as busy, client_of(gateway, traffic) as client:
            upstream.wait_seen(prompt)
            gateway.process.send_signal(signal.SIGTERM)
            gateway.wait_ops("/readyz", 503)
            with pytest.raises(openai.InternalServerError) as caught:
                client.chat.completions.create(**ask("new"))
            gate.open()
            busy.read_response()

    assert caught.value.code == "draining"
    assert traffic.requests == 3
    assert all(0 < slept_s <= 5 for slept_s in traffic.sleeps_s)


# -- errors inside a stream ------------------------------------------------------------------------

DEATHS = {
    "reset": streamed(lambda say: [say.delta("Hel"), RESET]),
    "cut": streamed(lambda say: [say.delta("Hel"), CLOSE]),
    "stall": streamed(lambda say: [say.delta("Hel"), HANG]),
    "end without finish or [DONE]": lambda seen: sse(SHAPES["openai"](seen).delta("Hel")),
    "garbage": lambda seen: sse(SHAPES["openai"](seen).delta("Hel"), b"data: {garbage\n\n"),
    "error event": lambda seen: sse(
        SHAPES["openai"](seen).delta("Hel"), b'data: {"error":{"message":"m","code":"c"}}\n\n'
    ),
}


@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS)
@pytest.mark.parametrize("n", [1, 2])
def test_a_death_mid_stream_raises_once_and_is_never_retried(tight: Lab, traffic, death, n):
    prompt = tight.upstream.plan(death)
    received = []
    with client_of(tight.gateway, traffic) as client:
        stream = client.chat.completions.create(**ask(prompt, stream=True), n=n)
        with pytest.raises(openai.APIError) as caught:
            received.extend(stream)

    assert caught.value.code == "upstream_stream_interrupted"
    assert "Hel" in [chunk.choices[0].delta.content for chunk in received]
    assert traffic.requests == 1
    assert len(tight.upstream.seen(prompt)) <= n  # a branch may die before the next is sent


def test_the_async_client_raises_too(tight: Lab):
    prompt = tight.upstream.plan(DEATHS["reset"])

    async def talk() -> None:
        async with openai.AsyncOpenAI(api_key=KEY, base_url=tight.gateway.url) as client:
            stream = await client.chat.completions.create(**ask(prompt, stream=True))
            with pytest.raises(openai.APIError):
                async for _ in stream:
                    pass

    asyncio.run(talk())
