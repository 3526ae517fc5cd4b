"""What does a file hold, who else may read it, and is it still the file we read?"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

MAX_FILE_BYTES = 1024 * 1024  # Mozilla's whole bundle of authorities is a quarter of this

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class FileText:
    """The text of a small file, and whether its permissions let others at it."""

    text: str
    is_shared: bool  # group or others have some permission

    def __repr__(self) -> str:
        return f"FileText(***, is_shared={self.is_shared})"


def read_file(path: Path) -> FileText:
    """Return what `path` holds; links are followed, as mounted secrets are links.

    Errors:  OSError; ValueError when it is larger than MAX_FILE_BYTES or not UTF-8.
    """
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"it is larger than {MAX_FILE_BYTES} bytes")
    try:
        return FileText(content.decode(), is_shared=bool(mode & _OTHERS))
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a file does."""

    inode: int
    size_bytes: int
    modified_ns: int


def stamp(path: Path) -> Stamp | None:
    """Return the stamp of `path`; None when nothing can be found there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_ino, found.st_size, found.st_mtime_ns)
