"""The Chinese README is a translation: the same parts, the same commands, the same links."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGLISH, CHINESE = (ROOT / name for name in ("README.md", "README.zh-CN.md"))
_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[str]:
    return _BLOCK.findall(page.read_text())


def prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text())


def test_it_says_that_it_is_a_translation():
    assert "译文" in CHINESE.read_text().partition("##")[0]
    assert "[README.md](README.md)" in CHINESE.read_text()


def test_it_has_the_same_headings_in_the_same_order():
    levels = [re.findall(r"^(#+) ", prose(page), re.MULTILINE) for page in (ENGLISH, CHINESE)]

    assert levels[0] == levels[1]
    assert len(levels[0]) >= 8


def test_it_has_the_same_commands_and_examples():
    assert blocks(CHINESE) == blocks(ENGLISH)


def test_it_names_the_same_files_flags_and_addresses():
    def named(page: Path) -> set[str]:
        text = prose(page)
        code = set(re.findall(r"`([^`]+)`", text))
        return code | set(re.findall(r"<(https?://[^>]+)>", text))

    assert named(CHINESE) == named(ENGLISH)


def test_it_leads_to_the_same_pages():
    def links(page: Path) -> list[str]:
        found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
        return sorted(link for link in found if "README" not in link and "images/" not in link)

    assert links(CHINESE) == links(ENGLISH)
