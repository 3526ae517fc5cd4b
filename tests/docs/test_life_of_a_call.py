"""Do the names in the documentation exist? Every dotted `arkway.…`, and a row for each room."""

import importlib
import re
from pathlib import Path

import pytest

import arkway

ROOT = Path(__file__).resolve().parents[2]
LIFE = ROOT / "docs" / "life_of_a_call.md"
PAGES = [ROOT / "README.md", ROOT / "bench" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Names of files, not of objects.
FILES = {"arkway.toml"}


def dotted_names(page: Path) -> set[str]:
    return set(re.findall(r"`(arkway(?:\.\w+)+)`", page.read_text())) - FILES


def resolve(name: str) -> object:
    """Return the module, class, function or attribute called `name`.

    Errors:  AttributeError, ModuleNotFoundError.
    """
    found: object = arkway
    path = "arkway"
    for part in name.split(".")[1:]:
        path += f".{part}"
        if not hasattr(found, part):
            importlib.import_module(path)
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_dotted_name_resolves(page):
    missing = []
    for name in sorted(dotted_names(page)):
        try:
            resolve(name)
        except (AttributeError, ModuleNotFoundError):
            missing.append(name)

    assert missing == []


def test_the_page_names_what_it_describes():
    assert len(dotted_names(LIFE)) > 60


def test_a_name_that_is_wrong_does_not_resolve():
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        resolve("arkway.pipeline.no_such_step")


def test_every_room_has_its_row():
    source = ROOT / "src" / "arkway"
    rooms = {path.stem for path in source.iterdir() if path.is_dir() or path.suffix == ".py"}
    rooms -= {"__init__", "__main__", "__pycache__", "pipeline"}

    rows = re.findall(r"^\| `arkway\.(\w+)` \|", LIFE.read_text(), re.MULTILINE)

    assert sorted(rows) == sorted(rooms)


def test_every_source_file_whose_part_is_described_is_named():
    """The data plane's files, all of them: a new one is described or the page is out of date."""
    plane = ("listener", "admission", "routing", "upstream", "relay", "wire")
    files = {
        f"arkway.{room}.{path.stem}"
        for room in plane
        for path in (ROOT / "src" / "arkway" / room).glob("*.py")
        if path.stem != "__init__"
    }
    names = dotted_names(LIFE)

    # Heads are rendered in `wire.http`: nothing on the page turns on it.
    unnamed = {file for file in files if not any(name.startswith(file) for name in names)}
    assert unnamed <= {"arkway.wire.http"}
