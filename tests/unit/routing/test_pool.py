"""The pool as the pipeline uses it: choose, then end; who is asked, and what an end says."""

import pytest

from arkway.model.catalogue import AccountLimits
from arkway.model.outcome import ErrorClass
from arkway.model.usage import Usage
from arkway.routing.ask import Size
from arkway.routing.lease import Affinity, Lease, Refusal, Wait, Why
from support.pool_lab import NOW, Lab, N, account, failed, name

LONG = Size(8000, 200)
TEXT = "once upon a time " * 2000


def test_a_conversation_stays_where_it_was_answered():
    lab = Lab(8)

    first = lab.serve(lab.ask(conversation="c"))
    later = [lab.serve(lab.ask(conversation="c")) for _ in range(5)]

    assert first.affinity is Affinity.NEW
    assert {name(one) for one in later} == {name(first)}
    assert {one.affinity for one in later} == {Affinity.HOME}


@pytest.mark.parametrize("seconds", [2, 4, 10, 30])
@pytest.mark.parametrize("accounts", [8, 16, 64])
def test_the_only_caller_of_a_pool_without_limits_keeps_his_cache(accounts, seconds):
    """All use is his home's then, which is no reason to leave it."""
    lab, text = Lab(accounts), TEXT

    served = []
    for _ in range(40):
        served.append(lab.serve(lab.ask(text, "c", size=LONG)))
        text += "|an answer|and then?"
        lab.now_s += seconds

    assert len({name(one) for one in served}) == 1


def test_a_prompt_that_goes_on_goes_to_its_cache_without_any_identity():
    lab = Lab(8)
    first = lab.serve(lab.ask(TEXT, size=LONG))
    for number in range(20):  # others come in between
        lab.serve(lab.ask(f"{number} {TEXT}", size=LONG), seconds=0.5)

    lease = lab.serve(lab.ask(TEXT + "|an answer|and then?", size=LONG))

    assert name(lease) == name(first)
    assert lease.affinity is Affinity.HOME
    assert lease.believed > 0.9


def test_what_is_like_another_tenants_prompt_is_not_known():
    lab = Lab(8)
    lab.serve(lab.ask(TEXT, "c", tenant="one", size=LONG))

    lease = lab.serve(lab.ask(TEXT, "c", tenant="two", size=LONG))

    assert lease.affinity is Affinity.NEW
    assert lease.believed == 0.0


def test_the_ids_that_begin_alike_are_different():
    lab = Lab(16)

    keys = {lab.ask(conversation=f"session-{at}").conversation for at in (1, 11, 12, 2)}

    assert len(keys) == 4


def test_without_identity_and_length_there_is_no_affinity():
    lab = Lab()

    assert lab.serve().affinity is Affinity.NONE
    assert lab.serve(lab.ask(TEXT, size=LONG)).affinity is Affinity.NEW


def test_equal_accounts_share_equal_calls():
    lab = Lab(4)

    names = [name(lab.serve(seconds=0.05)) for _ in range(400)]

    assert [names.count(f"a{at}") for at in range(4)] == pytest.approx([100] * 4, abs=2)


def test_an_account_that_was_never_asked_is_not_held_to_be_slow():
    """Quick answers of the others must not make an unknown one look slow for ever."""
    lab = Lab(4)

    names = [name(lab.serve(seconds=0.05, ttft_s=0.001)) for _ in range(400)]

    assert [names.count(f"a{at}") for at in range(4)] == pytest.approx([100] * 4, abs=10)


def test_a_slow_account_gets_less_and_is_tried_again():
    lab = Lab(4)
    slow = name(lab.serve(seconds=0.05, ttft_s=4.0))
    for _ in range(400):
        lab.serve(seconds=0.05, ttft_s=lambda lease: 4.0 if name(lease) == slow else 0.2)
    names = [
        name(lab.serve(seconds=0.05, ttft_s=lambda it: 4.0 if name(it) == slow else 0.2))
        for _ in range(400)
    ]
    assert 0 < names.count(slow) < 90
    names = [name(lab.serve(seconds=0.1, ttft_s=0.2)) for _ in range(2000)]

    assert names[-400:].count(slow) == pytest.approx(100, abs=25)


@pytest.mark.parametrize(
    ("name_of_limit", "unit"), [("tokens_per_min", 10_000), ("requests_per_min", 100)]
)
def test_load_follows_limits(name_of_limit, unit):
    limits = (1, 2, 5)
    lab = Lab(
        tuple(
            account(f"a{part}", limits=AccountLimits(**{name_of_limit: part * unit}))
            for part in limits
        )
    )

    names = [name(lab.serve(seconds=0.2)) for _ in range(800)]

    assert [names.count(f"a{part}") for part in limits] == pytest.approx([100, 200, 500], rel=0.05)


