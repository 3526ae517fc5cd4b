"""Who is asking? One extractor for the credential, one look-up. Hot path.

The format is checked before anything is looked up, so hostile credentials cost constant work and
reach nothing; the look-up is by digest, so its time tells nothing about the key's text.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from arkway.model.call import Caller, RawRequest
from arkway.model.catalogue import KeySpec, Snapshot
from arkway.model.errors import (
    InvalidApiKey,
    IpNotAllowed,
    KeyDisabled,
    KeyExpired,
    MissingApiKey,
)
from arkway.model.key_digest import key_digest

_SCHEME = b"Bearer "
# Our own keys are `sk-` and 48 characters; imported ones may be longer. 256 bounds the work.
_well_formed = re.compile(rb"sk-[A-Za-z0-9_.\-]{5,253}").fullmatch

_MISSING = (
    "You didn't provide an API key. Send it in an Authorization header using Bearer auth "
    "(Authorization: Bearer YOUR_KEY)."
)
_INVALID = "Incorrect API key provided."


def authenticate(request: RawRequest, snapshot: Snapshot, now_unix_s: int) -> Caller:
    """Return the holder of the key in `request`.

    Errors:  MissingApiKey without a Bearer credential; InvalidApiKey for a malformed, repeated or
             unknown one; KeyDisabled; KeyExpired; IpNotAllowed.
    Cost:    one digest of the credential and one dict look-up; networks only for keys with some.
    """
    authorization = request.authorization
    if not authorization.startswith(_SCHEME) and authorization[:7].lower() != b"bearer ":
        raise MissingApiKey(_MISSING)
    if "authorization" in request.repeated:
        raise InvalidApiKey("More than one Authorization header was sent.", reason="repeated")
    credential = authorization[7:]
    if _well_formed(credential) is None:
        raise InvalidApiKey(_INVALID, reason="malformed")
    key = snapshot.keys.get(key_digest(snapshot.key_secret, credential))
    if key is None:
        raise InvalidApiKey(_INVALID, reason="unknown")
    if not key.enabled:
        raise KeyDisabled("This API key is disabled.")
    check_not_expired(key, now_unix_s)
    if key.allowed_networks or key.denied_networks:
        _check_address(key, request.peer)
    return Caller(key)


def check_not_expired(key: KeySpec, now_unix_s: int) -> None:
    """Return when `key` is still within its time; for callers who were recognised, not looked up.

    All else that `authenticate` checks is the same as long as snapshot and connection are.
    Errors:  KeyExpired.
    """
    if key.expires_unix_s is not None and now_unix_s >= key.expires_unix_s:
        raise KeyExpired("This API key has expired.")


def is_revoked(key: KeySpec, snapshot: Snapshot) -> bool:
    """Return whether `key`, which was good for an older snapshot, is no more: calls of it end.

    A text that was rotated out without overlap counts as revoked; one that is disabled does not.
    """
    return key.sha256 not in snapshot.keys


def _check_address(key: KeySpec, peer: str) -> None:
    address = _address_of(peer)
    if (
        address is None
        or _is_in(address, key.denied_networks)
        or (key.allowed_networks and not _is_in(address, key.allowed_networks))
    ):
        raise IpNotAllowed("This API key may not be used from this address.")


def _address_of(peer: str) -> IPv4Address | IPv6Address | None:
    """Return the address of a peer; None for what is none, such as a Unix socket."""
    try:
        address = ip_address(peer)
    except ValueError:
        return None
    # Sockets that serve both families report IPv4 callers as ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address


def _is_in(
    address: IPv4Address | IPv6Address, networks: tuple[IPv4Network | IPv6Network, ...]
) -> bool:
    return any(address in network for network in networks)
