"""How does a fresh gateway get its first caller? One key, made once, left where it can be read."""

import os
from collections.abc import Mapping
from pathlib import Path

from arkway.control.config import Key
from arkway.control.edit import open_for_edit
from arkway.control.home import FIRST_KEY_NAME, config_file, open_home
from arkway.control.keys import hash_of, new_key

_PRIVATE_FILE = 0o600


def ensure_first_key(
    home: Path, config_path: Path | None = None, environ: Mapping[str, str] | None = None
) -> str | None:
    """Return the text of a new key named "first"; None when the configuration has any key.

    Its hash is appended to the configuration file, its text written to `home/first-key` (0600):
    the text first, so that a crash between the two leaves a key that opens nothing, and the next
    start makes another.
    Errors:  EditError when the file has problems; OSError when it cannot be written.
    """
    path = config_file(open_home(home), config_path, environ or {})
    with open_for_edit(path) as edit:
        if edit.config.keys:
            return None
        text = new_key()
        edit.append_key(Key(name="first", hash=hash_of(text)))
        _write_private(home / FIRST_KEY_NAME, text + "\n")
    return text


def _write_private(path: Path, text: str) -> None:
    """Replace `path` by a file only its owner can read."""
    path.unlink(missing_ok=True)  # a wider mode, or a link, must not outlive this
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
