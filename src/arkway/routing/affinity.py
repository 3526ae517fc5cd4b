"""Where is a conversation at home? Rendezvous hashing over account ids, without a table."""

import hmac
from collections.abc import Iterable
from hashlib import blake2b
from math import log

from arkway.model.call import Target
from arkway.model.ids import TenantId

_SCALE = float(1 << 64)


def conversation_key(secret: bytes, tenant: TenantId, identity: str) -> bytes:
    """Return the key of a tenant's conversation: two tenants with one id never meet.

    Shapes:  returns 16 bytes that tell nothing about tenant or identity without `secret`.
    """
    text = f"{len(tenant)}:{tenant}\0{identity}".encode()
    return hmac.digest(secret, text, "sha256")[:16]


def by_home(targets: Iterable[Target], key: bytes) -> list[Target]:
    """Return the targets in the order of `key`: its home first, then its heirs.

    Weighted highest-random-weight hashing: each account is home to a share of keys proportional
    to its weight; when an account joins or leaves, only the keys it owns move.
    Source: Thaler and Ravishankar 1998; Schindelhauer and Schomaker 2005 for the weights.
    Cost:    one 8-byte digest an account.
    """

    def score(target: Target) -> float:
        account = target.account
        digest = blake2b(account.id.encode(), key=key, digest_size=8).digest()
        return -account.weight / log((int.from_bytes(digest, "big") + 1) / (_SCALE + 2))

    return sorted(targets, key=score, reverse=True)
