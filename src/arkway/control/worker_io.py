"""What does the gateway's process say of itself? Its ops port, asked briefly."""

import http.client
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import msgspec

from arkway.control.process import Server
from arkway.control.reach import dialled

OPS_TIMEOUT_S = 1.0  # it answers in a millisecond; a worker that hangs is told as one
_MAX_BYTES = 4 * 1024 * 1024  # a thousand accounts are some 400 KiB


def exchange(
    server: Server,
    method: str,
    target: str,
    within_s: float,
    max_bytes: int,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Return status and document of one request to the ops port. Blocks.

    Units:   within_s: for connecting, and for each piece of the answer.
    Errors:  OSError, http.client.HTTPException, msgspec.DecodeError.
    """
    host = dialled(server.ops_host)
    wire = http.client.HTTPConnection(host, server.ops_port, timeout=within_s)
    with closing(wire):
        wire.request(method, target, headers=headers or {})
        with wire.getresponse() as answer:
            body = answer.read(max_bytes)
        return answer.status, msgspec.json.decode(body, type=dict[str, Any])


def ask(server: Server, path: str) -> tuple[int, dict[str, Any]] | None:
    """Return status and document of `path`; None when nobody answers in time, or not as we do."""
    try:
        return exchange(server, "GET", path, OPS_TIMEOUT_S, _MAX_BYTES)
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return None
