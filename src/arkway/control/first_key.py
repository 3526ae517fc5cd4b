"""How does a fresh gateway get its store and its first caller? Once, before anything is served."""

import subprocess
import sys
from pathlib import Path

from arkway.control.home import FIRST_KEY_NAME
from arkway.store.version import StoreRefused

_LIMIT_S = 60.0  # it takes half a second; a disk that takes longer is not one to serve from


def ensure_first_key(home: Path) -> str | None:
    """Return the text of a new key named "first"; None when a key was ever made.

    The store of `home` is made if there is none, and the text left in `home/first-key` (0600).
    Runs `arkway.store.begin` as a process: what it needs would stay in this one for ever.
    Errors:  StoreRefused, in one line.
    """
    command = [sys.executable, "-m", "arkway.store.begin", str(home), str(home / FIRST_KEY_NAME)]
    try:
        done = subprocess.run(  # noqa: S603  our own module, by our own interpreter
            command, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise StoreRefused(f"no store could be made in {home} within {_LIMIT_S:g} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason was given"]
        raise StoreRefused(f"no store could be made in {home}: {lines[-1]}")
    return done.stdout.strip() or None
