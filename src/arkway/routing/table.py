"""Where is a prompt believed to be cached? Keys to homes, within bounds. Hot path.

A key stands for the beginning of a prompt (`keys`). Its homes are the accounts that answered a
prompt which begins so, and when. Entries that were used since the last turn are young, the others
old; old ones go first, the longest unused ahead, from whichever shard holds the most. A tenant's
keys share a shard, so one that makes keys by the million pushes out its own (and those of a 64th
of the others).

Must not know what a key is made of. Nothing here is needed for correctness: a lost entry costs a
cache hit.
"""

from collections.abc import Iterable

import msgspec

SHARDS = 64
_EVICT = 64  # entries at once: finding the largest shard costs 3 us
_FOREVER_AGO = float("-inf")


class Entry(msgspec.Struct, gc=False, eq=False):
    """The homes of a key, and how many prompts went different ways behind it."""

    account: int  # the first home, by the pool's number of it; -1: none
    used_s: float
    branches: float = 0.0  # decayed count; as of `branched_s`
    branched_s: float = 0.0
    more: dict[int, float] | None = None  # further homes and when each was used
    is_short: bool = False  # of an identity: its last prompt was too short to have keys

    def homes(self) -> int:
        """Count the homes."""
        return 1 + (len(self.more) if self.more else 0)

    def used_at(self, account: int) -> float:
        """Return when `account` was used for this key; -inf: never."""
        if account == self.account:
            return self.used_s
        return self.more.get(account, _FOREVER_AGO) if self.more else _FOREVER_AGO


class _Shard:
    __slots__ = ("old", "order", "size", "young")

    def __init__(self) -> None:
        self.young: dict[bytes, Entry] = {}
        self.old: dict[bytes, Entry] = {}
        self.order: list[bytes] = []  # keys of `old`, the longest unused last
        self.size = 0  # entries and their further homes


class Table:
    """Keys and their homes; at most `max_keys` keys and further homes together."""

    def __init__(self, max_keys: int, max_homes: int) -> None:
        self._max_keys = max_keys
        self._max_homes = max_homes
        self._shards = [_Shard() for _ in range(SHARDS)]
        self._size = 0
        self.evicted = 0  # for metrics

    def __len__(self) -> int:
        return sum(len(shard.young) + len(shard.old) for shard in self._shards)

    @property
    def size(self) -> int:
        """Keys and further homes: what `max_keys` bounds."""
        return self._size

    def find(self, shard: int, key: bytes) -> Entry | None:
        """Return the entry of a key; its use is remembered by `add` alone."""
        its = self._shards[shard]
        entry = its.young.get(key)
        if entry is None and its.old:
            return its.old.get(key)
        return entry

    def add(self, shard: int, keys: Iterable[bytes], account: int, now_s: float) -> None:
        """Make `account` a home of each of the keys, or say again that it is one."""
        its = self._shards[shard]
        young, old = its.young, its.old
        for key in keys:
            entry = young.get(key)
            if entry is None:
                entry = old.pop(key, None) if old else None
                if entry is None:
                    young[key] = Entry(account, now_s)
                    its.size += 1
                    self._size += 1
                    continue
                young[key] = entry
            if entry.account == account:
                entry.used_s = now_s
            else:
                self._add_home(its, entry, account, now_s)
        if self._size > self._max_keys:
            self._evict(self._size - self._max_keys + _EVICT)

    def _add_home(self, shard: _Shard, entry: Entry, account: int, now_s: float) -> None:
        more = entry.more
        if more is None:
            entry.more = {account: now_s}
        elif account in more:
            more[account] = now_s
            return
        elif len(more) + 1 < self._max_homes:
            more[account] = now_s
        else:
            del more[min(more, key=more.__getitem__)]
            more[account] = now_s
            return
        shard.size += 1
        self._size += 1

    def forget(self, account: int) -> int:
        """Take an account out of every entry: it was removed. Return how many it was home of.

        Cost:    O(table), tens of milliseconds when full; an operator's act.
        """
        found = 0
        for shard in self._shards:
            for entries in (shard.young, shard.old):
                for key in [
                    key for key, it in entries.items() if it.used_at(account) > _FOREVER_AGO
                ]:
                    found += 1
                    self._forget_home(shard, entries, key, account)
        return found

    def _forget_home(
        self, shard: _Shard, entries: dict[bytes, Entry], key: bytes, account: int
    ) -> None:
        entry = entries[key]
        more = entry.more
        if not more:
            del entries[key]
        elif entry.account == account:
            entry.account, entry.used_s = more.popitem()
        else:
            del more[account]
        shard.size -= 1
        self._size -= 1

    def _evict(self, count: int) -> None:
        shard = max(self._shards, key=lambda its: its.size)
        while count > 0 and shard.size:
            if not shard.old:  # a turn: what is not used from now on goes next
                shard.old, shard.young = shard.young, {}
                shard.order = list(reversed(shard.old))
            entry = None
            while entry is None and shard.order:
                entry = shard.old.pop(shard.order.pop(), None)
            if entry is not None:
                homes = entry.homes()
                shard.size -= homes
                self._size -= homes
                self.evicted += 1
                count -= homes


def shard_of(seed: bytes) -> int:
    """Return the shard of a tenant: by its secret seed, so that no tenant can choose another's."""
    return seed[0] % SHARDS
