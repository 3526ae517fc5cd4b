"""What does the gateway's process say of itself? Its ops port, asked briefly."""

import http.client
from typing import Any

import msgspec

from arkway.control.process import Server
from arkway.control.reach import dialled

OPS_TIMEOUT_S = 1.0  # it answers in a millisecond; a worker that hangs is told as one
_MAX_BYTES = 4 * 1024 * 1024  # a thousand accounts are some 400 KiB


def ask(server: Server, path: str) -> tuple[int, dict[str, Any]] | None:
    """Return status and document of `path`; None when nobody answers in time, or not as we do."""
    wire = http.client.HTTPConnection(
        dialled(server.ops_host), server.ops_port, timeout=OPS_TIMEOUT_S
    )
    try:
        wire.request("GET", path)
        with wire.getresponse() as answer:
            body = answer.read(_MAX_BYTES)
        return answer.status, msgspec.json.decode(body, type=dict[str, Any])
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return None
    finally:
        wire.close()
