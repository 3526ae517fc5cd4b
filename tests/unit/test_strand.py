import types
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.strand import Branch, Cancelled, Strand, gather
from support.fakes import FakeStrand


class Oops(Exception):
    pass


class Leave(Exception):
    pass


@types.coroutine
def pause():
    """Wait until somebody resumes the strand."""
    yield


# One strand.


def test_a_strand_runs_to_its_first_wait_and_on_when_resumed():
    steps = []

    async def body(strand):
        steps.append("begun")
        await pause()
        steps.append("resumed")

    strand = FakeStrand.run(body)
    assert (steps, strand.endings) == (["begun"], [])
    assert not strand.is_running

    strand.resume()
    assert steps == ["begun", "resumed"]
    assert strand.endings == [None]
    assert not strand.is_running


def test_a_strand_that_does_not_wait_has_ended_at_once():
    async def body(strand):
        assert strand.is_running

    assert FakeStrand.run(body).endings == [None]


@pytest.mark.parametrize("waits", [0, 1])
@pytest.mark.parametrize("error", [Oops("x"), KeyboardInterrupt(), SystemExit(1), GeneratorExit()])
def test_an_exception_is_the_end(waits, error):
    async def body(strand):
        for _ in range(waits):
            await pause()
        raise error

    strand = FakeStrand.run(body)
    for _ in range(waits):
        strand.resume()

    assert strand.endings == [error]
    assert strand.steps is None
    assert not strand.is_running


def test_what_is_thrown_appears_at_the_wait():
    seen = []

    async def body(strand):
        try:
            await pause()
        except Oops as error:
            seen.append(error)
            assert strand.is_running
        await pause()

    strand, error = FakeStrand.run(body), Oops()

    strand.throw(error)
    assert seen == [error]
    assert strand.endings == []
    strand.resume()
    assert strand.endings == [None]


@pytest.mark.parametrize("after", [None, Oops()])
def test_what_is_thrown_may_end_the_strand(after):
    async def body(strand):
        try:
            await pause()
        except Leave:
            if after is not None:
                raise after from None

    strand = FakeStrand.run(body)

    strand.throw(Leave())

    assert strand.endings == [after]


def test_what_nobody_catches_ends_the_strand_with_itself():
    async def body(strand):
        await pause()

    strand, error = FakeStrand.run(body), Leave()

    strand.throw(error)

    assert strand.endings == [error]


def test_an_ended_strand_takes_nothing_more():
    async def body(strand):
        pass

    strand = FakeStrand.run(body)

    strand.throw(Oops())
    assert strand.endings == [None]
    with pytest.raises(AssertionError, match="an ended strand"):
        strand.resume()


def test_a_running_strand_cannot_be_thrown_into():
    async def body(strand):
        strand.throw(Oops())

    strand = FakeStrand.run(body)

    assert type(strand.error) is AssertionError
    assert "running strand" in str(strand.error)


def test_what_follows_an_end_may_look_at_the_strand():
    class Curious(FakeStrand, kw_only=True):
        def on_end(self, error):
            assert self.steps is None
            assert not self.is_running
            super().on_end(error)

    async def body(strand):
        pass

    assert Curious.run(body).endings == [None]


def test_a_plain_strand_says_nothing_of_its_end():
    async def body():
        pass

    strand = Strand(steps=body().__await__())

    with pytest.raises(NotImplementedError):
        strand.resume()


# Side by side.


class Lab:
    """Branches that do as they are told, gathered on one strand."""

    def __init__(self):
        self.strands = {}
        self.log = []
        self.caught = None
        self.went_on = False

    def body(self, name, waits, error=None):
        async def run(strand):
            self.strands[name] = strand
            try:
                for _ in range(waits):
                    await pause()
                if error is not None:
                    raise error  # noqa: TRY301 - as deep as any other
            except Exception as raised:
                self.log.append((name, raised))
                raise
            else:
                self.log.append((name, None))

        return run

    def gather(self, *bodies):
        async def parent(strand):
            try:
                await gather(strand, bodies)
            except Exception as error:
                self.caught = error
                raise
            self.went_on = True

        self.parent = FakeStrand.run(parent)
        return self

    @property
    def ends(self):
        return {name: error if error is None else type(error) for name, error in self.log}


def test_nothing_to_gather_is_done():
    assert Lab().gather().parent.endings == [None]


def test_all_branches_run_side_by_side_and_the_parent_goes_on_after_the_last():
    lab = Lab()
    lab.gather(lab.body("a", 2), lab.body("b", 0), lab.body("c", 1))
    assert lab.ends == {"b": None}
    assert lab.parent.endings == []

    lab.strands["a"].resume()
    lab.strands["c"].resume()
    assert lab.parent.endings == []
    lab.strands["a"].resume()

    assert [name for name, _ in lab.log] == ["b", "c", "a"]
    assert lab.parent.endings == [None]
    assert lab.went_on


def test_all_may_end_at_once():
    lab = Lab()

    lab.gather(lab.body("a", 0), lab.body("b", 0))

    assert lab.went_on
    assert lab.parent.endings == [None]


