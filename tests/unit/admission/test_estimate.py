from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from arkway.admission.answers import PRIOR_OUTPUT_TOKENS
from arkway.admission.estimate import (
    HARD_TOKENS_PER_BYTE,
    INITIAL_TOKENS_PER_BYTE,
    MIN_TEXT_BYTES,
    TEMPLATE_TOKENS,
    TEMPLATE_TOKENS_PER_MESSAGE,
    Estimate,
    Estimator,
    TokenRatio,
    cost_nano,
    output_cap,
)
from arkway.model.call import Call
from arkway.model.catalogue import ModelSpec, Price
from support import strategies  # noqa: F401 - its profile


def learned(*prompts):
    ratio = TokenRatio()
    for text_bytes, tokens in prompts:
        ratio.learn(text_bytes, tokens)
    return ratio.tokens_per_byte


@pytest.mark.parametrize(
    "prompts", [[], [(MIN_TEXT_BYTES - 1, 100)], [(1000, 0)], [(1000, -5)], [(0, 9)]]
)
def test_what_teaches_nothing_changes_nothing(prompts):
    assert learned(*prompts) == INITIAL_TOKENS_PER_BYTE


def test_the_ratio_is_that_of_all_prompts_together():
    assert learned((MIN_TEXT_BYTES, 50)) == 50 / MIN_TEXT_BYTES
    assert learned((1000, 200), (3000, 1000)) == 0.3


def test_old_prompts_are_slowly_forgotten():
    ratio, rounds = TokenRatio(), 0
    for _ in range(100):
        ratio.learn(1_000_000, 200_000)
    while ratio.tokens_per_byte < 0.39:
        ratio.learn(1_000_000, 400_000)
        rounds += 1

    assert 32 < rounds < 320  # some times 32 MB, not days and not minutes


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(-10, 10**8)), max_size=30))
def test_the_ratio_lies_between_the_prompts_own(prompts):
    counted = [t / b for b, t in prompts if b >= MIN_TEXT_BYTES and t > 0]

    ratio = learned(*prompts)

    if counted:
        assert min(counted) * 0.999 <= ratio <= max(counted) * 1.001
    else:
        assert ratio == INITIAL_TOKENS_PER_BYTE


# -- the most that a prompt can have --------------------------------------------------------------


def test_the_most_starts_at_what_no_tokenizer_passes_and_follows_what_prompts_show():
    ratio = TokenRatio()
    assert ratio.most_tokens_per_byte == HARD_TOKENS_PER_BYTE

    for _ in range(400):
        ratio.learn(1000, 200)

    assert 0.22 <= ratio.most_tokens_per_byte < 0.225  # a margin of a tenth, and little left over


def test_a_dense_prompt_raises_the_most_at_once_and_it_fades_slowly():
    ratio = TokenRatio()
    for _ in range(400):
        ratio.learn(1000, 200)

    ratio.learn(1000, 600)
    assert ratio.most_tokens_per_byte == pytest.approx(0.66)
    for _ in range(40):
        ratio.learn(1000, 200)
    assert 0.4 < ratio.most_tokens_per_byte < 0.66


@given(st.lists(st.tuples(st.integers(MIN_TEXT_BYTES, 10**6), st.integers(1, 10**6)), min_size=1))
def test_the_prompt_just_seen_is_within_the_most(prompts):
    ratio = TokenRatio()
    for text_bytes, tokens in prompts:
        ratio.learn(text_bytes, tokens)

        assert tokens <= text_bytes * ratio.most_tokens_per_byte


# -- a call's estimate ----------------------------------------------------------------------------

PRICE = Price(1, "CNY", 800_000_000, 160_000_000, 2_000_000_000)  # 800 and 2 000 nano a token
MODEL = ModelSpec("m", "up", 32_768, 12_288, price=PRICE)


def a_call(text_bytes=1000, n=1, model=MODEL, **params):
    params.setdefault("messages", [{"role": "user", "content": "x"}])
    return Call(model, "m", False, False, n, params, text_bytes, None, params.get("max_tokens"))


def taught(prompts=400, ratio=0.25, output=100, key="key_1"):
    estimator = Estimator()
    for _ in range(prompts):
        estimator.learn(key, a_call(), int(1000 * ratio), output)
    return estimator


def test_before_anything_was_learned():
    estimate = Estimator().estimate("key_1", a_call(1000))
    template = TEMPLATE_TOKENS + TEMPLATE_TOKENS_PER_MESSAGE

    assert estimate.least_tokens == 125
    assert estimate.likely_tokens == template + 300 + PRIOR_OUTPUT_TOKENS
    assert estimate.most_tokens == template + 1000 + 12_288
    assert estimate.most_nano == (template + 1000) * 800 + 12_288 * 2000


