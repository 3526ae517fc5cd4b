"""Does the Ark simulator do what docs/simulator.md says, seen from outside by a raw client?"""

import json
import random
import signal
import threading
import time

import pytest

from support.httpraw import frames_of, live_frames
from support.sim import KINDS, MODEL, Sim, ask, directive

STILL = {"first_token_s": 0, "prefill_tokens_per_s": 0, "tokens_per_s": 0}


@pytest.fixture(scope="module")
def shared():
    with Sim({"number_of_accounts": 3, "timing": STILL}) as sim:
        yield sim


def text_of(frames):
    return "".join(
        choice["delta"]["content"]
        for frame in frames
        if not frame.is_done
        for choice in frame.json()["choices"]
    )


def test_a_plain_answer_and_its_line(shared):
    before = len(shared.log())
    answer = shared.post(
        ask(f"hello {directive(echo='n-1', tokens=4)}"), 1, X_Client_Request_Id="caller-7"
    )
    body, line = answer.json(), shared.log()[before]

    assert body["choices"][0]["message"]["content"] == "n-1 000 001 002 "
    assert body["id"] == line["request_id"] == answer.header("x-request-id")
    assert body["id"].startswith("02")
    assert answer.header("x-client-request-id") == line["client_request_id"] == "caller-7"
    assert (line["account"], line["account_id"], line["outcome"]) == (
        "ark-2",
        "2100000002",
        "answered",
    )
    assert (
        line["prompt_tokens"]
        == body["usage"]["prompt_tokens"]
        == -(-len("hello [[sim echo=n-1 tokens=4]]") // 4)
    )
    assert (line["completion_tokens"], line["echo"], line["finish"]) == (4, "n-1", "stop")
    assert not {"hello", shared.accounts[1]["key"]} & set(json.dumps(line).split('"'))


def test_a_streamed_answer(shared):
    answer = shared.chat(directive(tokens=5), stream=True, stream_options={"include_usage": True})
    frames = frames_of(answer.body)

    assert answer.complete
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    assert frames[-1].is_done
    assert text_of(frames) == "000 001 002 003 004 "
    assert frames[-2].json()["usage"]["completion_tokens"] == 5
    assert all("finish_reason" not in frame.json()["choices"][0] for frame in frames[:5])


def test_keys_ports_and_paths(shared):
    key = shared.accounts[0]["key"]
    with shared.connect() as connection:
        answers = []
        for head in (
            "GET /api/v3/models",
            "GET /nowhere",
            "POST /api/v3/chat/completions",
        ):
            length = "Content-Length: 2\r\n\r\n{}" if head.startswith("POST") else "\r\n"
            connection.send(f"{head} HTTP/1.1\r\nHost: x\r\n{length}".encode())
            answers.append(connection.read_response())

    assert MODEL in [model["id"] for model in answers[0].json()["data"]]
    assert (answers[1].status, answers[1].body) == (404, b"")
    assert (answers[2].status, answers[2].json()["error"]["code"]) == (401, "AuthenticationError")
    assert key not in answers[2].body.decode()


def test_pipelined_requests_are_answered_in_order(shared):
    with shared.connect() as connection:
        bodies = [ask(directive(echo=f"n{n}", tokens=2)) for n in range(5)]
        connection.send(b"".join(shared.request(body) for body in bodies))
        texts = [
            connection.read_response().json()["choices"][0]["message"]["content"] for _ in bodies
        ]

    assert texts == [f"n{n}  000 " for n in range(5)]


@pytest.mark.parametrize(
    "bad", [b"NONSENSE\r\n\r\n", b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n"]
)
def test_what_is_no_request(shared, bad):
    with shared.connect() as connection:
        connection.try_send(bad)
        assert connection.read_response().status in (400, 413)
        assert connection.is_closed()


def test_limits_and_provoked_429s_are_counted():
    limits = {"requests_per_min": 3, "in_flight": 100}
    with Sim({"timing": STILL, "retry_after": True, "limits": limits}) as sim:
        answers = [sim.chat("hello") for _ in range(5)]
        log = sim.log()

        assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
        error = answers[3].json()["error"]
        assert error["code"] == "ModelAccountRpmRateLimitExceeded"
        assert sim.accounts[0]["account_id"] in error["message"]
        assert "Request id: 02" in error["message"]
        assert 50 <= int(answers[3].header("retry-after")) <= 61
        assert [line["code"] for line in log if line["status"] == 429] == [error["code"]] * 2
        assert sim.chat("hello", model="doubao-pro-32k-241215").status == 200

        sim.control("PATCH", "/accounts/ark-1", {"limits": {"tokens_per_min": 10}})
        assert sim.chat("hello").json()["error"]["code"] == "ModelAccountTpmRateLimitExceeded"
        sim.control("PATCH", "/accounts/ark-1", {"limits": {}})
        assert sim.chat("hello").status == 200


def test_a_minute_passes_sooner_in_compressed_time():
    with Sim({"timing": STILL, "limits": {"requests_per_min": 2}, "speed": 60}) as sim:
        assert [sim.chat("x").status for _ in range(3)] == [200, 200, 429]
        time.sleep(1.03)  # 62 simulated seconds
        assert sim.chat("x").status == 200


def test_calls_in_flight_and_a_caller_who_leaves():
    timing = {"first_token_s": 0, "prefill_tokens_per_s": 0, "tokens_per_s": 50}
    with Sim({"timing": timing, "limits": {"in_flight": 1}}) as sim:
        prompt = directive(tokens=1_000)
        with sim.connect() as connection:
            connection.send(sim.request(ask(prompt, stream=True)))
            frames = live_frames(connection, connection.read_head())
            for _ in range(10):
                next(frames)
            assert sim.chat("x").json()["error"]["code"] == "InflightBatchsizeExceeded"
        line = sim.wait_log(2)[1]

        assert (line["outcome"], line["caller_left"]) == ("left", True)
        assert 10 <= line["completion_tokens"] <= 100
        assert line["prompt_tokens"] == -(-len(prompt) // 4)
        assert sim.control("GET", "/state")["accounts"][0]["callers_left"] == 1
        assert sim.chat(directive(tokens=1)).status == 200, "its place is free again"


def test_a_caller_who_leaves_a_plain_answer_pays_for_what_was_generated():
    timing = {"first_token_s": 0, "prefill_tokens_per_s": 0, "tokens_per_s": 100}
    with Sim({"timing": timing}) as sim:
        with sim.connect() as connection:
            connection.send(sim.request(ask(directive(tokens=1_000))))
            time.sleep(0.2)
        line = sim.wait_log(1)[0]

    assert (line["outcome"], line["caller_left"]) == ("left", True)
    assert 15 <= line["completion_tokens"] <= 300


def test_the_cache_is_each_accounts_own_and_told_truly():
    def cached(account):
        return sim.chat(prompt, account).json()["usage"]["prompt_tokens_details"]["cached_tokens"]

    settings = {
        "number_of_accounts": 2,
        "timing": STILL,
        "cache": {"idle_ttl_s": 90, "block_tokens": 512},
        "speed": 60,
    }
    with Sim(settings) as sim:
        prompt = "x" * 4 * 2_000
        assert [cached(0), cached(0), cached(1), cached(1)] == [0, 1_536, 0, 1_536]
        sim.control("DELETE", "/caches/ark-1")
        assert [cached(0), cached(1)] == [0, 1_536]
        sim.control("DELETE", "/caches")
        assert cached(1) == 0
        time.sleep(1.55)  # 93 simulated seconds
        assert cached(1) == 0
        assert [line["cached_tokens"] for line in sim.log()] == [0, 1_536, 0, 1_536, 0, 1_536, 0, 0]


def test_a_prompt_lives_from_its_own_first_token_on_however_long_the_simulator_runs():
    settings = {"timing": STILL, "cache": {"idle_ttl_s": 300}, "speed": 400}
    with Sim(settings) as sim:
        time.sleep(0.8)  # 320 simulated seconds
        for _ in range(2):
            answer = sim.chat("x" * 4 * 1_024)

    assert answer.json()["usage"]["prompt_tokens_details"]["cached_tokens"] == 1_024


def test_tokens_come_in_time_and_a_cached_prompt_sooner():
    timing = {"first_token_s": 0.05, "prefill_tokens_per_s": 10_000, "tokens_per_s": 100}
    with Sim({"timing": timing}) as sim:
        prompt = "x" * 4 * 3_072 + directive(tokens=20)
        seen = []
        for _ in range(2):
            with sim.connect() as connection:
                began_s = time.monotonic()
                connection.send(sim.request(ask(prompt, stream=True)))
                frames = list(live_frames(connection, connection.read_head()))
                seen.append([frame.at_s - began_s for frame in frames[:20]])
        log = sim.log()

    # 0.05 s and 3 080 tokens of prefill; then one each 10 ms. Late is the machine's doing.
    assert 0.355 <= seen[0][0] < 2
    assert 0.185 <= seen[0][19] - seen[0][0] < 2
    assert 0.05 <= seen[1][0] < seen[0][0]
    assert [line["cached_tokens"] for line in log] == [0, 3_072]
    assert 0.357 <= log[0]["first_token_s"] <= seen[0][0]
    assert log[0]["duration_s"] >= 0.54


def test_a_plain_answer_takes_as_long_as_a_streamed_one():
    timing = {"first_token_s": 0.1, "prefill_tokens_per_s": 0, "tokens_per_s": 100}
    with Sim({"timing": timing, "speed": 2}) as sim:
        began_s = time.monotonic()
        sim.chat(directive(tokens=41))
        took_s = time.monotonic() - began_s

    assert 0.25 <= took_s < 2, "half of 0.1 + 40/100 s"


def test_a_slow_reader_slows_the_answer():
    with Sim({"timing": STILL, "models": [{"id": MODEL, "max_output_tokens": 10**6}]}) as sim:
        prompt = directive(tokens=60_000)
        with sim.connect(receive_buffer=4_096) as connection:
            connection.send(sim.request(ask(prompt, stream=True, max_tokens=10**6)))
            head = connection.read_head()
            time.sleep(0.2)
            assert sim.log() == [], "it waits for us"
            text = text_of(live_frames(connection, head))
        assert len(text) == 240_000
        assert sim.wait_log(1)[0]["completion_tokens"] == 60_000


def test_own_ports_take_their_own_key_only():
    with Sim({"number_of_accounts": 2, "timing": STILL}, "--own-ports") as sim:
        assert len({sim.port(0), sim.port(1)}) == 2
        assert [sim.chat("x", n).status for n in (0, 1)] == [200, 200]
        with sim.connect(1) as connection:
            connection.send(sim.request(ask("x"), 0))
            assert connection.read_response().status == 401


def test_the_log_survives_a_kill():
    """Whoever has an answer whole finds its line, though the simulator is killed at once."""
    with Sim({"timing": STILL}) as sim:
        got, stop = [], threading.Event()

        def call():
            try:
                with sim.connect() as connection:
                    for n in range(100_000):
                        connection.send(sim.request(ask(directive(echo=f"n{n}"))))
                        got.append(connection.read_response().json()["id"])
                        if stop.is_set():
                            return
            except (OSError, EOFError, AssertionError):
                return

        callers = [threading.Thread(target=call) for _ in range(4)]
        for caller in callers:
            caller.start()
        while len(got) < 500 and any(caller.is_alive() for caller in callers):
            time.sleep(0.005)
        sim.kill()
        stop.set()
        for caller in callers:
            caller.join(10)
        logged = {line["request_id"] for line in sim.log()}

    assert len(got) >= 500
    assert set(got) <= logged


def test_calls_that_take_time_have_a_line_at_once():
    with Sim({"timing": {"first_token_s": 60}}) as sim, sim.connect() as connection:
        connection.send(sim.request(ask("x")))
        while not (lines := sim.log(begun=True)):
            time.sleep(0.005)
        assert lines[0]["outcome"] == "begun"
        sim.process.send_signal(signal.SIGTERM)
        assert sim.process.wait(5) == 0
        assert [line["outcome"] for line in sim.log()] == ["left"]


def test_a_log_that_cannot_be_written_ends_the_simulator():
    with Sim({"timing": STILL}, "--log", "/dev/full") as sim:
        with sim.connect() as connection:
            connection.send(sim.request(ask("x")))
            connection.read_all()
        assert sim.process.wait(5) == 1
        assert sim.stderr() == "arkway: [Errno 28] the log, /dev/full: No space left on device\n"


def test_nothing_is_held_or_lost_after_calls_of_every_fate():
    """Faults of all kinds, callers who leave: places come back, and each call has its end."""
    draw = random.Random(11)
    kinds = [kind for kind in KINDS if kind != "refuse"]
    timing = {"first_token_s": 0.01, "prefill_tokens_per_s": 0, "tokens_per_s": 1_000}
    fates = [
        (f"m{n}", draw.choice(["", *kinds]), draw.random() < 0.5, draw.choice([0.01, 0.03, 3]))
        for n in range(240)
    ]

    def call(mine):
        for mark, kind, stream, patience_s in mine:
            wishes = {"echo": mark, "tokens": 20}
            wishes |= {"fault": kind, "for_s": 0.05, "size_bytes": 200_000} if kind else {}
            with sim.connect(timeout_s=patience_s) as connection:
                connection.try_send(sim.request(ask(directive(**wishes), stream=stream)))
                try:
                    connection.read_response()
                except (TimeoutError, EOFError, AssertionError, ValueError):
                    pass

    with Sim({"timing": timing}) as sim:
        callers = [threading.Thread(target=call, args=(fates[n::8],)) for n in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(30)
        ended = sim.wait_log(len(fates))
        state = sim.control("GET", "/state")["accounts"][0]
        begun = [line["request_id"] for line in sim.log(begun=True) if line["outcome"] == "begun"]

    assert len(ended) == len(fates)
    assert len({line["request_id"] for line in ended}) == len(fates)
    assert set(begun) <= {line["request_id"] for line in ended}
    assert len(begun) == len(set(begun)) > 100
    model = state["models"][MODEL]
    assert model["in_flight"] == 0
    answers = [line for line in ended if line["prompt_tokens"]]
    charged = sum(line["prompt_tokens"] + line["completion_tokens"] for line in answers)
    assert model["tokens_last_min"] == charged, "what was held is what was used"
    assert state["prompt_tokens"] + state["completion_tokens"] == charged
    assert state["requests"] == len(fates)
    assert 20 < sum(line["caller_left"] for line in ended) < 220


def test_control_says_what_it_cannot_do(shared):
    assert "$[0].kind" in shared.control("PUT", "/faults", [{"kind": "x"}], status=400)["error"]
    assert (
        "own_ports"
        in (
            shared.control(
                "PUT", "/faults", [{"kind": "refuse", "accounts": ["ark-1"]}], status=400
            )["error"]
        )
    )
    shared.control("PATCH", "/accounts/ark-1", {"name": "other"}, status=400)
    shared.control("PATCH", "/accounts/ark-1", {"not_open": ["gpt"]}, status=400)
    shared.control("PATCH", "/accounts/nobody", {}, status=404)
    shared.control("DELETE", "/caches/nobody", status=404)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--accounts", "0"], "number_of_accounts"),
        (["--rpm", "many"], "requests_per_min"),
        (["--fault", "cut every=x"], "faults"),
    ],
)
def test_flags_that_cannot_be(flags, says):
    with pytest.raises(AssertionError, match=says):
        Sim({}, *flags).__enter__()
