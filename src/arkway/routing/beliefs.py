"""Where is this prompt believed to be cached, and is it worth going there? Hot path.

The deepest key that an account is a home of says how much of the prompt it has. Prompts that begin
alike and go different ways (a system prompt that everybody sends) are a reason to open more homes
rather than to fill one: the more of them, against the homes there are, the less a home counts.
"""

from math import exp, inf

import msgspec

from arkway.routing.ask import Ask
from arkway.routing.table import Entry, Table
from arkway.routing.window import WINDOW_S

# Ages of what is believed to be cached. Unit: s.
_AGES_S = (30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, inf)
_WORTH_LEARNING = 0.2  # a smaller part may be anything
_SAMPLE = 1 / 30
_COURTESY = 0.05  # an identity's word where its prompt is another one than before
# The same where its last prompt was too short for anybody to know: most likely this one begins so.
_GROWN = 0.6


class Beliefs(msgspec.Struct, eq=False):
    """What is believed of one prompt."""

    shares: dict[int, float] = {}  # of it, by account number
    ages_s: dict[int, float] = {}
    home: int = -1  # of the identity the caller gave; -1: none is known
    courtesy: float = 0.0  # what that home counts where the prompt itself says less
    identity: Entry | None = None  # of that identity
    deepest: Entry | None = None  # the key with a home that stands for most of the prompt
    is_agreed: bool = False  # nothing is known: it is where all nodes hash the prompt to


NO_BELIEFS = Beliefs()


class Survival:
    """What part of what was cached so long ago still is: learned from `cached_tokens`."""

    def __init__(self) -> None:
        self._parts = [1.0] * len(_AGES_S)

    def part(self, age_s: float) -> float:
        """Return the part that lives. Shapes: 0 to 1."""
        return self._parts[self._index(age_s)]

    def learn(self, age_s: float, believed: float, found: float) -> None:
        """Compare what was believed to be cached with what was."""
        index = self._index(age_s)
        part = self._parts[index]
        whole = believed / part if part > 0.01 else 1.0
        if whole >= _WORTH_LEARNING:
            self._parts[index] += (min(1.0, found / whole) - part) * _SAMPLE

    @staticmethod
    def _index(age_s: float) -> int:
        index = 0
        while age_s > _AGES_S[index]:
            index += 1
        return index


def believe(ask: Ask, table: Table, now_s: float, ttl_s: float) -> Beliefs:
    """Return what the table knows of a prompt; nothing is changed.

    Cost:    a look-up a key.
    """
    chain, shard, oldest_s = ask.chain, ask.shard, now_s - ttl_s
    beliefs = Beliefs({}, {})
    if ask.conversation is not None:
        entry = table.find(shard, ask.conversation)
        if entry is not None and entry.used_s > oldest_s:
            beliefs.home, beliefs.identity = entry.account, entry
            beliefs.courtesy = _GROWN if entry.is_short else _COURTESY
            if not chain.keys:
                beliefs.shares[entry.account] = 1.0
                beliefs.ages_s[entry.account] = now_s - entry.used_s
                return beliefs
    shares, ages, ends = beliefs.shares, beliefs.ages_s, chain.ends
    at = len(ends)
    for key in reversed(chain.keys):
        at -= 1
        entry = table.find(shard, key)
        if entry is None:
            continue
        account, used_s = entry.account, entry.used_s
        if used_s > oldest_s and account not in shares:
            shares[account] = ends[at] / chain.whole
            ages[account] = now_s - used_s
        if entry.more:
            _add_more(beliefs, entry.more, ends[at] / chain.whole, (now_s, oldest_s))
        if beliefs.deepest is None and shares:
            beliefs.deepest = entry
    return beliefs


def _add_more(
    beliefs: Beliefs, more: dict[int, float], share: float, span: tuple[float, float]
) -> None:
    now_s, oldest_s = span
    shares = beliefs.shares
    for account, used_s in more.items():
        if used_s > oldest_s and account not in shares:
            shares[account] = share
            beliefs.ages_s[account] = now_s - used_s


def strength(deepest: Entry | None, now_s: float, half_life_s: float, *, counts: bool) -> float:
    """Return how much a home counts: 1, or less where more prompts branch off than homes bear.

    Counts this prompt among those that branched off, unless it was counted before.
    """
    if deepest is None:
        return 1.0
    branches = deepest.branches
    if branches:
        branches *= 0.5 ** ((now_s - deepest.branched_s) / half_life_s)
    if counts:
        branches += 1.0
        deepest.branches, deepest.branched_s = branches, now_s
    homes = deepest.homes() + 1
    return 1.0 if homes >= branches else homes / branches


def held_share(identity: Entry, share: float, now_s: float, *, counts: bool) -> float:
    """Return what part of an account's limit one identity holds, with this call's part.

    The entry of an identity branches nowhere; its counter holds the decayed sum of these parts.
    """
    held = identity.branches * exp((identity.branched_s - now_s) / WINDOW_S) + share
    if counts:
        identity.branches, identity.branched_s = held, now_s
    return held
