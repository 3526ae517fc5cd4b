"""What do several property tests draw from? Splits, texts, JSON, and the profile they run under.

Importing this file loads the profile: the same examples in every run, nothing kept on disk.
"""

import json
from itertools import pairwise

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

settings.register_profile(
    "arkway",
    derandomize=True,
    database=None,
    deadline=None,  # machines that build are busy
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("arkway")

# What strings break: escapes, controls, line ends of other standards, halves of a template.
NASTY_TEXTS = (
    "",
    " ",
    '"',
    "\\",
    "/",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\x1f",
    "\x7f",
    "\x85",
    "\u2028",
    "\ufeff",
    "\ufffd",
    "é",
    "豆包",
    "🫘",
    "👩\u200d👩\u200d👧",
    "a\u0301",
    '"},"finish_reason":null}]}',
    "data: [DONE]",
)
texts = st.one_of(
    st.sampled_from(NASTY_TEXTS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12),
    st.lists(st.sampled_from(NASTY_TEXTS), max_size=4).map("".join),
)
json_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, -1, 2**63, 2**64, -(2**63) - 1, 10**30, 0.0, -0.0, 1.0, 1.5, 1e308]),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def json_bytes(value, separators=(",", ":"), *, ascii_only=False):
    return json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode()


def cut(data, places):
    """Return `data` in pieces, cut at `places`; none of them is empty."""
    ordered = sorted({place for place in places if 0 < place < len(data)})
    return [data[a:b] for a, b in pairwise([0, *ordered, len(data)])] if data else []


def one_by_one(data):
    return cut(data, range(len(data)))


def splits(data):
    """Return a strategy of the ways to cut `data`: anywhere, at each byte, not at all."""
    if len(data) < 2:
        return st.just([data] if data else [])
    anywhere = st.sets(st.integers(1, len(data) - 1), min_size=1, max_size=10)
    return st.one_of(
        anywhere.map(lambda places: cut(data, places)),
        st.integers(1, 7).map(lambda step: cut(data, range(0, len(data), step))),
    )
