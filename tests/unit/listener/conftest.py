"""What the tests of connections and exchanges share: a door in front of a coroutine."""

import pytest

from support.fakes import FakeLoop
from support.listener_lab import ListenerLab


@pytest.fixture
def serving():
    """Return a function that opens a door in front of a coroutine."""
    labs = []
    with FakeLoop() as loop:

        def make(serve, **bounds):
            labs.append(ListenerLab(loop, serve, **bounds))
            return labs[-1]

        yield make
        for lab in labs:
            assert lab.front.crashes == []
