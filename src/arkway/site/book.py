"""Which pages are there, in which order, under which addresses?

`docs/README.md` is the table of contents: its headings are the parts, its lists the pages. A page
that it does not name is still served, under "More". Addresses are those of the files without
`.md`; a README is its folder. They are relative everywhere: the site works under any prefix.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import cached_property

import msgspec

from arkway.site.sections import Section, plain, sections, title_of

CONTENTS = "README.md"
_ENTRY = re.compile(r"[-*] \[([^\]]+)\]\(([\w./-]+\.md)\)(?:: *(.*))?$")


class Leaf(msgspec.Struct, frozen=True):
    """A page in its place."""

    path: str  # in docs/: "adr/0004-retry-and-failover.md"
    name: str  # in the navigation
    title: str
    summary: str = ""

    @property
    def address(self) -> str:
        """Return where its HTML is, from the site's root: "api", "adr/", "" for the contents."""
        return address(self.path)


class Part(msgspec.Struct, frozen=True):
    """A heading of the navigation with its pages."""

    name: str
    leaves: tuple[Leaf, ...]


class Book:
    """The pages, in order. Immutable once made."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = dict(texts)
        self.parts = tuple(_parts(self.texts))
        front = Leaf(CONTENTS, title_of(texts[CONTENTS]), title_of(texts[CONTENTS]))
        ordered = [front, *(leaf for part in self.parts for leaf in part.leaves)]
        self.leaves = {leaf.path: leaf for leaf in [*ordered, *self._rest(ordered)]}

    def _rest(self, ordered: list[Leaf]) -> Iterator[Leaf]:
        """Yield the pages below a listed folder's README, such as single decisions."""
        listed = {leaf.path for leaf in ordered}
        for path in sorted(self.texts.keys() - listed):
            title = title_of(self.texts[path])
            yield Leaf(path, title, title)

    @cached_property
    def by_address(self) -> dict[str, Leaf]:
        """Return the pages by the address of their HTML."""
        return {leaf.address: leaf for leaf in self.leaves.values()}

    def sections(self) -> Iterator[Section]:
        """Yield the sections of all pages, in the order of the book.

        The contents themselves are left out: they name everything and tell nothing.
        """
        for path in self.leaves:
            if path != CONTENTS:
                yield from sections(path, self.texts[path])

    def neighbours(self, path: str) -> tuple[Leaf | None, Leaf | None]:
        """Return the pages before and after this one."""
        order = list(self.leaves)
        at = order.index(path)
        before = self.leaves[order[at - 1]] if at else None
        after = self.leaves[order[at + 1]] if at + 1 < len(order) else None
        return before, after


def address(path: str) -> str:
    """Return the address of a page's HTML from the site's root."""
    folder, _, name = path.rpartition("/")
    if name == CONTENTS:
        return f"{folder}/" if folder else ""
    return path.removesuffix(".md")


def markdown_address(path: str) -> str:
    """Return the address of a page's Markdown from the site's root."""
    folder, _, name = path.rpartition("/")
    return posixpath.join(folder, "index.md") if name == CONTENTS else path


def relative(here: str, there: str) -> str:
    """Return the link from the page at address `here` to `there`, both from the site's root."""
    base = posixpath.dirname(here)
    found = posixpath.relpath(f"/{there}", f"/{base}")
    return f"{found}/" if there.endswith("/") or not there else found


def _parts(texts: Mapping[str, str]) -> Iterator[Part]:
    """Read the table of contents; pages of the top folder that it lacks come last."""
    name, leaves, listed = "", list[Leaf](), {CONTENTS}
    for line in [*texts[CONTENTS].splitlines(), "## "]:
        entry, part = _ENTRY.match(line), line.startswith("## ")
        if entry and entry[2] in texts:
            leaf = Leaf(entry[2], entry[1], title_of(texts[entry[2]]), plain(entry[3] or ""))
            leaves.append(leaf)
            listed.add(leaf.path)
        elif part:
            if leaves:
                yield Part(name, tuple(leaves))
            name, leaves = line.removeprefix("## ").strip(), []
    rest = sorted(path for path in texts if "/" not in path and path not in listed)
    if rest:
        yield Part("More", tuple(Leaf(p, title_of(texts[p]), title_of(texts[p])) for p in rest))
