"""The short form of `make soak-mixed`: 2 000 calls of every kind, added up on both sides."""

import sys
from pathlib import Path

import pytest

from support.gateway import free_port

sys.path.insert(0, str(Path(__file__).parent))

from soak_mixed import ACCOUNTS, KEYS, MODELS, soak

CALLS, SEED = 2_000, 3


@pytest.mark.slow
@pytest.mark.e2e
def test_the_ledger_says_what_the_upstream_counted(tmp_path):
    verdict = soak(CALLS, SEED, (free_port(), free_port(), free_port()), tmp_path)

    assert verdict.problems == []
    assert verdict.calls == CALLS
    assert verdict.sums_compared == KEYS + len(MODELS) + ACCOUNTS
    assert verdict.left > CALLS / 20
    for ending in (
        "settle upstream completed",
        "settle upstream caller_left",
        "settle estimate completed",
        "settle estimate caller_left",
        "settle estimate upstream_interrupted",
        "unknown none ambiguous",
        "void none refused",
    ):
        assert verdict.ends.get(ending, 0) > 0, ending
