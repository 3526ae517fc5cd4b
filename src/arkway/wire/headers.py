"""Which header is where? Names resolved once per layout, not once per message. Hot path.

A client sends the same header names in the same order in every request. So the names of a message,
as one tuple, are looked up whole: what comes back picks the wanted values by position. A layout
that was never seen is worked out, and kept in the place of the oldest.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import msgspec

# Layouts that are kept, for each kind of message. Real clients have a handful each.
MAX_LAYOUTS = 256
# A browser's thirty names are 400 bytes. With both bounds a flood of made-up names holds 1 MiB.
MAX_KEPT_NAMES = 40
MAX_KEPT_BYTES = 1024


class Layout(msgspec.Struct, frozen=True):
    """Where the wanted headers are among a message's values.

    Shapes:  pick(values) gives one value per wanted name, in the order of the table; `values` must
             end in one empty value more, which stands for every absent header.
    """

    pick: Callable[[Sequence[bytes]], Any]  # a tuple of bytes
    present: frozenset[str]  # wanted names that occur
    repeated: frozenset[str]  # wanted names that occur more than once; the last one is picked


class LayoutTable:
    """The known layouts for one list of wanted names (lower case, at least two)."""

    __slots__ = ("_layouts", "_wanted")

    def __init__(self, wanted: Sequence[str]) -> None:
        assert len(wanted) > 1, "an itemgetter of one name gives no tuple"
        self._wanted = tuple(wanted)
        self._layouts: dict[tuple[bytes, ...], Layout] = {}

    def find(self, names: tuple[bytes, ...]) -> Layout:
        """Return the layout of a message with these names, spelled as they came."""
        layout = self._layouts.get(names)
        if layout is None:
            layout = self._work_out(names)
            if len(names) <= MAX_KEPT_NAMES and sum(map(len, names)) <= MAX_KEPT_BYTES:
                self._keep(names, layout)
        return layout

    def _keep(self, names: tuple[bytes, ...], layout: Layout) -> None:
        if len(self._layouts) >= MAX_LAYOUTS:
            del self._layouts[next(iter(self._layouts))]
        self._layouts[names] = layout

    def _work_out(self, names: tuple[bytes, ...]) -> Layout:
        lowered = [name.lower().decode("latin-1") for name in names]
        places = {name: place for place, name in enumerate(lowered)}
        repeated = frozenset(name for name in self._wanted if lowered.count(name) > 1)
        present = frozenset(self._wanted).intersection(places)
        pick = itemgetter(*(places.get(name, -1) for name in self._wanted))
        return Layout(pick, present, repeated)
