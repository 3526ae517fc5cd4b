import uuid

from hypothesis import given
from hypothesis import strategies as st

from arkway.model.ids import TAIL_BYTES, uuid7_head, uuid7_tails
from support import strategies  # noqa: F401 - its profile

times = st.integers(0, 2**48 - 1)
randomness = st.binary(min_size=TAIL_BYTES, max_size=TAIL_BYTES)


def one(unix_ms, tail):
    (text,) = uuid7_tails(tail)
    return uuid7_head(unix_ms) + text


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


@given(st.lists(randomness, max_size=20), st.binary(max_size=TAIL_BYTES - 1))
def test_each_tail_comes_from_bytes_of_its_own(parts, rest):
    tails = uuid7_tails(b"".join(parts) + rest)

    assert tails == [tail for part in parts for tail in uuid7_tails(part)]
    assert len(tails) == len(parts)


def test_74_bits_of_a_tail_are_random():
    blank = uuid7_tails(bytes(TAIL_BYTES))
    flips = [uuid7_tails((1 << bit).to_bytes(TAIL_BYTES, "big")) for bit in range(8 * TAIL_BYTES)]

    assert sum(flip != blank for flip in flips) == 74
    assert len({flip[0] for flip in flips if flip != blank}) == 74


def test_a_time_beyond_48_bits_wraps():
    assert uuid7_head((1 << 48) + 5) == uuid7_head(5) == "00000000-0005-7"
