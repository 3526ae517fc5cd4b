"""How does an upstream's credential rest in the store? Sealed by AES-GCM, bound to its account.

A sealed credential moved to another account's row, or changed by a bit, does not open.
Source: NIST SP 800-38D; 96-bit random nonces, far below 2^32 seals of one key.
"""

import re
import secrets

# 9 MiB and 36 ms that only gateways with sealed credentials pay, so it is imported where used.
_NONCE_BYTES = 12

# A credential travels in one request header, for whose line nginx allows 8 KiB.
is_credential = re.compile(r"[\x21-\x7e]{1,8000}").fullmatch
CREDENTIAL_RULE = "must be one line of 1 to 8000 visible ASCII characters"


class CannotOpenError(Exception):
    """What was sealed is not what is here, or was sealed with another secret."""


def seal(key: bytes, account: str, credential: str) -> bytes:
    """Return `credential` so that only `key` and the same account open it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, credential.encode(), _bound_to(account))


def unseal(key: bytes, account: str, sealed: bytes) -> str:
    """Return the credential that `seal` was given.

    Errors:  CannotOpenError; its text names no secret.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, text, _bound_to(account)).decode()
    except (InvalidTag, ValueError):
        raise CannotOpenError("its credential does not open with this secret") from None


def _bound_to(account: str) -> bytes:
    return b"account:" + account.encode()
