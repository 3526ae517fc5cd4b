from dataclasses import replace

import msgspec
import pytest

from arkway.routing.health import State
from arkway.routing.pool import Pool
from arkway.routing.report import AccountReport, Use
from arkway.runtime.accounts_view import account_states
from support.pipeline_lab import account

WELL = AccountReport(
    account="a", model="m", state=State.OK, reason="", returns_in_s=None, is_draining=False,
    requests=Use(5, 10), tokens=Use(0, None), in_flight=Use(3, 4), waiting=2, blocked_for_s=0.0,
    limited=0, cached_share=0.0, ttft_s=0.0, slowness=1.0, affinity_pays=True, ejections=0,
)  # fmt: skip
OUT = msgspec.structs.replace(
    WELL, model="n", state=State.EJECTED, reason="5 failures", returns_in_s=30.0
)
BROKEN = msgspec.structs.replace(OUT, state=State.BROKEN, reason="bad key", returns_in_s=None)


class FakePool:
    def __init__(self, *reports):
        self.reports = reports

    def health(self, now_s):
        return [*self.reports, msgspec.structs.replace(WELL, account="gone")]


@pytest.mark.parametrize(
    ("reports", "state", "reason"),
    [
        ((), "up", ""),
        ((WELL,), "up", ""),
        ((WELL, OUT), "partly", "5 failures"),
        ((OUT,), "ejected", "5 failures"),
        ((OUT, BROKEN), "ejected", "5 failures"),
        ((BROKEN,), "broken", "bad key"),
    ],
)
def test_an_account_is_what_its_models_are(reports, state, reason):
    (found,) = account_states(FakePool(*reports), (account("a"),), 1.0)

    assert (found.account, found.state, found.reason) == ("a", state, reason)
    assert found.is_out == (state in ("ejected", "broken"))
    assert found.in_flight == 3 * len(reports)
    assert found.waiting == 2 * len(reports)
    assert found.utilisation == (0.75 if reports else None), "of the fullest limit"


def test_a_draining_account_is_that_first():
    (found,) = account_states(FakePool(OUT), (replace(account("a"), is_draining=True),), 1.0)

    assert found.state == "draining"
    assert not found.is_out


def test_the_real_pool_reports_what_it_was_told():
    pool = Pool(b"s" * 43)
    pool.apply((account("a"), account("b")), 1.0)

    found = account_states(pool, (account("a"), account("b")), 1.0)

    assert [(each.account, each.state, each.in_flight) for each in found] == [
        ("a", "up", 0),
        ("b", "up", 0),
    ]