def test_a_draining_account_and_one_without_the_model_get_nothing():
    lab = Lab(
        (
            account("drains", is_draining=True),
            account("other", models={"N": "x"}, only_listed_models=True),
            account("works", models={"M": "ep-1"}),
        )
    )

    leases = [lab.serve() for _ in range(10)]

    assert {(name(one), one.target.upstream_model) for one in leases} == {("works", "ep-1")}
    lab.accounts = lab.accounts[:2]
    assert lab.choose() == Refusal(Why.UNSERVED, 5.0)


def test_each_account_is_tried_once():
    lab, tried = Lab(3), []
    for _ in range(3):
        lease = lab.lease(tried=tried)
        tried.append(name(lease))
        lab.pool.fail(lease, failed(), lab.now_s)

    assert sorted(tried) == ["a0", "a1", "a2"]
    assert lab.choose(tried=tried).why is Why.TRIED


@pytest.mark.parametrize(
    ("error_class", "ejects_after", "state"),
    [
        (ErrorClass.BROKEN, 1, "broken"),
        (ErrorClass.MODEL_BROKEN, 1, "broken"),
        (ErrorClass.TRANSIENT, 5, "ejected"),
        (ErrorClass.CALLER, None, "ok"),
        (ErrorClass.MODERATION, None, "ok"),
        (ErrorClass.ACCOUNT_LIMITED, None, "ok"),
    ],
)
def test_what_takes_an_account_out(error_class, ejects_after, state):
    lab = Lab(4)
    lab.lease(lab.ask(model=N))

    told = []
    for _ in range(ejects_after or 9):
        told.append(lab.fail_at("a0", failed(error_class)))
        if error_class is ErrorClass.ACCOUNT_LIMITED:
            lab.now_s += 5.0  # the longest pause an account takes of itself

    assert [one is not None for one in told] == [False] * (len(told) - 1) + [
        ejects_after is not None
    ]
    assert lab.state("a0").state == state
    is_wide = error_class in (ErrorClass.BROKEN, ErrorClass.TRANSIENT)
    assert lab.state("a0", "N").state == (state if is_wide else "ok")
    if ejects_after:
        assert "a0" not in {name(lab.serve()) for _ in range(20)}


def test_a_broken_account_returns_when_its_operator_enables_or_adds_it_again():
    lab = Lab(3)
    lab.pool.apply(lab.accounts, lab.now_s)
    lab.fail_at("a0", failed(ErrorClass.BROKEN))
    assert lab.state("a0").state == "broken"

    lab.pool.apply(lab.accounts[1:], lab.now_s)
    lab.pool.apply(lab.accounts, lab.now_s + 1.0)

    assert lab.state("a0").state != "broken"


def test_a_broken_account_stays_out_while_others_are_edited():
    lab = Lab(3)
    lab.pool.apply(lab.accounts, lab.now_s)
    lab.fail_at("a0", failed(ErrorClass.BROKEN))

    lab.pool.apply((*lab.accounts[:2], account("a2", weight=5), account("a3")), lab.now_s + 1.0)

    assert lab.state("a0").state == "broken"


def test_a_broken_account_returns_when_its_operator_edits_it():
    lab = Lab(2)
    lab.fail_at("a0", failed(ErrorClass.BROKEN))
    lab.now_s += 100_000.0
    assert {name(lab.serve(seconds=1.0)) for _ in range(10)} == {"a1"}

    lab.accounts = (account("a0"), account("a1"))  # the same again, in another snapshot
    assert {name(lab.serve(seconds=1.0)) for _ in range(10)} == {"a1"}
    lab.accounts = (
        account("a0", weight=2),
        account("a1"),
    )

    assert "a0" in {name(lab.serve(seconds=1.0)) for _ in range(10)}


def test_an_account_that_answered_its_operator_returns_for_that_model_alone():
    lab = Lab(2)
    lab.fail_at("a0", failed(ErrorClass.MODEL_BROKEN))
    lab.fail_at("a0", failed(ErrorClass.MODEL_BROKEN), model=N)

    lab.pool.called_back("a0", "M", lab.now_s)
    assert lab.state("a0").state != "broken"
    assert lab.state("a0", "N").state == "broken"

    lab.fail_at("a1", failed(ErrorClass.BROKEN))
    lab.pool.called_back("a1", "M", lab.now_s)
    assert lab.state("a1").state != "broken"
    lab.pool.called_back("nobody", "M", lab.now_s)


