"""How do the settings become bounds and clocks? Of the public port, of calls, and of upstreams."""

from arkway.control.config import Config
from arkway.listener.reader import ReaderLimits
from arkway.listener.server_io import Front, Listener, ListenerTimeouts
from arkway.upstream.accounts_io import UpstreamLimits
from arkway.wire.outbox import Outbox
from arkway.work import PipelineLimits


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


def upstream_limits(config: Config) -> UpstreamLimits:
    """Return what bounds connections to upstreams, and answers."""
    return UpstreamLimits(
        max_connections=config.upstream.max_connections,
        idle_connections=config.upstream.idle_connections,
        idle_s=config.upstream.idle_s,
        max_answer_bytes=config.limits.max_answer_bytes,
    )


def pipeline_limits(config: Config) -> PipelineLimits:
    """Return what bounds calls."""
    return PipelineLimits(
        max_in_flight=config.limits.max_in_flight,
        max_choices=config.limits.max_choices,
        max_attempts=config.upstream.max_attempts,
        max_event_bytes=config.limits.max_event_bytes,
    )
