"""May this URL be an account's base? One normal form, and what is wrong with anything else."""

import ipaddress
import re
from urllib.parse import urlsplit, urlunsplit

_SCHEMES = ("http", "https")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]*")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")  # a name or IPv4 address, or IPv6 without brackets


def normalise_base_url(text: str) -> str:
    """Return `scheme://host[:port][/path]` without a trailing slash; scheme and host lower-case.

    Errors:  ValueError whose message names the rule and never the URL (it may hold a password).
    """
    if not _VISIBLE_ASCII.fullmatch(text):
        raise ValueError("must hold only visible ASCII characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError("is not a valid URL") from error
    if parts.scheme not in _SCHEMES:
        raise ValueError("must start with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password; use key_env or key_file")
    if "?" in text or "#" in text:
        raise ValueError("must not hold a query or fragment")
    if not _HOST.fullmatch(parts.hostname or "") or port == 0:
        raise ValueError("must name a host, and no port or one from 1 to 65535")
    origin = parts.netloc.lower().removesuffix(":")
    return urlunsplit((parts.scheme, origin, parts.path.rstrip("/"), "", ""))


def is_loopback(base_url: str) -> bool:
    """Return whether the host is this machine, by its name or address (nothing is resolved)."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_encrypted(base_url: str) -> bool:
    """Return whether requests to it travel over TLS."""
    return base_url.startswith("https:")
