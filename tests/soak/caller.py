"""What was a caller told? Raw clients of the soak's own; their answers are the second witness.

A call counts as acknowledged when its last byte has arrived: all of a plain body, or `[DONE]` and
the end of the chunks. Whatever else happens (a reset, a refused connection, a 503) is retried.
"""

import asyncio
import json
import random
from dataclasses import dataclass, field

LIMIT_BYTES = 1 << 20
MODEL = "Doubao-1.5-pro-32k"


@dataclass
class Heard:
    """What all callers together were told."""

    acknowledged: dict[str, tuple[int, int]] = field(default_factory=dict)  # id -> (input, output)
    refused: dict[int, int] = field(default_factory=dict)  # status -> count
    broken: int = 0  # connections that ended within a call
    errors: list[str] = field(default_factory=list)  # answers that make no sense


async def call_for_ever(port: int, key: str, heard: Heard, seed: int) -> None:
    """Call until cancelled, one call after the other, half of them streamed."""
    dice = random.Random(seed)
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT_BYTES)
        except OSError:
            await asyncio.sleep(0.01 + dice.random() * 0.02)
            continue
        try:
            while await call(reader, writer, key, heard, dice):
                pass
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            heard.broken += 1
        finally:
            writer.close()


async def call(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    key: str,
    heard: Heard,
    dice: random.Random,
) -> bool:
    """Make one call; return whether the connection may be used again."""
    is_stream = dice.random() < 0.5
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "hi " * dice.randrange(1, 40)}],
    }
    if is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    text = json.dumps(body)
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
    )
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    status = int(first.split()[1])
    if status != 200:
        await reader.readexactly(int(headers["content-length"]))
        heard.refused[status] = heard.refused.get(status, 0) + 1
        await asyncio.sleep(0.01)
        return headers.get("connection") != "close"
    if is_stream:
        usage = await read_stream(reader, heard)
    else:
        usage = json.loads(await reader.readexactly(int(headers["content-length"])))["usage"]
    if usage is not None:
        counts = usage["prompt_tokens"], usage["completion_tokens"]
        if headers["x-request-id"] in heard.acknowledged:
            heard.errors.append(f"one id for two answers: {headers['x-request-id']}")
        heard.acknowledged[headers["x-request-id"]] = counts
    return True


async def read_stream(reader: asyncio.StreamReader, heard: Heard) -> dict | None:
    """Return the usage of a stream that ended well; None after an error event."""
    usage, is_done = None, False
    while size := int(await reader.readuntil(b"\r\n"), 16):
        data = await reader.readexactly(size + 2)
        for event in data.split(b"\n\n"):
            payload = event.strip().removeprefix(b"data: ")
            if payload == b"[DONE]":
                is_done = True
            elif payload.startswith(b"{"):
                fields = json.loads(payload)
                if "error" in fields:
                    await reader.read()  # the connection ends here
                    raise asyncio.IncompleteReadError(b"", None)
                usage = fields.get("usage") or usage
    await reader.readexactly(2)
    if not is_done or usage is None:
        heard.errors.append("a stream ended well without [DONE] or without usage")
        return None
    return usage
