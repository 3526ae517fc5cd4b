"""The short form of `make soak-ledger`: 20 kills, nothing acknowledged lost, doubled or unseen."""

import asyncio
import sys
from pathlib import Path

import pytest

from support.gateway import free_port

sys.path.insert(0, str(Path(__file__).parent))

from soak_ledger import RECOVERY_LIMIT_S, soak

KILLS, SEED = 20, 7


@pytest.mark.slow
@pytest.mark.e2e
def test_20_kills_lose_nothing(tmp_path):
    ports = free_port(), free_port(), free_port()

    verdict = asyncio.run(soak(KILLS, SEED, ports, tmp_path))

    assert verdict.problems == []
    assert verdict.kills == KILLS
    assert verdict.acknowledged > 1000
    assert verdict.unknown > 0, "no kill hit a call under way"
    assert verdict.slowest_recovery_s < RECOVERY_LIMIT_S
