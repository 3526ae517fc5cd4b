from hypothesis import given
from hypothesis import strategies as st

from arkway.telemetry import exposition
from arkway.telemetry import families as f
from arkway.telemetry.events import CALLER_LEFT, FAILED, INTERRUPTED
from arkway.telemetry.meter import BATCH, MAX_LANES, MAX_RECENT, Meter, Names, Sets, Spread
from support.telemetry import call, failed_attempt, served_attempt


def ordinary(meter, *, is_stream=False, took_s=0.3, account="a", model="Doubao", **fields):
    only = served_attempt(account, model, **fields)
    return meter.on_ordinary(only.intent, only.end, is_stream, 10.0, 10.0 + took_s)


def counted(meter, family):
    return {labels: n for labels, n in meter.counters()[family.name].items() if n}


# An ordinary call, by the short way and by the long one.


def test_an_ordinary_call_counts_everywhere():
    meter = Meter()

    assert ordinary(meter, is_stream=True, first_token_ms=150)

    assert counted(meter, f.CALLS) == {("Doubao", "completed", "200", ""): 1}
    assert counted(meter, f.ATTEMPTS) == {("a", "completed", ""): 1}
    assert counted(meter, f.BOOKED) == {("settle",): 1}
    assert counted(meter, f.USAGE_SOURCE) == {("upstream",): 1}
    assert counted(meter, f.AFFINITY) == {("home",): 1}
    tokens = {kind: n for (_, kind), n in counted(meter, f.TOKENS).items()}
    assert tokens == {"input": 100, "cached_input": 50, "output": 20, "reasoning": 5}
    assert counted(meter, f.COST) == {("Doubao", "CNY"): 7_000}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 200_000), st.integers(0, 500)), max_size=9))
def test_the_short_way_and_the_long_way_count_the_same(calls):
    short, long = Meter(), Meter()
    for is_stream, first_ms, created in calls:
        only = served_attempt(first_token_ms=first_ms if is_stream else 0, created=created)
        assert short.on_ordinary(only.intent, only.end, is_stream, 10.0, 10.3)
        long.on_call(call(only, is_stream=is_stream))

    for name, sets in long.counters().items():
        assert {k: n for k, n in sets.items() if n} == {
            k: n for k, n in short.counters()[name].items() if n
        }, name
    histograms = [
        {
            (name, labels): (spread.counts, round(spread.total, 6))
            for name, labels, spread in meter.spreads()
            if sum(spread.counts)
        }
        for meter in (short, long)
    ]
    assert histograms[0] == histograms[1]


def test_beyond_the_last_lane_a_call_has_to_be_an_event():
    meter = Meter()
    for number in range(MAX_LANES):
        assert ordinary(meter, account=str(number))

    assert not ordinary(meter, account="one more")
    assert ordinary(meter, account="0"), "those that there are go on"


# Other calls.


def test_a_failover_counts_two_attempts_and_one_call():
    meter = Meter()

    meter.on_call(call(failed_attempt("a"), served_attempt("b", attempt=2)))

    assert counted(meter, f.CALLS) == {("Doubao", "completed", "200", ""): 1}
    assert counted(meter, f.ATTEMPTS) == {
        ("a", "refused", "transient"): 1,
        ("b", "completed", ""): 1,
    }
    assert counted(meter, f.BOOKED) == {("void",): 1, ("settle",): 1}
    assert counted(meter, f.AFFINITY) == {("home",): 1}, "of the one that answered"


def test_a_failed_call_is_in_no_latency_histogram():
    meter = Meter()

    meter.on_call(call(failed_attempt(), outcome=FAILED, status=502, code="upstream_error"))

    assert counted(meter, f.CALLS) == {("Doubao", "error", "502", "upstream_error"): 1}
    assert all(sum(spread.counts) == 0 for _, _, spread in meter.spreads())
    assert not meter.recent


def test_a_caller_who_leaves_is_counted_by_phase():
    meter = Meter()

    meter.on_call(call(served_attempt(), outcome=CALLER_LEFT, status=0))
    meter.on_call(call(served_attempt(first_token_ms=5), outcome=CALLER_LEFT, status=0))
    meter.on_call(call(outcome=CALLER_LEFT, status=0))

    assert counted(meter, f.CALLERS_LEFT) == {("before_first_byte",): 2, ("in_stream",): 1}
    assert counted(meter, f.CALLS) == {("Doubao", "caller_left", "none", ""): 3}


def test_an_interrupted_stream_has_the_status_that_its_caller_saw():
    meter = Meter()

    meter.on_call(call(served_attempt(), outcome=INTERRUPTED, code="upstream_stream_interrupted"))

    assert counted(meter, f.CALLS) == {
        ("Doubao", "interrupted", "200", "upstream_stream_interrupted"): 1
    }


# Who listens.


class Listener:
    def __init__(self):
        self.batches = []

    def take(self, calls):
        self.batches.append(len(calls))


def test_events_are_handed_on_in_batches_and_on_ticks():
    listener = Listener()
    meter = Meter([listener])

    for _ in range(BATCH + 3):
        meter.on_call(call(served_attempt()))
    assert listener.batches == [BATCH]
    meter.flush()
    meter.flush()

    assert listener.batches == [BATCH, 3]


def test_without_listeners_nothing_is_kept():
    meter = Meter()
    for _ in range(3 * BATCH):
        meter.on_call(call(served_attempt()))

    assert meter._waiting == []


# Bounds.


def test_sets_beyond_their_bound_are_other():
    sets = Sets(most=3)
    for number in range(10):
        sets.add((str(number), "x"))
    sets.add(("0", "x"))

    assert sets.counts == {
        ("0", "x"): 2, ("1", "x"): 1, ("2", "x"): 1, ("other", "other"): 7,
    }  # fmt: skip


def test_names_beyond_their_bound_are_other():
    names = Names(2)

    assert [names.label(name) for name in "abcab"] == ["a", "b", "other", "a", "b"]


def test_recent_calls_are_bounded():
    meter = Meter()
    for _ in range(MAX_RECENT + 10):
        ordinary(meter)

    assert len(meter.recent) == MAX_RECENT


def test_series_are_bounded_whatever_the_configuration_has():
    """Many more models, accounts, codes and currencies than any one has, all of them used."""
    meter = Meter()
    for number in range(600):
        name = f"n{number}"
        for is_stream in (False, True):
            ordinary(meter, model=name, account=name, is_stream=is_stream, first_token_ms=9)
        meter.on_call(
            call(failed_attempt(name, error_class=name), model=name, outcome=FAILED, code=name)
        )
        meter.on_error(400 + number, name, name)
        meter.on_ejected(name)
        meter.add(f.FRAMING, (name,))
        meter.add(f.COST, (name, name))
    page = exposition.Page({**meter.counters()}, list(meter.spreads()))
    for family in f.FAMILIES:
        if family.kind == f.GAUGE and not family.labels:
            page.put(family, 1)
        elif family.kind == f.GAUGE and "account" in family.labels:
            for number in range(600):
                page.values.setdefault(family.name, {})[(meter.account(f"n{number}"),)] = 1

    assert exposition.series(page) <= f.MAX_SERIES
    calls = meter.counters()[f.CALLS.name]
    assert sum(calls.values()) == 1800, "and every call is in one of them"


# Histograms.


def test_a_bound_belongs_to_what_is_below_it():
    spread = Spread((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        spread.add(value)

    assert spread.counts == [2, 2, 1]
    assert spread.total == 7.5
