"""What may keep a process from starting, and what is said of it? One line for each."""

import contextlib
import errno
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

from arkway.store.problems import Problem


def print_problems(path: Path, problems: Iterable[Problem]) -> None:
    """Say what is wrong with a configuration, all of it."""
    print(f"arkway serve: {path} has problems:", file=sys.stderr)
    for problem in problems:
        print(f"  {problem}", file=sys.stderr)


def bind_problem(host: str, port: int, error: OSError, flag: str) -> str:
    """Return why a port cannot be had, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return f"{host}:{port} is in use by another process; stop it or choose another {flag}"
    return f"cannot listen on {host}:{port}: {error.strerror or error}"


def raise_file_limit() -> None:
    """Use all the file descriptors the system grants: each call needs two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
