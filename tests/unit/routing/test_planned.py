from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from arkway.model.call import Call, Target
from arkway.model.catalogue import AccountSpec, Dialect, ModelSpec, Secret
from arkway.model.errors import UpstreamError
from arkway.model.outcome import AttemptFailed, Ending, ErrorClass
from arkway.routing.outlier import OutlierPolicy
from arkway.routing.planned import Affinity, Plan, Pool, serves
from support import strategies  # noqa: F401 - its profile

POLICY = OutlierPolicy(consecutive_failures=3, base_ejection_s=10.0, max_ejection_s=25.0)
M, N = ModelSpec("M", "m-1", 10, 5), ModelSpec("N", "n-1", 10, 5)
NOW = 100.0


def account(name, weight=1, **fields):
    return AccountSpec(name, Dialect.ARK, "https://h", Secret(""), weight=weight, **fields)


ABC = (account("a"), account("b"), account("c"))


def call(model=M, conversation=None):
    return Call(model, model.name, False, False, 1, {}, 0, conversation)


def failed(error_class=ErrorClass.TRANSIENT, ending=Ending.REFUSED):
    return AttemptFailed(ending, error_class, UpstreamError("m"), "r")


class Lab:
    """A pool with the arguments that most tests do not care about."""

    def __init__(self, accounts=ABC):
        self.pool = Pool(b"s" * 43, POLICY)
        self.accounts = accounts

    def plan(self, it=None, tenant="t", now_s=NOW, most=9):
        return self.pool.plan(it or call(), tenant, self.accounts, now_s, most)

    def order(self, *args, **kwargs):
        return [target.account.id for target in self.plan(*args, **kwargs).targets]

    def target(self, name, model=M):
        (found,) = (a for a in self.accounts if a.id == name)
        return Target(found, found.models.get(model.name, model.upstream_model))

    def end(self, name, failure=None, now_s=NOW, model=M):
        target = self.target(name, model)
        self.pool.begin(target)
        return self.pool.end(target, failure, now_s)


# Which accounts, with which model id.


def test_an_account_serves_what_its_list_says():
    everything = account("all", models={"M": "ep-1"})
    listed = account("listed", models={"M": "ep-2"}, only_listed_models=True)
    other = account("other", models={"N": "ep-3"}, only_listed_models=True)
    lab = Lab((everything, listed, other))

    assert {t.account.id: t.upstream_model for t in lab.plan().targets} == {
        "all": "ep-1",
        "listed": "ep-2",
    }
    assert {t.account.id: t.upstream_model for t in lab.plan(call(N)).targets} == {
        "all": "n-1",
        "other": "ep-3",
    }
    assert [serves(one, "M") for one in lab.accounts] == [True, True, False]


@pytest.mark.parametrize("conversation", [None, "c"])
def test_a_model_that_nobody_serves_has_no_targets(conversation):
    for accounts in ((), (account("x", only_listed_models=True),)):
        plan = Lab(accounts).plan(call(conversation=conversation))

        assert list(plan.targets) == []
        assert plan.home is None


def test_a_new_configuration_counts_at_once():
    lab = Lab()
    lab.order()

    lab.accounts = (account("d"),)
    assert lab.order() == ["d"]
    lab.accounts = (account("d", models={"M": "ep-9"}),)
    assert lab.plan().targets[0].upstream_model == "ep-9"
    changed = ModelSpec("M", "m-2", 10, 5)
    lab.accounts = ABC
    assert {t.upstream_model for t in lab.plan(call(changed)).targets} == {"m-2"}


@pytest.mark.parametrize("conversation", [None, "c"])
def test_no_more_targets_than_attempts(conversation):
    lab = Lab()

    for most in (1, 2, 3):
        assert len(lab.order(call(conversation=conversation), most=most)) == most


# Without a conversation.


def test_idle_accounts_take_turns():
    lab = Lab()

    firsts = Counter(lab.order()[0] for _ in range(30))

    assert firsts == {"a": 10, "b": 10, "c": 10}


def test_the_least_utilised_account_comes_first():
    lab = Lab((account("a", 1), account("b", 4), account("c", 2)))
    for name, count in (("a", 1), ("b", 3), ("c", 1)):
        for _ in range(count):
            lab.pool.begin(lab.target(name))

    # In flight over weight: a 1, b 0.75, c 0.5.
    assert lab.order() == ["c", "b", "a"]
    lab.pool.end(lab.target("a"), None, NOW)
    assert lab.order() == ["a", "c", "b"]


