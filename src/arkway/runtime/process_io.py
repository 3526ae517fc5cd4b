"""What does this process take of its machine? Memory, processor time, descriptors, disk."""

import os
import resource
import time
from pathlib import Path

import msgspec

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Process(msgspec.Struct, frozen=True):
    """One look. None: this system does not say."""

    cpu_s: float
    max_fds: int
    rss_bytes: int | None = None
    open_fds: int | None = None
    disk_free_bytes: int | None = None


def look(folder: Path) -> Process:
    """Return what the process takes, and what is free where `folder` is.

    Cost:    as many directory entries as descriptors are open, and a call into a file system that
             may be slow: not for the event loop.
    """
    return Process(
        time.process_time(),
        resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        _rss_bytes(),
        _open_fds(),
        _free_bytes(folder),
    )


def _rss_bytes() -> int | None:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None


def _open_fds() -> int | None:
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1  # the one that lists
    except OSError:
        return None


def _free_bytes(folder: Path) -> int | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize
