"""The short form of `make soak-replay`: through the gateway a trace is as warm as simulated."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from soak_replay import soak

from arkway.simulate.trace.synthetic import Mix, synthetic

# A tenth of a second that other work takes from this machine is three of the replay's: turns then
# come before the ones before them are computed. What is missed so is not missed at a third of it.
SPEEDS = 30, 10
MIX = Mix(duration_s=180.0, gap_median_s=30.0, turns_mean=2.5, hot_share=0.3, seed=3)


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.parametrize("has_header", [True, False], ids=["header", "no header"])
def test_a_trace_is_as_warm_through_the_gateway_as_simulated(has_header):
    for speed in SPEEDS:
        verdict = soak(synthetic(MIX), speed, has_header=has_header)
        if verdict.share >= verdict.simulated_share - 0.01:
            break

    assert verdict.failed == {}
    assert verdict.provoked_429 == 0
    assert verdict.rows > 300
    assert verdict.share >= verdict.simulated_share - 0.01
