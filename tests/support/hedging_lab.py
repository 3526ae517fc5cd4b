"""What do tests of hedging hold in their hands? A plane that sends late calls twice."""

from arkway.model.call import Call
from arkway.parking import Parking
from arkway.routing.ask import Size
from arkway.routing.policy import RoutingPolicy
from arkway.routing.pool import Pool
from arkway.wire.common_body import CommonBody, CommonMessage
from support.pipeline_lab import DONE, MODEL, chunk, said, usage_chunk

LATE_S = 0.5  # more than the percentile of the accounts here
LOST, UNKNOWN = "hedge_lost", "unknown"


def hedge(lab, **policy):
    """Let a plane hedge: its accounts are known to begin their answers within 0.4 s."""
    pool = lab.plane.pool = Pool(b"s" * 43, RoutingPolicy(hedges=True, **policy))
    lab.plane.parking = Parking(pool, lab.loop)
    for slot in slots(lab).values():
        for _ in range(20):
            slot.ttfts.learn(0.4)
    return lab


def slots(lab):
    """Return what the pool knows of each account, by name."""
    accounts = lab.plane.snapshot.accounts
    names = [one.id for one in accounts]
    body = CommonBody(MODEL.name, [CommonMessage("user", "x")])
    call = Call(MODEL, MODEL.name, False, False, 1, body, 1, None)
    pool = lab.plane.pool
    ask = pool.ask(call, "t", Size(1, 1), accounts)
    found = {}
    for name in names:
        others = [other for other in names if other != name] or [""]
        lease = pool.choose(ask, accounts, lab.loop.now_s, others)
        pool.release(lease, was_sent=False)
        found[name] = lease.slot
    return found


def whole(attempt, text="hello"):
    attempt.data(chunk(text), chunk(finish="stop"), usage_chunk(), DONE)


def told(lab, it=None):
    """Return what the caller has got."""
    lab.loop.turn()
    return said(it or lab.it)


def outcomes(lab):
    """Return how each attempt ended, by number."""
    return {end.attempt: (str(end.kind), str(end.outcome)) for end in lab.plane.booked}


def tokens(lab):
    return sum(end.tokens for end in lab.plane.booked)
