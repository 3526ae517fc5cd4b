"""The short form of `make soak-disk`: some of everything that a disk may do to the ledger."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from soak_disk import ERRORS, Findings, PowerCuts, SpoiledDisk, small_and_quick, soak

SEED, POINTS, PLACES = 5, 80, 12
WRITES = range(1, 51, 16)


@pytest.mark.slow
def test_whatever_the_disk_does_nothing_acknowledged_is_lost_and_damage_is_named(tmp_path):
    findings = soak(tmp_path, POINTS, SEED, WRITES, PLACES)

    assert findings.problems == []
    assert findings.power_cuts == POINTS
    assert findings.torn > POINTS / 4
    assert findings.refused_writes == 3 * len(ERRORS) * len(WRITES)
    assert findings.refused_statements == len(ERRORS) * len(WRITES)
    assert sum(findings.flips.values()) == 4 * PLACES
    assert findings.flips["rows"] == PLACES


@pytest.mark.slow
def test_a_disk_that_says_it_wrote_and_did_not_is_found(tmp_path, monkeypatch):
    """The test of the test."""
    monkeypatch.setattr(SpoiledDisk, "write", lambda _self, _file, data, _offset: len(data))
    findings = Findings()
    with small_and_quick():
        cuts = PowerCuts(tmp_path / "power", SEED, POINTS, findings)
        cuts.turn()
        cuts.unsynced(lambda: None, set())
        cuts.lab.crash()

    assert any("acknowledged and not there" in problem for problem in findings.problems)
