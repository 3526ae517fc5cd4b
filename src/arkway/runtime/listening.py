"""How do the settings become a listener? Bounds and clocks of the public port."""

from arkway.control.config import Config
from arkway.listener.reader import ReaderLimits
from arkway.listener.server_io import Front, Listener, ListenerTimeouts
from arkway.wire.outbox import Outbox


def listener_of(config: Config, front: Front, outbox: Outbox) -> Listener:
    """Return the listener of `config`, before it listens."""
    limits = config.limits
    return Listener(
        front,
        ReaderLimits(
            max_header_bytes=limits.max_header_bytes,
            max_headers=limits.max_headers,
            max_body_bytes=limits.max_body_bytes,
        ),
        ListenerTimeouts(
            header_timeout_s=limits.header_timeout_s,
            body_grace_s=limits.body_grace_s,
            body_min_bytes_per_s=limits.body_min_bytes_per_s,
            keep_alive_s=limits.keep_alive_s,
            write_stall_s=limits.write_stall_s,
            heartbeat_s=config.upstream.heartbeat_s,
        ),
        outbox,
        max_connections=config.server.max_connections,
        max_buffered_body_bytes=limits.max_buffered_body_bytes,
    )
