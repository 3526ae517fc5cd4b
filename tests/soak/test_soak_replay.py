"""The short form of `make soak-replay`: through the gateway a trace is as warm as simulated."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from soak_replay import soak

from arkway.simulate.trace.synthetic import Mix, synthetic

SPEED = 30
MIX = Mix(duration_s=180.0, gap_median_s=30.0, turns_mean=2.5, hot_share=0.3, seed=3)


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.parametrize("has_header", [True, False], ids=["header", "no header"])
def test_a_trace_is_as_warm_through_the_gateway_as_simulated(has_header):
    verdict = soak(synthetic(MIX), SPEED, has_header=has_header)

    assert verdict.failed == {}
    assert verdict.provoked_429 == 0
    assert verdict.rows > 300
    assert verdict.share >= verdict.simulated_share - 0.01
