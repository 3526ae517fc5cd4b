"""A fault of one of four accounts before the first byte: another answers, and no caller sees it.

The upstreams are simulated Ark accounts, callers are raw; each answer is checked word by word.
`CALLS=200` is the long form (`make soak-faults`).
"""

import pytest

from support.matrix import BEFORE, CALLS, FAULTY, go, named


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("fault", BEFORE, ids=named)
def test_a_fault_before_the_first_byte_costs_no_caller_anything(sim, gateway, fault, stream):
    sim.set_faults({**fault, "accounts": [FAULTY]})

    crowd = go(gateway, stream=stream)

    assert crowd.seen == {"good": CALLS}
