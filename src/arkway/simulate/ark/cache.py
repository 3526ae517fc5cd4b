"""Which part of a prompt has an account seen lately? Blocks, chained by content, least used first.

A block's name depends on everything before it, so equal names mean equal beginnings. Blocks are
touched from the last to the first: what is dropped first is the end of a prompt, never the
beginning that its other blocks need.
"""

from collections import OrderedDict
from collections.abc import Sequence

from arkway.simulate.ark.settings import Cache

Block = bytes


class PromptCache:
    """The prompt cache of one account."""

    __slots__ = ("_blocks", "_capacity_blocks", "_settings")

    def __init__(self, settings: Cache) -> None:
        self._settings = settings
        self._capacity_blocks = settings.capacity_tokens // settings.block_tokens
        self._blocks: OrderedDict[Block, float] = OrderedDict()  # -> last use; oldest use first

    def __len__(self) -> int:
        return len(self._blocks)

    def clear(self) -> None:
        """Forget everything."""
        self._blocks.clear()

    def find(self, blocks: Sequence[Block], now_s: float) -> int:
        """Return how many tokens of the prompt are cached; they count as used now."""
        self._expire(now_s)
        known = self._blocks
        found = 0
        for block in blocks:
            if block not in known:
                break
            found += 1
        self._touch(blocks[:found], now_s)
        tokens = found * self._settings.block_tokens
        return tokens if tokens >= self._settings.min_tokens else 0

    def keep(self, blocks: Sequence[Block], now_s: float) -> None:
        """Remember a prompt that was computed."""
        self._expire(now_s)
        self._touch(blocks, now_s)
        while len(self._blocks) > self._capacity_blocks:
            self._blocks.popitem(last=False)

    def _touch(self, blocks: Sequence[Block], now_s: float) -> None:
        for block in reversed(blocks):
            self._blocks[block] = now_s
            self._blocks.move_to_end(block)

    def _expire(self, now_s: float) -> None:
        dead_s = now_s - self._settings.idle_ttl_s
        while self._blocks:
            block, used_s = next(iter(self._blocks.items()))
            if used_s >= dead_s:
                return
            del self._blocks[block]
