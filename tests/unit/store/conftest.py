"""What the tests of the store share."""

import pytest

from support.stores import fresh_store


@pytest.fixture
def store(tmp_path):
    """Return a new store."""
    return fresh_store(tmp_path)
