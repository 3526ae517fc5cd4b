"""What are the parts of a page? Sections by heading, and in them passages that can be quoted.

Reads lines and no grammar: headings, fences, tables, lists and paragraphs are all that the pages
have, and a section has to be cut at start-up, for every page, in milliseconds. The HTML is made by
a real Markdown parser (`markdown.py`); that both name the same anchors is tested.
Passages are quoted as they stand, so a passage knows its Markdown and, of a row, its table's head.
"""

import re
from collections.abc import Iterator
from enum import StrEnum

import msgspec

_HEADING = re.compile(r"(#{1,6}) +(.+?) *#* *$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)]) ")
_COMMENT = re.compile(r"<!--.*-->\s*$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_CODE_SPAN = re.compile(r"(`[^`]+`)")
_EMPHASIS = re.compile(r"\*\*?")
_STRING = re.compile(r"\"[^\"\n]*\"")
_RULE_ROW = re.compile(r"\|?[\s:|-]+\|?$")


class Kind(StrEnum):
    """What a passage is, which decides how it is quoted."""

    PROSE = "prose"
    ITEM = "item"
    ROW = "row"
    CODE = "code"


class Passage(msgspec.Struct, frozen=True):
    """A paragraph, list item, table row or block of code."""

    kind: Kind
    source: str  # its Markdown, to quote
    head: str = ""  # of a row: the two lines above its table

    @property
    def text(self) -> str:
        """Return it without markup; a row with the heads of its columns.

        Code without the sentences in it: what an example asks a model is not what we say.
        """
        if self.kind is Kind.CODE:
            return _STRING.sub(lambda found: "" if " " in found[0] else found[0], self.source)
        return plain(f"{self.head}\n{self.source}")

    @property
    def shown(self) -> str:
        """Return it as one line of text, for a list of results."""
        if self.kind is Kind.CODE:
            return " ".join(" ".join(self.source.splitlines()[1:-1]).split()) or self.source.strip()
        return _ITEM.sub("", plain(self.source).replace("¦", "|"), count=1)


class Section(msgspec.Struct, frozen=True):
    """What stands under one heading, up to the next heading of any level."""

    page: str  # path of the page in docs/, such as "adr/0004-retry-and-failover.md"
    title: str  # of the page
    trail: tuple[str, ...]  # headings from below the title down to this one; empty: the opening
    anchor: str  # empty: the opening
    passages: tuple[Passage, ...]

    @property
    def heading(self) -> str:
        """Return what to call it on a page of its own."""
        return self.trail[-1] if self.trail else self.title

    @property
    def source(self) -> str:
        """Return its Markdown, tables put together again."""
        return quoted(self.passages)


def plain(markdown: str) -> str:
    """Return a line or paragraph of Markdown as text: links to their words, no marks."""
    text = _LINK.sub(r"\1", markdown)
    parts = _CODE_SPAN.split(text)
    parts[0::2] = [_EMPHASIS.sub("", part) for part in parts[0::2]]
    parts[1::2] = [part.strip("`") for part in parts[1::2]]
    return " ".join("".join(parts).replace("\\|", "¦").replace("|", " ").split())


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading, repeats left to the caller."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def unique(anchor: str, taken: set[str]) -> str:
    """Return `anchor`, numbered when it is taken, and take it."""
    number, found = 0, anchor
    while found in taken:
        number += 1
        found = f"{anchor}-{number}"
    taken.add(found)
    return found


def title_of(text: str) -> str:
    """Return a page's title: its first heading."""
    for line in text.splitlines():
        if match := _HEADING.match(line):
            return plain(match[2])
    return "Untitled"


def sections(page: str, text: str) -> Iterator[Section]:
    """Yield the sections of a page that say something, in order."""
    title = title_of(text)
    trail: list[tuple[int, str]] = []
    taken: set[str] = set()
    anchor, lines, is_code = "", list[str](), ""

    def cut() -> Iterator[Section]:
        if found := tuple(_passages(lines)):
            yield Section(page, title, tuple(name for _, name in trail), anchor, found)
        lines.clear()

    for line in text.splitlines():
        fence = _FENCE.match(line)
        if fence:
            is_code = "" if is_code and fence[1].startswith(is_code) else is_code or fence[1]
        heading = None if fence or is_code else _HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        yield from cut()
        level, name = len(heading[1]), plain(heading[2])
        own = unique(slug(heading[2]), taken)
        if level > 1:
            trail = [entry for entry in trail if entry[0] < level] + [(level, name)]
            anchor = own
    yield from cut()


def quoted(passages: tuple[Passage, ...]) -> str:
    """Return passages as Markdown, in order; rows of one table under one head."""
    parts: list[str] = []
    head = ""
    for passage in passages:
        if passage.head and passage.head == head:
            parts[-1] += f"\n{passage.source}"
        elif passage.head:
            parts.append(f"{passage.head}\n{passage.source}")
        elif passage.kind is Kind.ITEM and parts and head == "-":
            parts[-1] += f"\n{passage.source}"
        else:
            parts.append(passage.source)
        head = passage.head or ("-" if passage.kind is Kind.ITEM else "")
    return "\n\n".join(parts)


def _passages(lines: list[str]) -> Iterator[Passage]:
    """Cut the lines of a section into passages."""
    block: list[str] = []
    fence = ""
    for line in [*lines, ""]:
        mark = _FENCE.match(line)
        if fence:
            block.append(line)
            if mark and mark[1].startswith(fence):
                yield Passage(Kind.CODE, "\n".join(block))
                block, fence = [], ""
        elif mark:
            yield from _block(block)
            block, fence = [line], mark[1]
        elif not line.strip() or _COMMENT.match(line):
            yield from _block(block)
            block = []
        elif block and _begins_another(block[-1], line):
            yield from _block(block)
            block = [line]
        else:
            block.append(line)
    if fence:  # the page ends inside it
        yield Passage(Kind.CODE, "\n".join(block[:-1]))


def _begins_another(above: str, line: str) -> bool:
    is_row = line.startswith("|")
    return bool(_ITEM.match(line)) or is_row != above.startswith("|")


def _block(block: list[str]) -> Iterator[Passage]:
    """Make passages of lines that belong together: a table gives one a row."""
    if not block:
        return
    if block[0].startswith("|") and len(block) > 1 and _RULE_ROW.match(block[1]):
        head = "\n".join(block[:2])
        yield from (Passage(Kind.ROW, row, head) for row in block[2:])
    elif block[0].startswith("    "):
        yield Passage(Kind.CODE, "\n".join(block))
    else:
        kind = Kind.ITEM if _ITEM.match(block[0]) else Kind.PROSE
        yield Passage(kind, "\n".join(block))
