"""Where is a listener of ours, seen from this machine? An address to bind is not one to dial. Pure.

Each family by its own loopback: a listener on `::` takes no IPv4 (`socket.create_server`).
"""

_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared


def dialled(host: str) -> str:
    """Return the host to dial for one that a listener is bound to."""
    return _EVERY_INTERFACE.get(host, host)


def url_of(host: str, port: int) -> str:
    """Return the address of such a listener as an URL without a path."""
    at = dialled(host)
    return f"http://{f'[{at}]' if ':' in at else at}:{port}"
