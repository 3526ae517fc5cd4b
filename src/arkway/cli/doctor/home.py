"""Is the home directory in order? Who owns it, who else may read it."""

import os
import pwd
import stat
from pathlib import Path

import msgspec

from arkway.cli.doctor.finding import Finding, ok, problem, warning
from arkway.control.home import CONFIG_NAME

CHECK = "home"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
# A home holds a dozen files; more is a directory of other things, of which these are looked at.
MAX_FILES = 1000
_SHOWN = 5  # names in one line


class File(msgspec.Struct, frozen=True):
    """One file, or the home itself."""

    name: str
    mode: int
    owner: int


class Home(msgspec.Struct, frozen=True):
    """What is there. `files`: None: it cannot be listed."""

    path: Path
    itself: File | None  # None: it is not there, or no directory
    files: list[File] | None = None
    user: int = 0  # who asks


def look(path: Path) -> Home:
    """Look at the home and at what is in it.

    Errors:  OSError.
    """
    user = os.geteuid()
    try:
        found = path.stat()
    except FileNotFoundError:
        return Home(path, None, user=user)
    if not stat.S_ISDIR(found.st_mode):
        return Home(path, None, [], user)
    itself = File(str(path), stat.S_IMODE(found.st_mode), found.st_uid)
    try:
        names = sorted(each.name for each in os.scandir(path))[:MAX_FILES]
    except PermissionError:
        return Home(path, itself, None, user)
    files = []
    for name in names:
        try:
            each = (path / name).lstat()
        except FileNotFoundError:  # a running gateway comes and goes with some of them
            continue
        if stat.S_ISREG(each.st_mode):
            files.append(File(name, stat.S_IMODE(each.st_mode), each.st_uid))
    return Home(path, itself, files, user)


def judge(home: Home) -> list[Finding]:
    """Return what the owner and the modes mean."""
    path, itself = home.path, home.itself
    if itself is None:
        if home.files is not None:
            return [problem(CHECK, f"{path} is not a directory", "set ARKWAY_HOME to one")]
        text = f"{path} is not there yet"
        return [warning(CHECK, text, "if that is not what you meant, set ARKWAY_HOME")]
    found = [*_owner(home, itself), *_directory(itself), *_files(home)]
    return found or [ok(CHECK, f"{path}, of {_name(itself.owner)}, for nobody else")]


def _owner(home: Home, itself: File) -> list[Finding]:
    owner = _name(itself.owner)
    if home.user not in (0, itself.owner):
        text = f"{home.path} belongs to {owner}, and you are {_name(home.user)}"
        return [problem(CHECK, text, f"run this as {owner}: `sudo -u {owner} arkway doctor`")]
    others = [each.name for each in home.files or () if each.owner != itself.owner]
    if others:
        text = f"{_listed(others)} in {home.path}: not of {owner}, who owns the rest"
        return [problem(CHECK, text, f"chown -R {owner} {home.path}")]
    return []


def _directory(itself: File) -> list[Finding]:
    advice = f"chmod 700 {itself.name}"
    if itself.mode & _OTHERS_WRITE:
        text = f"{itself.name} has mode {itself.mode:04o}: others can put files in its place"
        return [problem(CHECK, text, advice)]
    if itself.mode & _OTHERS:
        text = f"{itself.name} has mode {itself.mode:04o}: others can look into it"
        return [warning(CHECK, text, advice)]
    return []


def _files(home: Home) -> list[Finding]:
    if home.files is None:
        return []  # what the owner's line says already
    open_ = [each for each in home.files if each.mode & _OTHERS and not _is_harmless(each.name)]
    if not open_:
        return []
    names = [each.name for each in open_]
    modes = ", ".join(sorted({f"{each.mode:04o}" for each in open_}))
    text = (
        f"{_listed(names)} in {home.path}: open to others (mode {modes}), and hold secrets or calls"
    )
    paths = " ".join(str(home.path / name) for name in names[:_SHOWN])
    return [problem(CHECK, text, f"chmod 600 {paths}")]


def _is_harmless(name: str) -> bool:
    """Return whether a file holds neither secrets nor calls: locks are empty."""
    return name.startswith(CONFIG_NAME) or name.endswith(".lock")


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # a container's user often has no name
        return str(user)
