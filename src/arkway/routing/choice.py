"""Which of these accounts, or none, or which to wait for? One decision, start to end. Hot path."""

from collections.abc import Callable, Collection
from math import inf

import msgspec

from arkway.model.ids import AccountId
from arkway.routing.ask import Ask
from arkway.routing.beliefs import NO_BELIEFS, Beliefs, believe, held_share, strength
from arkway.routing.health import May
from arkway.routing.knowledge import Knowledge
from arkway.routing.lease import Affinity, Refusal, Slot, Why
from arkway.routing.policy import RoutingPolicy
from arkway.routing.score import Scored, rendezvous, score, settle_tie, uses
from arkway.routing.window import WINDOW_S

NEW_BELOW = 0.3  # of a prompt, times its strength: less than this is no reason to be anywhere
_AGAIN_S = 1.0  # after which a call may be tried again
_OPERATOR_S = 5.0  # the same where an operator has to act
_SOON_S = 0.01
_KEPT_S = 0.05  # after which room that is kept for others is looked at again, as in `waits`
_TRIED = "tried"
_GO, _PROBE = May.GO, May.PROBE
_HOME, _SPILL, _NEW, _NONE = Affinity.HOME, Affinity.SPILL, Affinity.NEW, Affinity.NONE
_GUESSED = 0.9  # of what other nodes use by the mean is taken for granted while they are silent
_AGREED = 0.6  # what the account counts that nodes agree on by hashing, while they share nothing


class Among(msgspec.Struct, eq=False):
    """The accounts a call may go to, and why not to the others."""

    usable: list[Slot]
    probe: Slot | None = None  # due for its probe
    left_out: tuple[tuple[Slot, str], ...] = ()
    soonest_s: float = inf  # when the first of those that are out comes back
    tried: int = 0
    is_empty: bool = False  # no account serves the model

    def has_met_a_limit(self, now_s: float) -> bool:
        """Whether an account that was tried has said 429, and is left alone since."""
        return bool(self.tried) and any(
            why == _TRIED and now_s < slot.gauge.blocked_until_s for slot, why in self.left_out
        )


class Turn(msgspec.Struct, frozen=True, eq=False):
    """Under which circumstances a call is decided about."""

    draw: Callable[[], float]  # uniform from 0 to 1
    is_first: bool = False  # nothing was decided about it before
    waits: bool = False  # it may wait for the account with its cache
    waited_for: Slot | None = None  # it has waited for this account, whose room is its own
    only_home: bool = False  # others wait for any account: it may go to its own alone
    overtakes: bool = False  # it has waited long: room that is kept for others is its own too


class Chosen(msgspec.Struct, eq=False):
    """What was decided: a slot, or a home to wait for, or neither."""

    slot: Slot | None = None
    is_probe: bool = False
    affinity: Affinity = Affinity.NONE
    believed: float = 0.0
    age_s: float = 0.0
    scores: tuple[Scored, ...] = ()
    left_out: tuple[tuple[Slot, str], ...] = ()
    refusal: Refusal | None = None
    home: Slot | None = None
    home_wait_s: float = 0.0  # when it likely has room
    home_patience_s: float = 0.0  # so long it is worth waiting for
    room_in_s: float = 0.0  # when any has


def sort_out(
    slots: list[Slot],
    tried: Collection[AccountId],
    now_s: float,
    policy: RoutingPolicy,
    *,
    is_low_value: bool,
) -> Among:
    """Return which accounts may be asked: the healthy ones, or all that may be in a panic.

    More ejections than `max_ejected_share` of the accounts say more about the network, or about
    the calls, than about the accounts. Broken ones are out in a panic too.
    """
    if slots and not tried and all(it.health.is_plain and it.model_health.is_plain for it in slots):
        return Among(slots)
    among = Among([], is_empty=not slots)
    ejected: list[Slot] = []
    left_out: list[tuple[Slot, str]] = []
    broken = ejections = 0
    for slot in slots:
        was_tried = slot.target.account.id in tried
        bad = slot.health if slot.health.is_out else slot.model_health
        if bad.is_out:
            if bad.is_broken and now_s < bad.until_s:
                broken += 1
            else:
                ejections += 1
                if not was_tried:
                    ejected.append(slot)
            among.soonest_s = min(among.soonest_s, max(bad.until_s, now_s))
        if was_tried:
            among.tried += 1
            left_out.append((slot, _TRIED))
            continue
        may = bad.may(now_s, is_low_value) if bad.is_out else _GO
        if may is _GO:
            among.usable.append(slot)
        elif may is _PROBE and among.probe is None:
            among.probe = slot
        else:
            left_out.append((slot, f"out: {bad.reason}"))
    if ejections > policy.max_ejected_share * (len(slots) - broken):
        among.usable += ejected
        among.probe = None
    among.left_out = tuple(left_out)
    return among


