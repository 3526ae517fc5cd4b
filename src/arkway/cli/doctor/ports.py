"""Which process has this port, and which holds this lock? Linux's own tables; None elsewhere."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from arkway.cli.doctor.finding import Finding, ok, problem, warning

_LISTENS = "0A"  # the state of a socket that listens, in /proc/net/tcp
_SOCKET = re.compile(r"socket:\[(\d+)\]").fullmatch
PROC = Path("/proc")


class Holder(msgspec.Struct, frozen=True):
    """A process. `pid`: None: it is another user's, who does not say."""

    pid: int | None
    name: str = ""

    def __str__(self) -> str:
        if self.pid is None:
            return "a process of another user"
        return f"{self.name or 'process'} ({self.pid})"


def listener(port: int, proc: Path = PROC) -> Holder | None:
    """Return who listens on a TCP port, on any address; None: nobody, or it cannot be known."""
    inodes = {
        inode for table in ("tcp", "tcp6") for inode in _listening(proc / "net" / table, port)
    }
    if not inodes:
        return None
    for pid in _pids(proc):
        if inodes & set(_sockets(proc / str(pid) / "fd")):
            return Holder(pid, name_of(pid, proc))
    return Holder(None)


def lock_holder(path: Path, proc: Path = PROC) -> Holder | None:
    """Return who holds a lock on a file; None: nobody, or it cannot be known. No lock is taken."""
    try:
        inode = path.stat().st_ino
        lines = (proc / "locks").read_text().splitlines()
    except OSError:
        return None
    for line in lines:  # 1: FLOCK ADVISORY WRITE 4242 08:01:1835016 0 EOF
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
            pid = int(words[4])
            if _has_open(proc / str(pid) / "fd", path):
                return Holder(pid, name_of(pid, proc))
    return None


def name_of(pid: int, proc: Path = PROC) -> str:
    """Return the name of a process; empty: it has gone."""
    try:
        return (proc / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def judge(
    ports: dict[str, int], gateway: int | None, find: Callable[[int], Holder | None]
) -> Iterator[Finding]:
    """Yield who has each port of the configuration.

    Shapes:  ports: setting -> port; gateway: the running gateway's process; None: none runs.
    """
    for setting, port in ports.items():
        if port == 0:
            yield ok("ports", f"{setting} takes a free port")
            continue
        holder = find(port)
        if holder is None:
            yield ok("ports", f"{port} ({setting}) is free")
        elif gateway is not None and holder.pid == gateway:
            yield ok("ports", f"{port} ({setting}) is the running gateway's")
        elif gateway is not None and _is_below(holder.pid, gateway):
            yield ok("ports", f"{port} ({setting}) is of the running gateway's {holder}")
        else:
            level = problem if setting.startswith("server.") else warning  # it serves without
            yield level(
                "ports",
                f"{port} ({setting}) is taken by {holder}",
                f"end that, or choose another {setting}",
            )


def _is_below(pid: int | None, parent: int, proc: Path = PROC) -> bool:
    """Return whether one process was started by the other."""
    try:
        stat = (proc / str(pid) / "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[1] == str(parent)


def _listening(table: Path, port: int) -> Iterator[int]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        words = line.split()
        if words[3] == _LISTENS and int(words[1].rpartition(":")[2], 16) == port:
            yield int(words[9])


def _pids(proc: Path) -> Iterator[int]:
    yield from (int(each.name) for each in proc.iterdir() if each.name.isdigit())


def _sockets(folder: Path) -> Iterator[int]:
    for link in _links(folder):
        found = _SOCKET(link)
        if found is not None:
            yield int(found[1])


def _has_open(folder: Path, path: Path) -> bool:
    """Return whether a process has a file open; True where another user's does not say."""
    try:
        next(folder.iterdir(), None)
    except OSError:
        return True
    return str(path.resolve()) in _links(folder)


def _links(folder: Path) -> Iterator[str]:
    try:
        for each in folder.iterdir():
            try:
                yield os.readlink(each)  # noqa: PTH115 - `socket:[1]` is no path
            except OSError:
                continue
    except OSError:  # another user's, or it has gone
        return
