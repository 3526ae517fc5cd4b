"""What unit tests of several rooms share."""

import pytest

from support.fakes import FakeLoop


@pytest.fixture
def loop():
    with FakeLoop() as loop:
        yield loop