def test_all_out_is_a_refusal_with_the_soonest_return():
    lab = Lab(2)
    for one in ("a0", "a1"):
        lab.fail_at(one, failed(ErrorClass.BROKEN))

    assert lab.choose().why is Why.UNHEALTHY
    assert lab.choose().retry_after_s > 0


def test_a_full_pool_makes_calls_wait_and_a_free_place_wakes_one():
    lab = Lab((account("a", limits=AccountLimits(in_flight=1)),))
    lease = lab.lease()
    first, second = lab.choose(), lab.choose()
    assert isinstance(first, Wait)
    assert isinstance(second, Wait)
    assert lab.pool.wake(lab.now_s) == []

    lab.pool.release(lease)
    ((woken, its),) = lab.pool.wake(lab.now_s)

    assert woken is first
    assert isinstance(its, Lease)
    assert lab.pool.waiting("M") == 1
    lab.pool.leave(second)
    assert not lab.pool.has_waiting


def test_who_waits_too_long_is_told_when_there_is_room():
    lab = Lab((account("a", limits=AccountLimits(requests_per_min=1)),), queue_wait_s=70.0)
    lab.serve()
    wait = lab.choose()
    assert isinstance(wait, Wait)
    assert lab.pool.wake_at_s == pytest.approx(NOW + 60.0)
    lab.now_s += 60.0
    assert [type(one) for _, one in lab.pool.wake(lab.now_s)] == [Lease]

    impatient = Lab((account("a", limits=AccountLimits(requests_per_min=1)),), queue_wait_s=10.0)
    impatient.serve()
    refusal = impatient.choose()
    assert refusal.why is Why.LIMITED
    assert refusal.retry_after_s == pytest.approx(60.0)


def test_an_overloaded_compute_pool_is_nobodys_fault():
    lab = Lab(3)
    lab.fail_at("a0", failed(ErrorClass.POOL_LIMITED, after_s=None))

    assert isinstance(lab.choose(), Wait)
    assert lab.choose(may_wait=False).why is Why.OVERLOADED
    assert lab.pool.wake(lab.now_s) == []
    lab.now_s = lab.pool.wake_at_s
    assert [type(one) for _, one in lab.pool.wake(lab.now_s)] == [Lease]
    assert {lab.state(f"a{at}").state for at in range(3)} == {"ok"}


def test_after_a_limit_nobody_knew_of_a_call_goes_where_most_room_is():
    lab = Lab(3)
    home = lab.serve(lab.ask(TEXT, "c", size=LONG))
    second, empty = (one.id for one in lab.accounts if one.id != name(home))
    for _ in range(5):  # `second` holds the prompt too, and is the busiest
        lease = lab.lease(lab.ask(TEXT, "c", size=LONG), tried={name(home), empty})
        lab.pool.succeed(lease, Usage(8000, 0, 200), 0.3, lab.now_s)

    after_a_reset = lab.lease(lab.ask(TEXT, "c", size=LONG), tried={name(home)})
    lab.fail_at(name(home), failed(ErrorClass.ACCOUNT_LIMITED, after_s=5.0))
    after_a_limit = lab.lease(lab.ask(TEXT, "c", size=LONG), tried={name(home)})
    lab.now_s += 6.0
    when_it_has_passed = lab.lease(lab.ask(TEXT, "c", size=LONG), tried={name(home)})

    assert name(after_a_reset) == second
    assert name(after_a_limit) == empty
    assert name(when_it_has_passed) == second


def test_a_conversation_stays_as_its_prompt_grows_out_of_the_short_ones():
    lab = Lab(2)
    first = lab.serve(lab.ask("hello", "c"))
    for number in range(3):  # its home is the busier one by now
        lab.serve(lab.ask(f"{number}", "c"), seconds=0.1)

    grown = lab.serve(lab.ask(TEXT, "c", size=LONG))
    another_prompt = [lab.serve(lab.ask(f"{at} {TEXT}", "c", size=LONG)) for at in range(4)]

    assert (name(grown), grown.affinity) == (name(first), Affinity.HOME)
    assert {name(one) for one in another_prompt} == {"a0", "a1"}


def test_a_table_too_small_for_what_is_added_forgets_it():
    lab = Lab(2, max_keys=1)

    leases = [lab.serve(lab.ask("hello", "c", tenant=f"t{at}")) for at in range(100)]

    assert len(leases) == 100
