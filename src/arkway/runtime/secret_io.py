"""What is this gateway's own secret? Made once, kept 0600, never shown."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

SECRET_VARIABLE = "ARKWAY_SECRET_KEY"  # noqa: S105 - the variable's name
_FILE_NAME = "secret-key"
# 32 random bytes as text are 43 characters; fewer than this is a word somebody chose.
MIN_CHARACTERS = 32


class WeakSecretError(Exception):
    """The given secret is too short to be one; the message is one line."""


def gateway_secret(home: Path, environ: Mapping[str, str]) -> bytes:
    """Return the secret that namespaces conversations; made at the first start.

    Errors:  WeakSecretError for one that is too short; OSError when it cannot be kept.
    """
    text = environ.get(SECRET_VARIABLE, "")
    if not text:
        text = _kept(home / _FILE_NAME)
    if len(text) < MIN_CHARACTERS:
        raise WeakSecretError(
            f"{SECRET_VARIABLE} must have at least {MIN_CHARACTERS} random characters"
        )
    return text.encode()


def _kept(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        text = secrets.token_urlsafe(32)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(temporary, path)  # fails when another process was first: its secret counts
        except FileExistsError:
            text = path.read_text().strip()
        finally:
            temporary.unlink()
        return text
