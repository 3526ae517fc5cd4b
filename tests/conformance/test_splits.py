"""Does any split of the bytes, on either side, give the same result? Over real sockets.

The sans-io cores hold the same law over many more examples; here it passes through the kernel,
the event loop and both protocols at once.
"""

import json
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.answers import Answer, Pause, reply, resplit
from support.gateway import KEY, ask, encode
from support.httpraw import Response, chunked, request
from support.lab import Lab

over_sockets = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,  # the same examples in every run
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TEXT = ("Hel", 'lo "豆包" ', "\n🫘\\", "\t/ end")


def cuts_of(length: int) -> st.SearchStrategy[list[int]]:
    """Return strategies for up to 12 places to cut at."""
    return st.sets(st.integers(1, max(1, length - 1)), max_size=12).map(sorted)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise([0, *places, len(data)])]


def normal(response: Response) -> tuple[int, str]:
    """Return what must not depend on the split: everything but ids and times."""
    text = response.body.decode()
    for line in text.splitlines():
        payload = line.removeprefix("data: ")
        if payload.startswith("{"):
            document = json.loads(payload)
            text = text.replace(document["id"], "ID").replace(str(document["created"]), "TIME")
    return response.status, text


def shaped(shape: str, request: pytest.FixtureRequest) -> Lab:
    return request.getfixturevalue("lab" if shape == "openai" else "ark_lab")


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("shape", ["openai", "ark"])
def test_any_split_of_the_upstreams_bytes(request, shape, stream):
    lab = shaped(shape, request)
    good = reply(*TEXT, shape=shape)
    options = {"stream_options": {"include_usage": True}} if stream else {}

    def ask_for(answer: Answer) -> tuple[int, str]:
        return normal(lab.gateway.chat(lab.upstream.plan(answer), stream=stream, **options))

    expected = ask_for(good)
    assert "".join(TEXT) in "".join(contents(expected[1]))

    @given(places=cuts_of(1600), gaps=st.sets(st.integers(0, 12), max_size=3))
    @over_sockets
    def same_at(places: list[int], gaps: set[int]) -> None:
        """`gaps`: after these pieces the upstream waits, so that each is read on its own."""
        assert ask_for(paced(good, places, gaps)) == expected

    same_at()


def contents(text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        payload = line.removeprefix("data: ").replace("TIME", "0")
        if payload.startswith("{"):
            for choice in json.loads(payload)["choices"]:
                part = choice.get("delta") or choice.get("message") or {}
                found.append(part.get("content") or "")
    return found


def paced(answer: Answer, places: list[int], gaps: set[int]) -> Answer:
    recut = resplit(answer, lambda data: cut(data, places))

    def again(seen):
        for number, step in enumerate(recut(seen)):
            yield step
            if number in gaps:
                yield Pause(0.002)

    return again


@pytest.mark.slow
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_any_split_of_the_callers_bytes(lab: Lab, framing):
    prompt = lab.upstream.plan(reply(*TEXT))
    if framing == "length":
        data = encode("POST", "/v1/chat/completions", ask(prompt, stop=["豆"]))
    else:
        body = chunked(json.dumps(ask(prompt, stop=["豆"])).encode(), [1, 7, 30])
        headers = [("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json")]
        data = request(headers=[*headers, ("Transfer-Encoding", "chunked")], body=body)

    def send(pieces: list[bytes]) -> tuple[int, str]:
        with lab.gateway.connect() as connection:
            for piece in pieces:
                connection.send(piece)
            first = normal(connection.read_response())
            again = normal(connection.send(data).read_response())
        assert first == again, "the connection is not in order after a split request"
        return first

    expected = send([data])

    @given(places=cuts_of(len(data)))
    @over_sockets
    def same_at(places: list[int]) -> None:
        assert send(cut(data, places)) == expected

    same_at()
    bodies = {seen.body for seen in lab.upstream.seen(prompt)}
    assert len(bodies) == 1


@pytest.mark.slow
def test_one_byte_at_a_time_from_the_caller(lab: Lab):
    prompt = lab.upstream.plan(reply("x"))
    data = encode("POST", "/v1/chat/completions", ask(prompt))
    with lab.gateway.connect() as connection:
        for at in range(len(data)):
            connection.send(data[at : at + 1])
        assert connection.read_response().status == 200
    assert lab.upstream.only(prompt)
