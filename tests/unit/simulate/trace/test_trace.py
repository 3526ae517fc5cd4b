"""Traces in four forms, and what a replay counts."""

import gzip
import json

import pytest

from arkway.routing.pool import Pool
from arkway.simulate.trace.compare import compare, needed, report
from arkway.simulate.trace.load_io import BadTrace, load
from arkway.simulate.trace.picture import draw
from arkway.simulate.trace.plan import Plan
from arkway.simulate.trace.replay import bound, replay
from arkway.simulate.trace.rows import Row, Trace
from arkway.simulate.trace.rules import NAMES
from arkway.simulate.trace.synthetic import Mix, heated, synthetic
from arkway.simulate.trace.upstream import Limits, SimAccount, Timing

SHORT = Mix(duration_s=600.0, conversations_per_s=2.0, turns_mean=2.5, seed=3)


@pytest.fixture(scope="module")
def short():
    return synthetic(SHORT)


def write(tmp_path, text):
    path = tmp_path / "trace"
    path.write_text(text)
    return path


def mooncake(**fields):
    base = {"timestamp": 0, "input_length": 1100, "output_length": 5, "hash_ids": [0, 1, 3]}
    return json.dumps(base | fields)


def test_mooncake(tmp_path):
    lines = [
        {"timestamp": 27000, "input_length": 1100, "output_length": 5, "hash_ids": [0, 1, 3]},
        {"timestamp": 1000, "input_length": 1030, "output_length": 5, "hash_ids": [0, 1, 2]},
    ]

    trace = load(write(tmp_path, "\n".join(map(json.dumps, lines)) + "\n"))

    assert [(row.at_s, row.input_tokens, row.blocks) for row in trace.rows] == [
        (0.0, 1030, (0, 1, 2)),
        (26.0, 1100, (0, 1, 3)),
    ]
    assert trace.rows[0].conversation == trace.rows[1].conversation
    assert trace.block_tokens == 512


def test_bailian(tmp_path):
    base = {"input_length": 40, "output_length": 5, "type": "text", "turn": 1}
    lines = [
        base | {"chat_id": 1, "parent_chat_id": -1, "timestamp": 0.5, "hash_ids": [1, 2, 3]},
        base | {"chat_id": 2, "parent_chat_id": 1, "timestamp": 9.0, "hash_ids": [1, 2, 4]},
        base | {"chat_id": 3, "parent_chat_id": -1, "timestamp": 9.5, "hash_ids": [7, 8, 9]},
    ]

    trace = load(write(tmp_path, "\n".join(map(json.dumps, lines))))

    assert [row.conversation for row in trace.rows] == ["chat-1", "chat-1", "chat-3"]
    assert (trace.block_tokens, trace.rows[1].at_s) == (16, 8.5)


def test_burstgpt_and_azure(tmp_path):
    burst = (
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,M,472,18,490,x\n"
    )
    azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n"

    for text, sizes in ((burst, (472, 18)), (azure, (374, 44))):
        (row,) = load(write(tmp_path, text)).rows
        assert (row.input_tokens, row.output_tokens) == sizes
        assert (row.at_s, row.blocks) == (0.0, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: not a trace"),
        ("a,b\n1,2\n", "line 1: not a trace"),
        ('{"timestamp": 1}\n', "line 1: 'input_length' is missing"),
        (mooncake(output_length=-1), "line 1: output_length: must be an integer, 0 to "),
        (mooncake(input_length="many"), "line 1: input_length: must be an integer, .*got 'many'"),
        (mooncake(input_length=10**30), "line 1: input_length: must be an integer"),
        (mooncake(timestamp=None), "line 1: timestamp: must be a finite number, got nothing"),
        (mooncake(hash_ids=7), "line 1: hash_ids: must be a list of integers, got 7"),
        ("Timestamp,Request tokens,Response tokens\nnan,1,1\n", "line 2: Timestamp: must be a fin"),
        (
            "TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1\n",
            "line 2: TIMESTAMP: must be a",
        ),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,5\n", "got nothing"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "no requests"),
    ],
)
def test_what_is_no_trace_says_where(tmp_path, text, said):
    with pytest.raises(BadTrace, match=said):
        load(write(tmp_path, text))


def test_a_compressed_trace_is_told_apart_from_a_broken_one(tmp_path):
    path = tmp_path / "trace.jsonl.gz"
    path.write_bytes(gzip.compress(mooncake().encode()))

    with pytest.raises(BadTrace, match="gunzip"):
        load(path)


@pytest.mark.parametrize("hash_ids", [[], [0], [0, 1, 2, 3, 4, 5, 6]])
def test_a_prompt_of_which_too_few_or_too_many_blocks_are_named(tmp_path, hash_ids):
    lines = [mooncake(input_length=5 * 512 + at, hash_ids=hash_ids) for at in range(3)]

    result = replay(load(write(tmp_path, "\n".join(lines))), Plan(accounts=2))

    assert (result.calls, result.failed) == (3, 0)


def test_a_block_is_cached_from_its_first_token_on_until_it_was_idle():
    account = SimAccount("a", Limits(), Timing(), 100.0)
    account.cache.write((1, 2), 5.0, 4.0)

    assert account.cache.match((1, 2, 3), 4.9) == 0
    assert account.cache.match((1, 2, 3), 5.0) == 2
    assert account.cache.match((1, 2), 104.0) == 2
    assert account.cache.match((1, 2), 204.1) == 0


