"""Where are the pages' files? In the package, as the wheel has them, or in the source tree.

Read once: pages change with the version that they describe.
"""

from pathlib import Path

_PACKAGED = Path(__file__).with_name("docs")
_CHECKOUT = Path(__file__).resolve().parents[3] / "docs"
STATIC = Path(__file__).with_name("static")
# The documentation has 50 pages of at most 40 KiB. This is a bound for mistakes, such as a link to
# a folder of something else.
MAX_PAGES = 1000
MAX_PAGE_BYTES = 1 << 20
DESCRIPTIONS = ("openapi.json", "admin-openapi.json")  # of the public and of the admin API
MAX_IMAGES, MAX_IMAGE_BYTES = 40, 1 << 20  # all of them are kept in memory


def _root() -> Path:
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def read_images() -> dict[str, bytes]:
    """Return every picture of the pages by its path in docs/."""
    root = _root()
    files = sorted(root.glob("images/*.png"))
    assert len(files) <= MAX_IMAGES, "that is not our documentation"
    assert all(file.stat().st_size <= MAX_IMAGE_BYTES for file in files), "a picture of 1 MiB?"
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files}


def read_descriptions() -> dict[str, bytes]:
    """Return the OpenAPI documents by their path in docs/; one that is not there is left out."""
    root = _root()
    return {name: (root / name).read_bytes() for name in DESCRIPTIONS if (root / name).is_file()}


def read_pages() -> dict[str, str]:
    """Return the Markdown of every page by its path in docs/.

    Errors:  FileNotFoundError when there is no documentation in this installation.
    """
    root = _root()
    files = sorted(root.rglob("*.md"))
    if not (root / "README.md").is_file():
        raise FileNotFoundError(f"no documentation in {_PACKAGED} or {_CHECKOUT}")
    assert len(files) <= MAX_PAGES, "that is not our documentation"
    assert all(file.stat().st_size <= MAX_PAGE_BYTES for file in files), "a page of 1 MiB?"
    return {file.relative_to(root).as_posix(): file.read_text("utf-8") for file in files}


def read_static(name: str) -> bytes:
    """Return one of our own files for browsers."""
    return (STATIC / name).read_bytes()