def test_a_call_without_a_conversation_has_no_home():
    plan = Lab().plan()

    assert plan.home is None
    assert {plan.affinity(name) for name in ("a", "b", "c")} == {Affinity.NONE}


# With one.


def test_a_conversation_keeps_its_order_whatever_the_load():
    lab = Lab()
    order = lab.order(call(conversation="c"))
    for _ in range(50):
        lab.pool.begin(lab.target(order[0]))

    assert {tuple(lab.order(call(conversation="c"))) for _ in range(9)} == {tuple(order)}
    assert lab.plan(call(conversation="c")).home == order[0]


def test_two_tenants_with_one_conversation_id_are_strangers():
    lab = Lab(tuple(account(f"a{number}") for number in range(20)))

    homes = {lab.plan(call(conversation="c"), tenant=f"t{number}").home for number in range(40)}

    assert len(homes) > 10


def test_a_conversation_is_at_home_whatever_the_model():
    lab = Lab()

    assert lab.order(call(M, "c")) == lab.order(call(N, "c"))


def test_who_answers_a_conversation_shows():
    plan = Lab().plan(call(conversation="c"))
    home, *heirs = [target.account.id for target in plan.targets]

    assert plan.affinity(home) is Affinity.HOME
    assert {plan.affinity(heir) for heir in heirs} == {Affinity.SPILL}
    assert Plan(()).affinity("a") is Affinity.NONE


def test_an_ejected_home_stays_the_home_and_comes_last():
    lab = Lab()
    home, *heirs = lab.order(call(conversation="c"))
    lab.end(home, failed(ErrorClass.BROKEN))

    plan = lab.plan(call(conversation="c"))

    assert [target.account.id for target in plan.targets] == [*heirs, home]
    assert plan.home == home


# What an attempt's end says.


@pytest.mark.parametrize(
    ("error_class", "ejects_after", "account_wide"),
    [
        (ErrorClass.BROKEN, 1, True),
        (ErrorClass.MODEL_BROKEN, 1, False),
        (ErrorClass.TRANSIENT, 3, True),
        (ErrorClass.CALLER, None, None),
        (ErrorClass.MODERATION, None, None),
        (ErrorClass.ACCOUNT_LIMITED, None, None),
        (ErrorClass.POOL_LIMITED, None, None),
    ],
)
def test_what_ejects_and_how_far(error_class, ejects_after, account_wide):
    lab = Lab()

    lengths = [lab.end("a", failed(error_class)) for _ in range(ejects_after or 20)]

    if ejects_after is None:
        assert lengths == [None] * 20
        assert not lab.pool.is_ejected(lab.target("a"), NOW)
        return
    assert lengths == [None] * (ejects_after - 1) + [10.0]
    assert lab.pool.is_ejected(lab.target("a"), NOW)
    assert lab.pool.is_ejected(lab.target("a", N), NOW) is account_wide
    assert not lab.pool.is_ejected(lab.target("b"), NOW)
    assert lab.order()[-1] == "a"
    assert not lab.pool.is_ejected(lab.target("a"), NOW + 10.0)


@pytest.mark.parametrize("error_class", ErrorClass)
def test_what_was_our_own_doing_says_nothing(error_class):
    lab = Lab()

    for _ in range(20):
        assert lab.end("a", failed(error_class, Ending.ABORTED)) is None

    assert not lab.pool.is_ejected(lab.target("a"), NOW)
    assert lab.pool.in_flight("a") == 0


@pytest.mark.parametrize("broken", [ErrorClass.BROKEN, ErrorClass.MODEL_BROKEN])
def test_a_success_ends_an_ejection(broken):
    lab = Lab()
    lab.end("a", failed(broken))

    lab.end("a", None)

    assert not lab.pool.is_ejected(lab.target("a"), NOW)


def test_a_success_with_one_model_says_nothing_of_another():
    lab = Lab()
    lab.end("a", failed(ErrorClass.MODEL_BROKEN))

    lab.end("a", None, model=N)

    assert lab.pool.is_ejected(lab.target("a"), NOW)


