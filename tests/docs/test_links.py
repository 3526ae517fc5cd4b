"""Does every link lead somewhere? Files, headings, and paths named in passing; no page is lost."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    ROOT / "bench" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
ADRS = sorted(path for path in (ROOT / "docs" / "adr").glob("*.md") if path.stem != "README")
ADR_HEADINGS = ["## Context", "## Decision", "## Consequences", "## Rejected"]
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"`((?:src|tests|docs|bench|tools|requirements|\.ci)/[\w./-]+)`")

every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return _FENCE.sub("", page.read_text())


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """Return the fragments that lead into `page`, as GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def target(page: Path, link: str) -> Path:
    name = link.partition("#")[0]
    return (page.parent / name).resolve() if name else page


@every_page
def test_links_between_files_resolve(page):
    for link in links(page):
        if "://" in link:
            continue
        found = target(page, link)
        assert found.exists(), link
        fragment = link.partition("#")[2]
        assert not fragment or fragment in anchors(found), link


@every_page
def test_paths_named_in_passing_exist(page):
    assert [path for path in _PATH.findall(prose(page)) if not (ROOT / path).exists()] == []


@every_page
def test_no_page_points_outside_the_repository(page):
    text = page.read_text()

    assert "../shared" not in text
    assert not re.search(r"\bissue #?\d", text, re.IGNORECASE)
    for link in links(page):
        if "://" not in link:
            assert target(page, link).is_relative_to(ROOT), link


def test_every_page_can_be_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page.suffix == ".md" and page not in reached:
            reached.add(page)
            waiting += [target(page, link) for link in links(page) if "://" not in link]

    assert set(PAGES) - reached == set()


@pytest.mark.parametrize("adr", ADRS, ids=lambda adr: adr.stem)
def test_a_decision_has_its_four_parts_and_one_page(adr):
    text = adr.read_text()

    assert text.startswith(f"# {adr.name[:4]}: ")
    assert re.findall(r"^## .+$", text, re.MULTILINE) == ADR_HEADINGS
    assert len(text.splitlines()) <= 70


def test_decisions_are_numbered_without_gaps_and_listed():
    index = ROOT / "docs" / "adr" / "README.md"

    assert [int(adr.name[:4]) for adr in ADRS] == list(range(1, len(ADRS) + 1))
    assert [link for link in links(index) if link.startswith("0")] == [adr.name for adr in ADRS]


@every_page
def test_lines_fit_beside_the_code(page):
    """120 columns; tables, code and lone links may be longer. The generated pages too."""
    lines = prose(page).splitlines()

    assert [line for line in lines if len(line) > 120 and not line.startswith(("|", "<"))] == []
