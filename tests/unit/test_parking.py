"""A parked strand goes on once, with what the pool decided, or gives its place back."""

from math import inf

import pytest

from arkway.model.outcome import CallerGone
from arkway.parking import Parking
from arkway.routing.lease import Lease, Refusal, Wait, Why
from support.fakes import FakeLoop, FakeStrand


class FakePool:
    """A pool that wakes whom the test says."""

    def __init__(self):
        self.wake_at_s = inf
        self.woken = []  # what the next wake returns
        self.left, self.released = [], []
        self.wakes = 0

    def wake(self, now_s):
        self.wakes += 1
        woken, self.woken = self.woken, []
        return woken

    def leave(self, wait):
        self.left.append(wait)

    def release(self, lease, *, was_sent):
        assert not was_sent
        self.released.append(lease)


@pytest.fixture
def loop():
    with FakeLoop() as running:
        yield running


@pytest.fixture
def pool():
    return FakePool()


@pytest.fixture
def parking(pool, loop):
    return Parking(pool, loop)


def wait():
    return Wait(None, (), (), 0.0, 30.0)


def lease():
    return Lease(None, None, None, 0, 0.0, None)


def park(parking, place, results, then=lambda: None):
    """Park a strand at `place`; what it comes to is appended to `results`."""

    async def body():
        results.append(await parking.wait(place, strand))
        then()

    strand = FakeStrand()
    strand.steps = body().__await__()
    strand.resume()
    return strand


def test_a_strand_goes_on_with_what_the_pool_decided(parking, pool, loop):
    places, results = [wait(), wait()], []
    for place in places:
        park(parking, place, results)
    ends = [lease(), Refusal(Why.LIMITED, 3.0)]
    pool.woken = list(zip(places, ends, strict=True))
    parking.look()
    assert results == []  # at the end of the turn
    loop.turn()

    assert results == ends
    assert len(parking) == 0


def test_many_ends_in_one_turn_are_one_look(parking, pool, loop):
    park(parking, wait(), [])
    for _ in range(5):
        parking.look()
    loop.turn()

    assert pool.wakes == 1


def test_nobody_waits_nobody_looks(parking, pool, loop):
    parking.look()
    loop.turn()

    assert pool.wakes == 0


def test_time_wakes_too(parking, pool, loop):
    place, results = wait(), []
    pool.wake_at_s = loop.now_s + 5
    park(parking, place, results)
    pool.woken = [(place, Refusal(Why.LIMITED, 3.0))]
    loop.pass_time(4.9)
    assert results == []
    pool.wake_at_s = inf
    loop.pass_time(0.2)

    assert len(results) == 1
    assert all(timer.is_cancelled for timer in loop.timers)


def test_an_earlier_time_takes_the_place_of_a_later_one(parking, pool, loop):
    pool.wake_at_s = loop.now_s + 5
    park(parking, wait(), [])
    pool.wake_at_s = loop.now_s + 1
    park(parking, wait(), [])

    assert [timer.at_s for timer in loop.timers if not timer.is_cancelled] == [loop.now_s + 1]


def test_a_caller_that_leaves_leaves_the_queue(parking, pool, loop):
    place, results = wait(), []
    strand = park(parking, place, results)
    strand.throw(CallerGone())

    assert pool.left == [place]
    assert len(parking) == 0
    assert [type(end) for end in strand.endings] == [CallerGone]


def test_a_place_that_came_in_the_turn_in_which_its_caller_left_is_given_back(parking, pool, loop):
    first, second, results = wait(), wait(), []
    leaving = []
    park(parking, first, results, then=lambda: leaving[0].throw(CallerGone()))
    leaving.append(park(parking, second, results))
    ends = [lease(), lease()]
    pool.woken = [(first, ends[0]), (second, ends[1])]
    parking.look()
    loop.turn()

    assert results == ends[:1]
    assert pool.released == ends[1:]
    assert pool.left == []
