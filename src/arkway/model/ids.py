"""How are things named? Identifier types, and UUIDv7 request ids."""

from typing import NewType

AccountId = NewType("AccountId", str)
TenantId = NewType("TenantId", str)
KeyId = NewType("KeyId", str)
RequestId = NewType("RequestId", str)

# Whose an attempt is that no caller made, an operator's test of an account: its key and its tenant.
# No key has such an id, and no tenant is given the name.
OPERATOR = "@operator"

BLOCK_BYTES = 9  # of randomness behind one block of ids: 72 bits, of which 66 show

# The last byte of an id counts within its block; taken from the end, so that ids ascend.
_COUNTS = [f"{count:02x}" for count in reversed(range(256))]


def uuid7_head(unix_ms: int) -> str:
    """Return the first part of a UUIDv7, up to and including its version.

    Units:   unix_ms in milliseconds since the epoch.
    Source:  RFC 9562 section 5.7.
    """
    text = f"{unix_ms & 0xFFFF_FFFF_FFFF:012x}"
    return f"{text[:8]}-{text[8:]}-7"


def uuid7_tails(randomness: bytes) -> list[str]:
    """Return the last parts of 256 UUIDv7s: one random block, and a count within it.

    Two processes that draw ids in one millisecond share none unless 66 random bits agree.
    Shapes:  randomness: BLOCK_BYTES; `uuid7_head(now) + tails.pop()` is a whole id; a tail serves
             once.
    Source:  RFC 9562 section 6.2, method 2: a counter in the last bits over a random start.
    """
    text = randomness.hex()
    variant = "89ab"[int(text[3], 16) & 3]
    block = f"{text[:3]}-{variant}{text[4:7]}-{text[7:17]}"
    return [block + count for count in _COUNTS]