def test_the_judge_counts_every_minute():
    account = SimAccount("a", Limits(2, 100, None), Timing(), 100.0)

    codes = [account.refuses(tokens, at_s) for at_s, tokens in ((0, 60), (1, 41), (2, 40), (3, 0))]
    assert [bool(code) for code in codes] == [False, True, False, True]
    assert account.refuses(60, 60.0) == ""
    assert account.refused == 2


def test_ours_keeps_caches_warm_and_load_even(short):
    ours, *others = compare(short, Plan())

    assert ours.hit_share_of_bound > 0.99
    assert ours.token_max_over_mean < 1.06
    assert all(ours.hit_share_of_bound > it.hit_share_of_bound for it in others)
    assert [it.name for it in (ours, *others)] == list(NAMES)


def test_without_ids_and_with_a_hot_prompt_too(short):
    result = replay(heated(short, 0.6, 12), Plan(has_header=False))

    assert result.hit_share_of_bound > 0.99
    assert result.token_max_over_mean < 1.06


def test_limits_are_never_provoked(short):
    result = replay(short, Plan(headroom=1.6, has_header=False))

    assert result.provoked_429 == 0
    assert result.failed == 0
    assert result.attempts == result.calls


def test_an_account_that_dies_is_left_and_taken_back(short):
    result = replay(short, Plan(kill_account_at_s=150.0, revive_account_at_s=300.0))

    assert result.failed == 0
    assert result.ejections >= 1
    served = result.tokens_by_account_minute["account-0"]
    assert not any(served.get(minute) for minute in (3, 4))
    assert served[7] > 0


def test_a_new_account_fills_up(short):
    result = replay(short, Plan(add_account_at_s=200.0))

    late = [result.tokens_by_account_minute[it].get(8, 0) for it in result.tokens_by_account]
    assert late[-1] > 0.5 * sum(late) / len(late)
    assert result.moved < 0.02 * result.turns


def test_nodes_share_what_they_know(short):
    shared = replay(short, Plan(nodes=4, has_header=False))
    deaf = replay(short, Plan(nodes=4, has_header=False, lag_s=1e9))

    assert shared.hit_share_of_bound > 0.98
    assert deaf.hit_share_of_bound < shared.hit_share_of_bound - 0.1


@pytest.mark.parametrize("seed", range(5))
def test_nodes_that_lose_sight_of_each_other_fail_no_call(short, seed):
    result = replay(short, Plan(nodes=4, headroom=1.6, lose_shared_at_s=300.0, seed=seed))

    assert result.failed == 0
    assert result.provoked_429 < 0.05 * result.calls
    assert result.hit_share_of_bound > 0.87


def test_a_replay_is_repeatable(short):
    one, two = (replay(short, Plan(headroom=1.4, has_header=False)) for _ in range(2))

    timeless = [{k: v for k, v in it.figures().items() if "decision" not in k} for it in (one, two)]
    assert timeless[0] == timeless[1]


def test_the_bound_is_one_cache_for_all():
    rows = (Row(0.0, 1024, 1, (1, 2)), Row(10.0, 1536, 1, (1, 2, 3)), Row(400.0, 1024, 1, (1, 2)))
    trace = Trace("t", rows, 512)

    assert bound(trace, Plan()) == 2048
    assert bound(trace, Plan(ttl_s=300.0)) == 1024


def test_a_full_pool_is_woken_when_it_is_due_and_not_by_timers_of_the_past(monkeypatch):
    woken = []
    wake = Pool.wake
    monkeypatch.setattr(Pool, "wake", lambda pool, now_s: woken.append(now_s) or wake(pool, now_s))
    crowded = synthetic(Mix(duration_s=240.0, conversations_per_s=2.0, turns_mean=3.0, seed=3))

    result = replay(crowded, Plan(headroom=0.8))

    assert result.waited > 100
    assert len(woken) < result.attempts + crowded.duration_s / 0.02


def test_how_many_accounts_are_needed():
    short = synthetic(Mix(duration_s=150.0, conversations_per_s=2.0, seed=3))

    found = needed(short, Plan(limits=Limits(None, 500_000, None)), fewer_than=1)

    assert found.result.failed + found.result.provoked_429 == 0
    assert found.accounts >= short.tokens_per_min / 500_000
    assert {count: refused for count, refused, _ in found.tried}[found.accounts] == 0


def test_what_is_printed_and_drawn(short):
    results = compare(short, Plan(), NAMES[:2])

    found = report(short, Plan(), results)

    assert set(found) >= {"trace", "accounts", "bound", "policies"}
    assert set(found["policies"][0]) >= {
        "name",
        "header",
        "hit_share_of_bound",
        "token_max_over_mean",
        "provoked_429",
        "failed",
        "mean_ttft_s",
        "decision_us_p50",
        "decision_us_p99",
    }
    picture = draw("a < b", results)
    assert picture.startswith("<svg")
    assert "a &lt; b" in picture
    assert picture.count("<polyline") == 2 + 8
