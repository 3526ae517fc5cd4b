"""A demo gateway with traffic: `python tools/demo_live.py HOME [SECONDS]`; Ctrl-C ends it.

Makes the home of `demo_home` in HOME, which must be new or empty, plays its upstream (answers of
the usual sizes and times, prompts cached by beginning), starts `arkway serve` on it and calls it as
its callers would. Only for looking at the console: it measures nothing.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
from demo_home import ACCOUNTS, CALLS, Caller, make

PORT, OPS_PORT, CONTROL_PORT = 18_080, 18_082, 18_081
CALLERS_AT_ONCE = 14
_WORDS = ("the river turns slowly past the old mill", "and carries light down to the sea")
_CACHE = 512  # prompts whose beginnings an account remembers
_MAX_BODY = 4 * 1024 * 1024


class Upstream:
    """One account: remembers beginnings of prompts, streams words."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._seen: dict[str, int] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                await self._answer(await reader.readexactly(min(length, _MAX_BODY)), writer)
        writer.close()

    async def _answer(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(body)
        if self._dice.random() < 0.006:
            error = {"error": {"code": "ServerOverloaded", "message": "too many requests"}}
            self._plain(writer, 429, error)
            return
        prompt = "\n".join(str(each.get("content")) for each in asked["messages"])
        tokens = len(prompt) // 4 + 8
        cached = max(
            (size for known, size in self._seen.items() if prompt.startswith(known)), default=0
        )
        output = max(4, int(60 * self._dice.lognormvariate(0, 0.6)))
        first_s = (0.12 + (tokens - cached) / 9000) * self._dice.lognormvariate(0, 0.3)
        self._seen[prompt] = tokens // 64 * 64
        while len(self._seen) > _CACHE:
            del self._seen[next(iter(self._seen))]
        usage = {
            "prompt_tokens": tokens,
            "completion_tokens": output,
            "total_tokens": tokens + output,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        await asyncio.sleep(first_s)
        if not asked.get("stream"):
            message = {"role": "assistant", "content": " ".join(_text(output))}
            self._plain(writer, 200, _chunk(message, "message", usage))
            return
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for word in _text(output):
            _event(writer, _chunk({"role": "assistant", "content": f"{word} "}, "delta", None))
            await writer.drain()
            await asyncio.sleep(0.012)
        _event(writer, {**_chunk({}, "delta", usage), "choices": []})
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        await writer.drain()

    def _plain(self, writer: asyncio.StreamWriter, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        writer.write(
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )


def _text(count: int) -> list[str]:
    words = " ".join(_WORDS).split()
    return [words[at % len(words)] for at in range(count)]


def _chunk(message: object, name: str, usage: object) -> dict[str, object]:
    return {
        "id": "demo",
        "object": "chat.completion" + (".chunk" if name == "delta" else ""),
        "created": int(time.time()),
        "model": "demo",
        "choices": [
            {"index": 0, name: message, "finish_reason": None if name == "delta" else "stop"}
        ],
        "usage": usage,
    }


def _event(writer: asyncio.StreamWriter, document: object) -> None:
    data = b"data: " + json.dumps(document).encode() + b"\n\n"
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def calls(callers: Sequence[Caller], dice: random.Random) -> None:
    """Call the gateway for ever, in conversations of some turns."""
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        await asyncio.gather(*(_talk(client, callers, dice) for _ in range(CALLERS_AT_ONCE)))


async def _talk(client: httpx.AsyncClient, callers: Sequence[Caller], dice: random.Random) -> None:
    url = f"http://127.0.0.1:{PORT}/v1/chat/completions"
    shares = [caller.share for caller in callers]
    while True:
        caller = dice.choices(callers, shares)[0]
        name, messages = f"demo-{dice.getrandbits(32):08x}", []
        for _ in range(dice.randrange(1, 9)):
            messages.append({"role": "user", "content": " ".join(_text(dice.randrange(60, 900)))})
            body = {"model": caller.model, "messages": messages, "stream": True}
            headers = {"authorization": f"Bearer {caller.text}", "x-conversation-id": name}
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.post(url, json=body, headers=headers)
                messages.append({"role": "assistant", "content": answer.text[-400:]})
            await asyncio.sleep(dice.uniform(0.2, 2.0))


@contextlib.asynccontextmanager
async def gateway(home: Path) -> AsyncIterator[list[Caller]]:
    """Run the demo; yields its callers when it is ready and busy."""
    dice = random.Random(7)
    servers = [
        await asyncio.start_server(Upstream(random.Random(at)).serve, "127.0.0.1", 0)
        for at in range(len(ACCOUNTS))
    ]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    urls = [f"http://127.0.0.1:{port}/api/v3" for port in ports]
    callers = await asyncio.to_thread(make, home, urls, CALLS)
    flags = ("--port", str(PORT), "--ops-port", str(OPS_PORT), "--control-port", str(CONTROL_PORT))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "arkway", "serve", "--host", "127.0.0.1", *flags,
        env={**os.environ, "ARKWAY_HOME": str(home)}, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    busy = None
    try:
        await _ready(child)
        busy = asyncio.create_task(calls(callers, dice))
        yield callers
    finally:
        if busy is not None:
            busy.cancel()
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGINT)
            child.send_signal(signal.SIGINT)
        await child.wait()
        for server in servers:
            server.close()


async def _ready(child: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(300):
            with contextlib.suppress(httpx.HTTPError):
                ready = await client.get(f"http://127.0.0.1:{OPS_PORT}/readyz")
                there = await client.get(f"http://127.0.0.1:{CONTROL_PORT}/login")
                if ready.status_code == there.status_code == 200:
                    return
            if child.returncode is not None:
                break
            await asyncio.sleep(0.1)
    raise SystemExit("the demo gateway did not start; are its ports taken?")


async def _main(home: Path, seconds: float) -> None:
    task = asyncio.current_task()
    assert task is not None, "it runs in one"
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with gateway(home):
        token = (home / "first-admin-token").read_text(encoding="utf-8").strip()
        print(f"http://127.0.0.1:{CONTROL_PORT}/  admin token: {token}", flush=True)
        await asyncio.sleep(seconds)


if __name__ == "__main__":
    place = (
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="arkway-demo-"))
    )
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_main(place, float(sys.argv[2]) if len(sys.argv) > 2 else 86_400))
