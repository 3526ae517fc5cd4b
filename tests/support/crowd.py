"""What do many callers see? Raw concurrent clients that check each answer word by word.

The simulator's answers count (`call-17 000 001 002 ...`), so an answer that is another's, cut,
spliced or doubled shows at once. Shares no code with the gateway.
"""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field

from support.gateway import KEY

LIMIT_BYTES = 1 << 24
TOKENS = 12
PUBLIC_MODEL = "Doubao-1.5-pro-32k"


@dataclass
class Crowd:
    """What came of the calls: how many of each kind, and when each one ended."""

    seen: Counter[str] = field(default_factory=Counter)
    good_at_s: list[float] = field(default_factory=list)
    bad_at_s: list[float] = field(default_factory=list)
    took_s: float = 0.0

    def note(self, what: str) -> None:
        self.seen[what] += 1
        (self.good_at_s if what == "good" else self.bad_at_s).append(time.monotonic())


def expected(echo: str) -> str:
    """The whole answer: the echo, padded to whole tokens, and words that count."""
    padded = f"{echo} ".ljust(-(-(len(echo) + 1) // 4) * 4)
    left = TOKENS - len(padded) // 4
    return padded + " ".join(f"{number:03d}" for number in range(left))


async def ask_many(
    port: int, calls: int, *, stream: bool, at_once: int = 16, api_key: str = KEY, model: str = ""
) -> Crowd:
    """Make `calls` calls, so many at once; return what came of them."""
    crowd, began_s = Crowd(), time.monotonic()
    numbers = iter(range(calls))

    async def caller() -> None:
        for number in numbers:
            try:
                async with asyncio.timeout(60):
                    crowd.note(await one(port, number, stream, api_key, model or PUBLIC_MODEL))
            except TimeoutError:
                crowd.note("silence")

    await asyncio.gather(*(caller() for _ in range(at_once)))
    crowd.took_s = time.monotonic() - began_s
    return crowd


async def one(port: int, number: int, stream: bool, api_key: str, model: str) -> str:
    """Make one call; return `good`, `status N code`, `error event`, or what is wrong with it."""
    echo = f"call-{number}"
    body = {
        "model": model,
        "max_tokens": TOKENS,
        "messages": [{"role": "user", "content": f"[[sim echo={echo} tokens={TOKENS}]]"}],
    }
    if stream:
        body["stream"] = True
    text = json.dumps(body)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT_BYTES)
    try:
        writer.write(
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {api_key}\r\n"
            "Connection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
        )
        head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
    except OSError as error:
        return f"broken connection: {type(error).__name__}"
    finally:
        writer.close()
    status = int(head.split()[1])
    if status != 200:
        return f"status {status} {json.loads(rest)['error']['code']}"
    if not stream:
        content = json.loads(rest)["choices"][0]["message"]["content"]
        return "good" if content.strip() == expected(echo).strip() else f"wrong answer: {content!r}"
    return judge_stream(rest, expected(echo))


def judge_stream(body: bytes, whole: str) -> str:
    """Say what a chunked event stream is worth to its caller."""
    data, is_whole = unchunk(body)
    content, is_done, error = "", False, ""
    for line in data.split(b"\n"):
        payload = line.removeprefix(b"data: ")
        if payload == b"[DONE]":
            is_done = True
        elif payload.startswith(b"{"):
            event = json.loads(payload)
            if "error" in event:
                error = event["error"]["code"]
            for choice in event.get("choices", ()):
                content += choice["delta"].get("content") or ""
    if is_done:
        if error:
            return "[DONE] after an error"
        return "good" if content.strip() == whole.strip() else f"wrong answer: {content!r}"
    if not error:
        return "ended without [DONE] and without an error"
    if is_whole:
        return "an error, and the body ends as if it were whole"
    return "error event" if whole.startswith(content) else f"spliced: {content!r}"


def unchunk(body: bytes) -> tuple[bytes, bool]:
    """Return the data of a chunked body, and whether its last chunk came."""
    data = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16) if size else 0
        if not length:
            return data, True
        data, body = data + rest[:length], rest[length + 2 :]
    return data, False
