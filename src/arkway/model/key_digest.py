"""By what is a caller's key recognised? A digest; the text of a key is kept nowhere. Hot path."""

import hmac
from hashlib import sha256

DIGEST_BYTES = 32


def key_digest(secret: bytes, text: bytes) -> bytes:
    """Return what is kept of the key `text`: HMAC-SHA-256 of its SHA-256.

    The inner hash lets keys move in that an older configuration holds as plain SHA-256; the HMAC
    makes a stolen list of digests worthless without the gateway's secret.
    """
    return hmac.digest(secret, sha256(text).digest(), "sha256")


def digest_of_hash(secret: bytes, text_sha256: bytes) -> bytes:
    """Return the digest of the key whose SHA-256 is `text_sha256`."""
    return hmac.digest(secret, text_sha256, "sha256")