def choose_among(knowledge: Knowledge, ask: Ask, among: Among, now_s: float, turn: Turn) -> Chosen:
    """Return where a call goes. Reserves nothing; counts the call where prompts branch off."""
    is_first = turn.is_first
    tokens = ask.input_tokens + ask.output_tokens
    if among.probe is not None and is_first and among.probe.gauge.has_room(tokens, now_s):
        affinity = _NONE if ask.root is None else _NEW
        return Chosen(among.probe, is_probe=True, affinity=affinity, left_out=among.left_out)
    if not among.usable:
        return _nobody(among, now_s)
    policy = knowledge.policy
    if knowledge.deaf_nodes:
        deaf_s = now_s - knowledge.deaf_since_s
        _guess_elsewhere(among.usable, knowledge.deaf_nodes, deaf_s, now_s)
    used = uses(among.usable, tokens, now_s)
    if ask.root is None:
        beliefs, strong = NO_BELIEFS, 0.0
    else:
        beliefs = _beliefs(knowledge, ask, among, now_s, counts=is_first)
        strong = strength(beliefs.deepest, now_s, policy.branch_half_life_s, counts=is_first)
        if knowledge.deaf_nodes and strong * max(beliefs.shares.values(), default=0.0) < NEW_BELOW:
            strong = _agree(ask, among, beliefs)
    explores = bool(beliefs.shares) and turn.draw() < policy.exploration
    scored = score(among.usable, beliefs, strong, used, policy, now_s, explores=explores)
    settle_tie(scored, ask.root, int(now_s * 1e6) if ask.root is None else 0)
    if among.has_met_a_limit(now_s):
        scored = _emptiest_first(scored, among.usable, used[0])
    chosen = _pick(ask, scored, strong, now_s, (knowledge, turn))
    chosen.scores, chosen.left_out = tuple(scored), among.left_out
    if chosen.slot is not None:
        number = chosen.slot.number
        if not beliefs.is_agreed:
            chosen.believed = beliefs.shares.get(number, 0.0)
        chosen.age_s = beliefs.ages_s.get(number, 0.0)
        chosen.affinity = _label(ask, beliefs, chosen.slot)
    return chosen


def _emptiest_first(scored: list[Scored], slots: list[Slot], used: list[float]) -> list[Scored]:
    """Put the least used account first.

    A call that met a limit nobody knew of has lost its cache already; a second refusal would cost
    it one of its last attempts, and provoke one more limit.
    """
    use = {slot.number: it for slot, it in zip(slots, used, strict=True)}
    return sorted(scored, key=lambda one: use[one[0].number])


def _guess_elsewhere(slots: list[Slot], nodes: int, deaf_s: float, now_s: float) -> None:
    """Guess what other nodes use while they cannot be heard: each as this one does in the mean.

    Callers are spread over nodes evenly, and every node spreads its calls over accounts alike. What
    the others used until the silence began leaves the window within a minute. The guess is taken
    a little low: where it is too high a conversation moves for nothing, where it is too low the
    upstream says so at once, and the call goes on to an emptier account.
    """
    unheard = min(deaf_s / WINDOW_S, 1.0)  # the part of the window that is silent
    tokens = requests = 0.0
    for slot in slots:
        window = slot.gauge.window
        window.forget(now_s)
        tokens += window.tokens
        requests += window.requests
    others = _GUESSED * (nodes - 1) * unheard / (1 + (nodes - 1) * (1 - unheard)) / len(slots)
    for slot in slots:
        slot.gauge.elsewhere_tokens = tokens * others
        slot.gauge.elsewhere_requests = requests * others


def _nobody(among: Among, now_s: float) -> Chosen:
    if among.tried:
        return Chosen(refusal=Refusal(Why.TRIED, _AGAIN_S))
    if among.is_empty:
        return Chosen(refusal=Refusal(Why.UNSERVED, _OPERATOR_S))
    wait_s = among.soonest_s - now_s
    return Chosen(
        refusal=Refusal(Why.UNHEALTHY, max(wait_s, _AGAIN_S) if wait_s < inf else _OPERATOR_S)
    )


def _beliefs(
    knowledge: Knowledge, ask: Ask, among: Among, now_s: float, *, counts: bool
) -> Beliefs:
    """Return what is believed of the prompt, with what has been learned of caches' lives."""
    policy = knowledge.policy
    beliefs = believe(ask, knowledge.table, now_s, policy.affinity_ttl_s)
    shares, ages = beliefs.shares, beliefs.ages_s
    if shares and ask.chain.keys:
        survival = knowledge.survival(ask.model.name)
        for number, share in shares.items():
            shares[number] = share * survival.part(ages[number])
    if beliefs.identity is not None:
        _bound_identity(ask, beliefs, among, policy, now_s, counts=counts)
    return beliefs


def _agree(ask: Ask, among: Among, beliefs: Beliefs) -> float:
    """Believe in the account that every node hashes this prompt to; return its strength."""
    root = ask.chain.root or ask.conversation  # prompts that begin alike belong together
    assert root is not None, "asked for by the caller"
    agreed = max(among.usable, key=lambda slot: rendezvous(root, slot))
    beliefs.shares, beliefs.ages_s = {agreed.number: _AGREED}, {agreed.number: 0.0}
    beliefs.is_agreed = True
    return 1.0