def test_when_all_are_ejected_all_are_still_tried():
    lab = Lab()
    for name in "abc":
        lab.end(name, failed(ErrorClass.BROKEN))

    assert sorted(lab.order()) == ["a", "b", "c"]
    assert sorted(lab.order(call(conversation="c"))) == ["a", "b", "c"]


def test_health_and_load_survive_a_new_configuration():
    lab = Lab()
    lab.end("a", failed(ErrorClass.BROKEN))
    lab.pool.begin(lab.target("b"))

    lab.accounts = (account("a", 5), account("b", 5), account("c", 5))

    assert lab.order() == ["c", "b", "a"]


def test_an_attempt_ends_once():
    lab = Lab()
    lab.end("a")

    with pytest.raises(AssertionError, match="ended twice"):
        lab.pool.end(lab.target("a"), None, NOW)


# Everything in any order.


class Machine(RuleBasedStateMachine):
    """Attempts that begin and end as they like, beside plain counts of them."""

    under_way = Bundle("under_way")

    @initialize(weights=st.lists(st.integers(1, 3), min_size=1, max_size=4))
    def begin_empty(self, weights):
        accounts = tuple(account(f"a{at}", weight) for at, weight in enumerate(weights))
        self.lab = Lab(accounts)
        self.now_s = NOW
        self.in_flight = Counter()
        self.ejected_until_s = {}

    @rule(
        target=under_way,
        model=st.sampled_from([M, N]),
        conversation=st.sampled_from([None, "c", "d"]),
    )
    def start(self, model, conversation):
        targets = self.lab.plan(call(model, conversation), now_s=self.now_s, most=2).targets
        self.lab.pool.begin(targets[0])
        self.in_flight[targets[0].account.id] += 1
        return multiple(targets[0])

    @rule(
        it=consumes(under_way),
        error_class=st.sampled_from(ErrorClass),
        ending=st.sampled_from(Ending),
    )
    def fail(self, it, error_class, ending):
        self.in_flight[it.account.id] -= 1
        length_s = self.lab.pool.end(it, failed(error_class, ending), self.now_s)
        says_nothing = ending is Ending.ABORTED or error_class in (
            ErrorClass.CALLER,
            ErrorClass.MODERATION,
            ErrorClass.ACCOUNT_LIMITED,
            ErrorClass.POOL_LIMITED,
        )
        assert length_s is None or not says_nothing
        if length_s is not None:
            assert 0 < length_s <= POLICY.max_ejection_s
            assert self.lab.pool.is_ejected(it, self.now_s)
            key = (
                it.account.id,
                it.upstream_model if error_class is ErrorClass.MODEL_BROKEN else None,
            )
            self.ejected_until_s[key] = self.now_s + length_s

    @rule(it=consumes(under_way))
    def succeed(self, it):
        self.in_flight[it.account.id] -= 1
        assert self.lab.pool.end(it, None, self.now_s) is None
        self.ejected_until_s.pop((it.account.id, None), None)
        self.ejected_until_s.pop((it.account.id, it.upstream_model), None)

    @rule(seconds=st.sampled_from([0.5, 5.0, 10.0, 30.0]))
    def wait(self, seconds):
        self.now_s += seconds

    @invariant()
    def the_pool_knows_what_is_under_way(self):
        for one in self.lab.accounts:
            assert self.lab.pool.in_flight(one.id) == self.in_flight[one.id]

    @invariant()
    def ejections_are_as_they_were_told_and_come_last(self):
        for model in (M, N):
            targets = self.lab.plan(call(model), now_s=self.now_s).targets
            assert len(targets) == len(self.lab.accounts)
            ejected = [self.lab.pool.is_ejected(target, self.now_s) for target in targets]
            assert ejected == sorted(ejected)
            for target, is_ejected in zip(targets, ejected, strict=True):
                until_s = max(
                    self.ejected_until_s.get((target.account.id, None), 0.0),
                    self.ejected_until_s.get((target.account.id, target.upstream_model), 0.0),
                )
                assert is_ejected is (self.now_s < until_s)

    @invariant()
    def a_conversation_keeps_its_home(self):
        homes = {self.lab.plan(call(conversation="c"), now_s=self.now_s).home for _ in range(2)}
        assert len(homes) == 1


Machine.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestMachine = Machine.TestCase
