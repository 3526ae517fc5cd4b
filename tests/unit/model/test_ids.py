import uuid

from hypothesis import given
from hypothesis import strategies as st

from arkway.model.ids import BLOCK_BYTES, uuid7_head, uuid7_tails
from support import strategies  # noqa: F401 - its profile

times = st.integers(0, 2**48 - 1)
randomness = st.binary(min_size=BLOCK_BYTES, max_size=BLOCK_BYTES)


def one(unix_ms, tail):
    return uuid7_head(unix_ms) + uuid7_tails(tail)[-1]


@given(times, randomness)
def test_an_id_is_a_uuid_of_version_7_in_its_canonical_form(unix_ms, tail):
    text = one(unix_ms, tail)
    parsed = uuid.UUID(text)

    assert str(parsed) == text
    assert parsed.variant == uuid.RFC_4122
    assert parsed.version == 7
    assert parsed.int >> 80 == unix_ms


@given(times, times, randomness, randomness)
def test_ids_sort_by_time(one_ms, other_ms, one_tail, other_tail):
    if one_ms != other_ms:
        assert (one(one_ms, one_tail) < one(other_ms, other_tail)) is (one_ms < other_ms)


@given(times, randomness)
def test_a_block_gives_256_ids_that_ascend(unix_ms, block):
    tails = uuid7_tails(block)
    ids = [uuid7_head(unix_ms) + tails.pop() for _ in range(256)]

    assert not tails
    assert ids == sorted(set(ids))


def test_66_bits_of_a_block_are_random():
    blank = uuid7_tails(bytes(BLOCK_BYTES))[0]
    flips = [
        uuid7_tails((1 << bit).to_bytes(BLOCK_BYTES, "big"))[0] for bit in range(8 * BLOCK_BYTES)
    ]

    assert len({flip for flip in flips if flip != blank}) == 66


def test_a_time_beyond_48_bits_wraps():
    assert uuid7_head((1 << 48) + 5) == uuid7_head(5) == "00000000-0005-7"
