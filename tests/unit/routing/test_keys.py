"""Keys of prompts: equal as far as prompts are, secret, and different everywhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.routing.keys import answer_key, chain_of, conversation_key, seed_of
from arkway.wire.common_body import CommonBody, CommonMessage
from support.strategies import texts

SEED = seed_of(b"s" * 32, "t", "M")
roles = st.sampled_from(["system", "user", "assistant"])
conversations = st.lists(st.tuples(roles, texts), min_size=1, max_size=12)


def common(messages):
    return CommonBody("M", [CommonMessage(role, text) for role, text in messages])


def full(messages):
    return {"messages": [{"role": role, "content": text} for role, text in messages]}


@given(conversations)
def test_both_forms_of_a_body_have_one_chain(messages):
    one, other = chain_of(SEED, common(messages)), chain_of(SEED, full(messages))

    assert one.keys == other.keys
    assert (one.ends, one.kept, one.root, one.whole) == (
        other.ends,
        other.kept,
        other.root,
        other.whole,
    )


@given(conversations, st.lists(st.tuples(roles, texts), min_size=1, max_size=6))
def test_a_prompt_that_goes_on_finds_the_one_before(messages, more):
    before, after = chain_of(SEED, common(messages)), chain_of(SEED, common(messages + more))

    assert before.kept[-1] in after.keys
    assert after.ends[after.keys.index(before.kept[-1])] == before.whole


@given(conversations, texts)
def test_the_answer_sent_back_is_known(messages, answer):
    before = chain_of(SEED, common(messages))
    after = chain_of(SEED, common([*messages, ("assistant", answer), ("user", "and?")]))

    assert answer_key(before, answer) in after.keys


@given(conversations, conversations)
def test_different_prompts_have_different_ends(one, other):
    keys = [chain_of(SEED, common(it)).keys[-1] for it in (one, other)]

    assert (keys[0] == keys[1]) is (one == other)


@pytest.mark.parametrize(
    "change",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"messages": [{"role": "user", "content": "hi", "name": "n"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
        {"messages": [{"role": "assistant", "content": "hi", "tool_calls": [{"id": "1"}]}]},
    ],
)
def test_what_the_upstream_reads_is_in_the_key(change):
    plain = {"messages": [{"role": "user", "content": "hi"}]}

    assert chain_of(SEED, plain).keys[-1] != chain_of(SEED, plain | change).keys[-1]


def test_long_texts_have_few_keys_and_share_them():
    text = "word " * 100_000
    one = chain_of(SEED, common([("user", text)]))
    other = chain_of(SEED, common([("user", text[:300_000] + "another end")]))

    shared = set(one.keys) & set(other.keys)
    assert len(one.keys) < 40
    assert max(end for it, end in zip(one.keys, one.ends, strict=True) if it in shared) > 250_000
    assert len(one.kept) < 12


def test_keys_need_the_secret_the_tenant_and_the_model():
    seeds = [
        SEED,
        seed_of(b"x" * 32, "t", "M"),
        seed_of(b"s" * 32, "u", "M"),
        seed_of(b"s" * 32, "t", "N"),
        seed_of(b"s" * 32, "t\0M", ""),
    ]

    assert len({chain_of(seed, common([("user", "a")])).keys[0] for seed in seeds}) == 5
    assert len({conversation_key(seed, "session-1") for seed in seeds}) == 5
    assert conversation_key(SEED, "session-1") != conversation_key(SEED, "session-12")
    assert b"session" not in conversation_key(SEED, "session-1")
