"""Four simulated accounts, and a gateway in front of them that knows nothing yet."""

import pytest

from support.gateway import Gateway
from support.matrix import CLOCKS
from support.sim import Sim


@pytest.fixture(scope="module")
def sim():
    with Sim({"number_of_accounts": 4, "own_ports": True}, "--instant") as running:
        yield running


@pytest.fixture
def gateway(sim):
    """A gateway that knows nothing yet: each case begins with four healthy accounts."""
    sim.control("DELETE", "/faults")
    settings = {"accounts": sim.pool, "upstream": CLOCKS}
    with Gateway(settings, env=sim.env) as running:
        yield running
        assert running.unhandled() == ""
