"""Which faults do accounts have, and what runs a crowd into them? For tests/faults/test_matrix*."""

import asyncio
import os

from support.crowd import Crowd, ask_many
from support.gateway import Gateway

CALLS = int(os.environ.get("CALLS", "40"))
FAULTY = "ark-1"
CLOCKS = {"connect_s": 1.0, "first_token_s": 0.4, "plain_answer_s": 0.4, "between_chunks_s": 0.4}
ERRORS = ("InternalServiceError", "ModelAccountRpmRateLimitExceeded", "AccountOverdueError")
ERRORS += ("AuthenticationError", "ModelNotOpen", "InvalidEndpoint.ClosedEndpoint")
# What comes before the first byte, whether streamed or not.
BEFORE = [
    *({"kind": "error", "code": code} for code in ERRORS),
    *({"kind": "error", "status": status} for status in (502, 503, 404)),
    *(
        {"kind": kind}
        for kind in (
            "refuse",
            "reset_before_headers",
            "close_before_headers",
            "reset_after_headers",
            "hang",
            "redirect",
            "wrong_content_type",
            "garbage",
            "empty",
            "huge_header",
            "bad_head",
        )
    ),
    {"kind": "slow_headers", "for_s": 2},
    {"kind": "slow_first_token", "for_s": 2},
]
# What breaks an answer in its middle: of a plain one the caller has seen nothing then.
MIDDLE = [
    {"kind": kind}
    for kind in ("cut", "early_eof", "bad_json", "bad_chunk_size", "huge_line", "error_in_stream")
] + [{"kind": "stall", "for_s": 2}]
# A huge line of a plain answer is a huge answer.
PLAIN_MIDDLE = [fault for fault in MIDDLE if fault["kind"] != "huge_line"]
# What is no fault to a caller.
HARMLESS = [{"kind": kind} for kind in ("no_done", "no_usage", "zero_usage", "close_after")]


def named(fault: dict[str, object]) -> str:
    """The name of a case."""
    return "-".join(str(value) for value in fault.values())


def go(gateway: Gateway, *, stream: bool, calls: int = CALLS, at_once: int = 16) -> Crowd:
    """Let a crowd call the gateway."""
    return asyncio.run(ask_many(gateway.port, calls, stream=stream, at_once=at_once))
