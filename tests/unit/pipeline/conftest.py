"""What the tests of the pipeline share: a plane with fake attempts behind it."""

import pytest

from support import pipeline_lab
from support.hedging_lab import LATE_S, hedge


@pytest.fixture
def planes():
    """Return a function that opens a plane."""
    with pipeline_lab.planes() as make:
        yield make


@pytest.fixture
def lab(planes):
    return planes()


@pytest.fixture
def late(planes):
    """Three accounts, a streamed call, and two attempts of it under way."""
    lab = hedge(planes())
    lab.it = lab.call(stream=True)
    lab.pass_time(LATE_S)
    assert len(lab.attempts) == 2
    return lab
