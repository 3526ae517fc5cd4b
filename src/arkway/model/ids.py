"""How are things named? Identifier types, and UUIDv7 request ids."""

from typing import NewType

AccountId = NewType("AccountId", str)
TenantId = NewType("TenantId", str)
KeyId = NewType("KeyId", str)
RequestId = NewType("RequestId", str)

TAIL_BYTES = 10  # of randomness behind one id: 80 bits, of which 74 show


def uuid7_head(unix_ms: int) -> str:
    """Return the first part of a UUIDv7, up to and including its version.

    Units:   unix_ms in milliseconds since the epoch.
    Source:  RFC 9562 section 5.7.
    """
    text = f"{unix_ms & 0xFFFF_FFFF_FFFF:012x}"
    return f"{text[:8]}-{text[8:]}-7"


def uuid7_tails(randomness: bytes) -> list[str]:
    """Return the random parts of UUIDv7s, TAIL_BYTES of `randomness` each.

    Shapes:  `uuid7_head(now) + tail` is a whole id; a tail serves once.
    """
    text = randomness.hex()
    step = 2 * TAIL_BYTES
    return [
        f"{text[at : at + 3]}-{'89ab'[int(text[at + 3], 16) & 3]}{text[at + 4 : at + 7]}"
        f"-{text[at + 7 : at + 19]}"
        for at in range(0, len(text) - step + 1, step)
    ]
