"""How do commands change the configuration file? Whole blocks appended, atomically.

Under a lock, so that two commands at once both get what they asked for; the result is checked
before it replaces the old file, and everything that was there, comments too, stays as it was.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from arkway.control.config import Account, Config, Key
from arkway.control.load import Loaded, assemble, read_config
from arkway.control.problems import Problem
from arkway.control.toml_text import block, entry_path

_PRIVATE_FILE = 0o600
_LOCK_WAIT_S = 10.0  # an edit takes milliseconds; a holder that takes longer is stuck
_LOCK_RETRY_S = 0.02
_HEADER = "# Arkway's configuration; `arkway config check` looks it over.\n"


class EditError(Exception):
    """The change was not made, and the file is as it was."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class Edit:
    """A configuration file, held for changing; nothing is written until the `with` block ends."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._before = self._after = text
        self._loaded = self._check(text)

    @property
    def config(self) -> Config:
        """Return what the file says, with the blocks appended so far."""
        return self._loaded.draft

    @property
    def text(self) -> str | None:
        """Return the file's new text; None when nothing was appended."""
        return None if self._after == self._before else self._after

    def append_account(self, account: Account) -> None:
        """Append an `[[accounts]]` block.

        Errors:  EditError; the block is dropped.
        """
        self._append("accounts", account, {each.name for each in self.config.accounts})

    def append_key(self, key: Key) -> None:
        """Append a `[[keys]]` block.

        Errors:  EditError; the block is dropped.
        """
        self._append("keys", key, {each.name for each in self.config.keys})

    def _append(self, table: str, entry: Account | Key, taken: set[str]) -> None:
        if entry.name in taken:
            raise EditError((Problem(entry_path(table, entry.name), "exists already"),))
        text = self._after or _HEADER
        gap = "" if text.endswith("\n") else "\n"
        try:
            added = block(table, entry)
        except ValueError as error:
            raise EditError((Problem(table, str(error)),)) from None
        self._loaded = self._check(f"{text}{gap}\n{added}")

    def _check(self, text: str) -> Loaded:
        """Return what `text` says by itself: environment and flags do not matter to the file."""
        loaded = assemble(text, self._path, {})
        if loaded.problems:
            raise EditError(loaded.problems)
        self._after = text
        return loaded


@contextmanager
def open_for_edit(path: Path) -> Iterator[Edit]:
    """Hold the configuration file at `path` (it may not exist yet) and write the edit at the end.

    Nothing is written when the block raises. A link is followed: the file behind it is replaced.
    Errors:  EditError when the file has problems already; TimeoutError when another command
             holds it for _LOCK_WAIT_S; OSError.
    """
    path = path.resolve()
    with _locked(path):
        edit = Edit(path, _text_of(path))
        yield edit
        if edit.text is not None:
            _replace(path, edit.text)


def _text_of(path: Path) -> str:
    try:
        return read_config(path)
    except FileNotFoundError:
        return ""
    except ValueError as error:
        raise EditError((Problem(str(path), f"cannot be read: {error}"),)) from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of `path`: a file beside it, as `path` itself is replaced under the lock."""
    with _open_private(path.with_name(f".{path.name}.lock")) as lock:
        give_up_s = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up_s:
                    raise TimeoutError(f"another command holds {path}") from None
                time.sleep(_LOCK_RETRY_S)
        yield  # closing the file gives the lock back


def _open_private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE), "r+b")


def _replace(path: Path, text: str) -> None:
    """Put `text` in place of `path` in one step that survives a power cut.

    The new file is 0600, or has the mode and owner of the one it replaces.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            _keep_mode_and_owner(path, descriptor)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _keep_mode_and_owner(path: Path, descriptor: int) -> None:
    if not path.exists():
        return
    old = path.stat()
    os.fchmod(descriptor, old.st_mode & 0o777)
    with suppress(PermissionError):  # only root can give a file away
        os.fchown(descriptor, old.st_uid, old.st_gid)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
