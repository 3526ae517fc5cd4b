"""What is this gateway's own secret? Made once, kept 0600, never shown.

One text, from which a key is derived for each use: a leak of one tells nothing of the others.
"""

import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from arkway.store.version import StoreRefused

SECRET_VARIABLE = "ARKWAY_SECRET_KEY"  # noqa: S105 - the variable's name
FILE_NAME = "secret-key"
# 32 random bytes as text are 43 characters; fewer than this is a word somebody chose.
MIN_CHARACTERS = 32
# 32 random hexadecimal digits have fewer than this once in a million; a repeated word has it often.
MIN_DIFFERENT = 8
_DERIVED_BYTES = 32


class WeakSecretError(StoreRefused):
    """The given secret is too short or too uniform to be one; the message is one line."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The keys of one gateway, one for each use."""

    api_keys: bytes = field(repr=False)  # of the HMAC by which callers' keys are kept
    credentials: bytes = field(repr=False)  # of the AES-GCM over upstream credentials
    affinity: bytes = field(repr=False)  # of the hash that places conversations
    admin: bytes = field(repr=False)  # of the HMAC over admin tokens and browser sessions
    ops: bytes = field(repr=False)  # of the HMAC over what our own processes ask of the gateway
    check: str = field(repr=False)  # tells this secret from another one; opens nothing


def derived(secret: bytes) -> Secrets:
    """Return the keys that `secret` gives, always the same ones."""
    return Secrets(
        api_keys=_sub_key(secret, b"api-keys"),
        credentials=_sub_key(secret, b"credentials"),
        affinity=_sub_key(secret, b"affinity"),
        admin=_sub_key(secret, b"admin"),
        ops=_sub_key(secret, b"ops"),
        check=_sub_key(secret, b"check").hex(),
    )


def _sub_key(secret: bytes, use: bytes) -> bytes:
    """Return HKDF-SHA-256 of `secret` for `use`: one block is all that is asked for.

    Source: RFC 5869; the salt is fixed, as the secret is random already.
    """
    extracted = hmac.digest(b"arkway", secret, "sha256")
    return hmac.digest(extracted, b"arkway " + use + b"\x01", "sha256")[:_DERIVED_BYTES]


def gateway_secrets(home: Path, environ: Mapping[str, str], *, make: bool = True) -> Secrets:
    """Return the keys of this gateway; its secret is made at the first start.

    Shapes:  make: whether a secret that is not there may be made.
    Errors:  WeakSecretError for one that can be guessed; StoreRefused for one that is not there and
             may not be made; OSError when it cannot be read or kept.
    """
    text = environ.get(SECRET_VARIABLE, "")
    if not text:
        text = _kept(home / FILE_NAME, make=make)
    if len(text) < MIN_CHARACTERS or len(set(text)) < MIN_DIFFERENT:
        raise WeakSecretError(
            f"{SECRET_VARIABLE} must have at least {MIN_CHARACTERS} random characters"
        )
    return derived(text.encode())


def _kept(path: Path, *, make: bool) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        if not make:
            raise StoreRefused(
                f"{path} is gone, and the store cannot be opened without it; "
                f"bring it back or set {SECRET_VARIABLE}"
            ) from None
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
