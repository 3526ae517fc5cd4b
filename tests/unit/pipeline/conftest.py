"""What the tests of the pipeline share: a plane with fake attempts behind it."""

import pytest

from support import pipeline_lab


@pytest.fixture
def planes():
    """Return a function that opens a plane."""
    with pipeline_lab.planes() as make:
        yield make


@pytest.fixture
def lab(planes):
    return planes()
