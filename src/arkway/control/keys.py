"""What does a caller's key look like? Its text, made once, and the hash that is kept."""

import hashlib
import secrets
import string

PREFIX = "sk-"  # what OpenAI's tools expect a key to start with
RANDOM_CHARS = 48  # of 62 letters and digits: 285 bits, beyond any guessing

_ALPHABET = string.ascii_letters + string.digits


def new_key() -> str:
    """Return the text of a new key; it is shown once and only its hash is kept."""
    return PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_CHARS))


def hash_of(key: str) -> str:
    """Return the form in which the configuration holds a key: `sha256:` and 64 hex digits.

    A plain hash is enough: a key has too many random bits to be found by trying.
    """
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()
