"""Keys and homes within bounds: what goes first, and whose."""

import hashlib
import tracemalloc

import pytest

from arkway.routing.table import SHARDS, Table


def key(name):
    return hashlib.sha256(str(name).encode()).digest()[:16]


def test_a_key_has_the_homes_it_was_given():
    table = Table(100, 3)
    for account, at_s in ((1, 10.0), (2, 20.0), (1, 30.0)):
        table.add(0, [key("k")], account, at_s)

    entry = table.find(0, key("k"))

    assert (entry.used_at(1), entry.used_at(2), entry.used_at(3)) == (30.0, 20.0, float("-inf"))
    assert entry.homes() == 2
    assert table.find(1, key("k")) is None


def test_of_too_many_homes_the_longest_unused_goes():
    table = Table(100, 3)
    for account in range(6):
        table.add(0, [key("k")], account, float(account))

    entry = table.find(0, key("k"))

    assert entry.homes() == 3
    assert [entry.used_at(account) >= 0 for account in range(6)] == [1, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("shards", [1, 5, SHARDS])
def test_never_more_than_its_bound(shards):
    table = Table(1000, 4)

    for at in range(20_000):
        table.add(at % shards, [key(at)], at % 7, float(at))
        assert table.size <= 1000

    assert len(table) >= 900
    assert table.evicted >= 19_000


def test_what_is_used_stays():
    table = Table(1000, 4)

    for at in range(20_000):
        table.add(0, [key("used"), key(at)], 0, float(at))

    assert table.find(0, key("used")) is not None
    assert table.find(0, key(19_999)) is not None
    assert table.find(0, key(5)) is None


def test_one_tenant_pushes_out_its_own():
    table = Table(1000, 4)
    for at in range(100):
        table.add(3, [key(f"quiet {at}")], 0, 1.0)

    for at in range(50_000):
        table.add(9, [key(at)], 0, 2.0)

    assert all(table.find(3, key(f"quiet {at}")) for at in range(100))


def test_a_removed_account_is_no_home_any_more():
    table = Table(1000, 4)
    table.add(0, [key("a"), key("b")], 1, 1.0)
    table.add(0, [key("b")], 2, 1.0)

    assert table.forget(1) == 2

    assert table.find(0, key("a")) is None
    assert table.find(0, key("b")).used_at(2) == 1.0
    assert table.size == 1


@pytest.mark.slow
def test_a_million_ids_take_less_than_64_mib():
    table = Table(200_000, 64)
    tracemalloc.start()
    try:
        for at in range(1_000_000):
            table.add(at % 3, [at.to_bytes(16, "big")], at % 16, float(at))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert table.size <= 200_000
    assert peak_bytes < 64 * 1024 * 1024