def test_the_first_failure_cancels_the_others_and_is_raised():
    lab, error = Lab(), Oops()
    lab.gather(lab.body("a", 1), lab.body("b", 1, error), lab.body("c", 1))

    lab.strands["b"].resume()

    assert lab.ends == {"b": Oops, "a": Cancelled, "c": Cancelled}
    assert lab.caught is error
    assert lab.parent.endings == [error]


def test_a_failure_at_once_starts_no_more_branches():
    lab, error = Lab(), Oops()

    lab.gather(lab.body("a", 1), lab.body("b", 0, error), lab.body("c", 0))

    assert lab.ends == {"b": Oops, "a": Cancelled}
    assert "c" not in lab.strands
    assert lab.parent.endings == [error]


def test_a_failure_after_another_branch_has_ended_does_not_touch_it():
    lab, error = Lab(), Oops()
    lab.gather(lab.body("a", 0), lab.body("b", 1, error))

    lab.strands["b"].resume()

    assert lab.log[0] == ("a", None)
    assert lab.caught is error


def test_what_is_thrown_into_the_parent_is_thrown_into_all():
    lab, leave = Lab(), Leave()
    lab.gather(lab.body("a", 1), lab.body("b", 0), lab.body("c", 3))

    lab.parent.throw(leave)

    assert lab.log == [("b", None), ("a", leave), ("c", leave)]
    assert lab.parent.endings == [leave]


def test_a_branch_that_fails_on_its_way_out_changes_nothing():
    lab = Lab()

    async def stubborn(strand):
        try:
            await pause()
        except Leave:
            raise Oops from None

    lab.gather(stubborn, lab.body("b", 1))
    leave = Leave()

    lab.parent.throw(leave)

    assert lab.parent.endings == [leave]
    assert lab.ends == {"b": Leave}


def test_a_branch_may_swallow_what_is_thrown():
    lab = Lab()

    async def quiet(strand):
        try:
            await pause()
        except Cancelled:
            lab.log.append(("quiet", None))

    error = Oops()
    lab.gather(quiet, lab.body("b", 1, error))

    lab.strands["b"].resume()

    assert ("quiet", None) in lab.log
    assert lab.parent.endings == [error]


def test_the_parent_may_be_resumed_for_nothing():
    lab = Lab()
    lab.gather(lab.body("a", 1))

    lab.parent.resume()
    assert lab.parent.endings == []
    lab.strands["a"].resume()

    assert lab.parent.endings == [None]


def test_the_parent_may_go_on_to_gather_again():
    lab = Lab()

    async def parent(strand):
        await gather(strand, [lab.body("a", 1)])
        await gather(strand, [lab.body("b", 1)])

    strand = FakeStrand.run(parent)
    lab.strands["a"].resume()
    lab.strands["b"].resume()

    assert strand.endings == [None]


def test_a_gathering_within_a_branch():
    lab, error = Lab(), Oops()

    async def nested(strand):
        await gather(strand, [lab.body("a", 1), lab.body("b", 1, error)])

    lab.gather(nested, lab.body("c", 1))

    lab.strands["b"].resume()

    assert lab.ends == {"b": Oops, "a": Cancelled, "c": Cancelled}
    assert lab.parent.endings == [error]


def test_a_branch_of_nobody_is_a_bug():
    async def body():
        pass

    with pytest.raises(AssertionError, match="set by gather"):
        Branch(steps=body().__await__()).resume()


def test_every_short_walk_of_three_branches():
    """Each branch waits 0 to 2 times and then ends or fails; they are resumed in every order."""
    for waits in product(range(3), repeat=3):
        for failing in (None, 0, 1, 2):
            order = [at for at in range(3) for _ in range(waits[at])]
            for turn in (order, order[::-1], order[1::2] + order[::2]):
                check_walk(waits, failing, turn)


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=5),
    st.none() | st.integers(0, 4),
    st.none() | st.integers(0, 15),
    st.randoms(use_true_random=False),
)
@settings(max_examples=150)
def test_any_walk(waits, failing, leave_after, source):
    order = [at for at, count in enumerate(waits) for _ in range(count)]
    source.shuffle(order)
    check_walk(waits, failing, order, leave_after)


def check_walk(waits, failing, order, leave_after=None):
    lab, error, leave = Lab(), Oops(), Leave()
    lab.gather(
        *(lab.body(at, count, error if at == failing else None) for at, count in enumerate(waits))
    )
    for step, at in enumerate(order):
        if lab.parent.endings:
            break
        if step == leave_after:
            lab.parent.throw(leave)
            break
        lab.strands[at].resume()
    assert len(lab.parent.endings) == 1
    ended = lab.parent.endings[0]
    assert ended in (None, error, leave)
    if failing is not None and failing < len(waits) and ended is None:
        raise AssertionError("a failure was lost")
    for strand in lab.strands.values():
        assert strand.steps is None, "a branch outlived its gathering"
    assert sorted(name for name, _ in lab.log) == sorted(lab.strands)