def test_what_was_learned_makes_the_estimate_narrow():
    estimate = taught().estimate("key_1", a_call(1000, max_tokens=500))

    assert estimate.least_tokens == 250
    assert 380 <= estimate.likely_tokens <= 430  # 250 and 100 are right; template and margins
    assert 775 <= estimate.most_tokens <= 810
    assert 275 * 800 + 500 * 2000 <= estimate.most_nano <= 310 * 800 + 500 * 2000


def test_max_tokens_caps_the_answer():
    free = taught(output=3000).estimate("key_1", a_call())
    capped = taught(output=3000).estimate("key_1", a_call(max_tokens=10))

    assert free.likely_tokens - capped.likely_tokens >= 2990
    assert free.most_tokens - capped.most_tokens == 12_288 - 10
    assert output_cap(MODEL, 10**9) == 12_288
    assert output_cap(MODEL, None) == 12_288


def test_each_choice_pays_for_the_prompt():
    one, four = (taught().estimate("key_1", a_call(n=n)) for n in (1, 4))

    assert four == Estimate(*(4 * value for value in astuple(one)))


def test_a_prompt_is_not_longer_than_the_window():
    estimate = Estimator().estimate("key_1", a_call(10**7))

    assert estimate.most_tokens == 32_768 + 12_288
    assert estimate.least_tokens == 32_768
    assert estimate.likely_tokens == 32_768 + PRIOR_OUTPUT_TOKENS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tools", [{"type": "function", "function": {"name": "f" * 5000}}]),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "f" * 5000}}),
    ],
)
def test_what_the_upstream_writes_into_the_prompt_counts(name, value):
    estimator = taught()
    plain, more = (
        estimator.estimate("key_1", a_call()),
        estimator.estimate("key_1", a_call(**{name: value})),
    )

    assert more.likely_tokens - plain.likely_tokens >= 1250
    before = estimator.ratio(MODEL).most_tokens_per_byte
    estimator.learn("key_1", a_call(**{name: value}), 5000, 100)
    assert estimator.ratio(MODEL).most_tokens_per_byte == before  # it says nothing about text


def test_tool_calls_of_the_past_count():
    past = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"arguments": "x" * 4000}}]}
    plain, more = (
        taught().estimate("key_1", a_call(messages=messages))
        for messages in ([{"role": "assistant", "content": "x"}], [past])
    )

    assert more.likely_tokens - plain.likely_tokens >= 1000


def test_media_may_fill_the_window():
    parts = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "u"}}]
    with_media = taught().estimate("key_1", a_call(messages=[{"role": "user", "content": parts}]))
    text_only = taught().estimate(
        "key_1", a_call(messages=[{"role": "user", "content": parts[:1]}])
    )

    assert with_media.most_tokens == 32_768 + 12_288
    assert text_only.most_tokens < 13_000


def test_a_model_without_a_price_costs_nothing():
    assert Estimator().estimate("key_1", a_call(model=replace(MODEL, price=None))).most_nano == 0


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**12), st.integers(0, 10**12))
def test_cost_is_rounded_up_and_never_below_the_bill(input_tokens, output_tokens, dear, out):
    price = Price(1, "CNY", dear, dear // 5, out)
    cost = cost_nano(price, input_tokens, output_tokens)

    exact = input_tokens * dear + output_tokens * out
    assert (cost - 1) * 10**6 < exact <= cost * 10**6


@pytest.mark.parametrize(
    ("cached", "creation", "dearest"), [(1, None, 5), (9, None, 9), (1, 7, 7), (1, 2, 5)]
)
def test_input_is_taken_at_its_dearest(cached, creation, dearest):
    price = Price(1, "CNY", 5 * 10**6, cached * 10**6, 0, creation * 10**6 if creation else None)

    assert cost_nano(price, 1000, 50) == dearest * 1000


@given(
    st.lists(
        st.tuples(
            st.integers(MIN_TEXT_BYTES, 20_000), st.floats(0.15, 0.35), st.integers(1, 12_288)
        ),
        min_size=250,
        max_size=300,
    )
)
@settings(max_examples=10)
def test_use_stays_within_the_most_once_the_prompts_are_known(calls):
    """Prompts that mix scripts within a factor of two: fewer than one in fifty pass the most."""
    estimator, passed = Estimator(), 0
    for text_bytes, ratio, output in calls:
        call, tokens = a_call(text_bytes), int(text_bytes * ratio)
        estimate = estimator.estimate("key_1", call)
        assert estimate.least_tokens <= estimate.likely_tokens <= estimate.most_tokens
        passed += tokens + output > estimate.most_tokens
        estimator.learn("key_1", call, tokens, output)

    assert passed <= len(calls) / 50
