"""How is a text left for the operator alone? In a file of mode 0600, durable when this returns."""

import os
from pathlib import Path

_PRIVATE_FILE = 0o600


def write_private(path: Path, text: str) -> None:
    """Replace `path` by a file only its owner can read."""
    path.unlink(missing_ok=True)  # a wider mode, or a link, must not outlive this
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
