from hypothesis import given
from hypothesis import strategies as st

from arkway.ledger.price import classes, cost_nano, most_nano, priced, rates
from arkway.model.catalogue import Price
from arkway.model.usage import Usage

counts = st.integers(0, 10**9)
rate = st.integers(0, 10**12)
prices = st.builds(Price, st.just(1), st.just("CNY"), rate, rate, rate, st.none() | rate)


@st.composite
def usages(draw):
    cached, created, rest, reasoning, output = (draw(counts) for _ in range(5))
    return Usage(cached + created + rest, cached, reasoning + output, reasoning, created)


@given(usages())
def test_each_token_is_in_one_class(usage):
    assert sum(classes(usage)) == usage.input_tokens + usage.output_tokens
    assert min(classes(usage)) >= 0


@given(usages(), prices)
def test_the_cost_is_the_exact_sum_rounded_half_up_once(usage, price):
    exact = sum(n * r for n, r in zip(classes(usage), rates(price), strict=True))
    cost = cost_nano(usage, price)

    assert 2 * abs(cost * 1_000_000 - exact) <= 1_000_000
    assert (cost * 1_000_000 - exact) * 2 != -1_000_000, "half goes up"


@given(usages(), prices)
def test_priced_is_both_in_one(usage, price):
    assert priced(usage, price) == (*classes(usage), cost_nano(usage, price))


@given(usages(), prices)
def test_the_most_is_never_less(usage, price):
    assert most_nano(usage.input_tokens, usage.output_tokens, price) >= cost_nano(usage, price) or (
        price.cached_input_nano > price.input_nano
    )


def test_a_bill_by_hand():
    doubao = Price(1, "CNY", 800_000_000, 160_000_000, 2_000_000_000)

    # 1000 uncached at 0.80, 3000 cached at 0.16, 500 out at 2.00 CNY a million tokens.
    assert cost_nano(Usage(4000, 3000, 500), doubao) == 800_000 + 480_000 + 1_000_000
