"""How does this machine itself reach what listens on an address? Pure."""

# Each family by its own loopback: a listener on `::` takes no IPv4 (`socket.create_server`).
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  compared, not bound


def reached_at(host: str) -> str:
    """Return where to connect to what listens on `host`."""
    return _EVERYWHERE.get(host, host)