def _bound_identity(
    ask: Ask,
    beliefs: Beliefs,
    among: Among,
    policy: RoutingPolicy,
    now_s: float,
    *,
    counts: bool,
) -> None:
    """Let go of an identity's home where it alone would fill too much of it."""
    assert beliefs.identity is not None, "asked for by the caller"
    for slot in among.usable:
        if slot.number == beliefs.home:
            gauge = slot.gauge
            tokens = ask.input_tokens + ask.output_tokens
            share = max(tokens / gauge.most_tokens, 1 / gauge.most_requests)
            if not share:
                return
            held = held_share(beliefs.identity, share, now_s, counts=counts)
            if held > policy.conversation_share:
                if not ask.chain.keys:
                    beliefs.shares.clear()
                beliefs.home = -1
            return


def _pick(
    ask: Ask,
    scored: list[Scored],
    strong: float,
    now_s: float,
    context: tuple[Knowledge, Turn],
) -> Chosen:
    """Return the best that has room, or the home that is worth waiting for."""
    knowledge, turn = context
    policy = knowledge.policy
    tokens = ask.input_tokens + ask.output_tokens
    best, believed = scored[0][0], scored[0][1]
    is_strong = strong * believed >= NEW_BELOW
    if is_strong and _has_room(best, tokens, now_s, turn):
        return Chosen(best)
    if not turn.only_home:
        for one in scored if is_strong else _below_ceiling(scored, policy):
            if _has_room(one[0], tokens, now_s, turn):
                if is_strong and turn.waits:
                    waits = _home(best, believed, 0.0, ask, now_s, knowledge)
                    if waits is not None:
                        return waits
                return Chosen(one[0])
    room_in_s = min([_room_in_s(one[0], tokens, now_s, turn) for one in scored])
    if room_in_s == inf:  # above the limit of a whole minute, everywhere
        return Chosen(room_in_s=inf, refusal=Refusal(Why.LIMITED, WINDOW_S))
    if is_strong and turn.waits:
        waits = _home(best, believed, room_in_s, ask, now_s, knowledge)
        if waits is not None:
            return waits
    return Chosen(room_in_s=room_in_s)


def _below_ceiling(scored: list[Scored], policy: RoutingPolicy) -> list[Scored]:
    """Put accounts that have room to spare first: the rest is for conversations that live there."""
    ceiling = policy.new_conversation_ceiling
    if scored[0][2] <= ceiling:
        return scored
    below = [one for one in scored if one[2] <= ceiling]
    return below + [one for one in scored if one[2] > ceiling]


def _home(
    home: Slot,
    believed: float,
    others_s: float,
    ask: Ask,
    now_s: float,
    knowledge: Knowledge,
) -> Chosen | None:
    """Return the home as worth waiting for: it saves more time than it costs, or None.

    Units:   others_s: after which another account has room.
    """
    gauge = home.gauge
    saved_s = believed * ask.input_tokens / knowledge.prefill_tokens_per_s
    patience_s = others_s + min(knowledge.policy.home_wait_s, saved_s)
    patience_s = min(patience_s, ask.patient_until_s - now_s)
    tokens = ask.input_tokens + ask.output_tokens
    wait_s = gauge.room_in_s(tokens + gauge.queued_tokens, now_s)
    if gauge.queued and wait_s <= 0:
        wait_s = _SOON_S
    if wait_s > patience_s:
        return None
    return Chosen(home=home, home_wait_s=wait_s, home_patience_s=patience_s)


def _room_in_s(slot: Slot, tokens: int, now_s: float, turn: Turn) -> float:
    """Return when a call likely fits; room that is kept for others is looked at now and then."""
    room_s = slot.gauge.room_in_s(tokens, now_s)
    return max(room_s, _KEPT_S) if slot.gauge.queued and not turn.overtakes else room_s


def _has_room(slot: Slot, tokens: int, now_s: float, turn: Turn) -> bool:
    """Whether a call fits now; the room of an account that calls wait for is theirs."""
    gauge = slot.gauge
    waited_for = turn.waited_for
    is_its_own = turn.overtakes or (waited_for is not None and gauge is waited_for.gauge)
    if gauge.queued and not is_its_own:
        return False
    return gauge.has_room(tokens, now_s)


def _label(ask: Ask, beliefs: Beliefs, slot: Slot) -> Affinity:
    """Return what the response header says."""
    if ask.root is None:
        return _NONE
    if slot.number == beliefs.home:
        return _HOME
    most = max(beliefs.shares.values(), default=0.0)
    if most < NEW_BELOW:
        return _NEW if beliefs.home < 0 else _SPILL
    return _HOME if beliefs.shares.get(slot.number, 0.0) >= most / 2 else _SPILL
