"""How are things named? Identifier types, and request ids."""

from typing import NewType

AccountId = NewType("AccountId", str)
TenantId = NewType("TenantId", str)
RequestId = NewType("RequestId", str)

_VARIANT = 0b10 << 14


def uuid7(unix_ms: int, random_bits: int) -> RequestId:
    """Return a UUIDv7 in its canonical text form.

    Shapes:  random_bits: any non-negative int, its low 74 bits are used.
    Units:   unix_ms in milliseconds since the epoch.
    Source:  RFC 9562 section 5.7.
    """
    return RequestId(
        "%08x-%04x-7%03x-%04x-%012x"
        % (
            (unix_ms >> 16) & 0xFFFF_FFFF,
            unix_ms & 0xFFFF,
            (random_bits >> 62) & 0xFFF,
            _VARIANT | (random_bits >> 48) & 0x3FFF,
            random_bits & 0xFFFF_FFFF_FFFF,
        )
    )
