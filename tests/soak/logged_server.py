"""What is common to the upstreams of the soaks: HTTP, event streams and a log that outlives them.

It shares no code with the gateway. Each note is one write to a file opened for appending, so that
nobody's death loses it.
"""

import asyncio
import json
import os
import random
import sys

LIMIT_BYTES = 1 << 20


class LoggedServer:
    """Reads requests; what a subclass's `answer` does with them is its own."""

    def __init__(self, log_path: str, seed: int) -> None:
        self.log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.dice = random.Random(seed)

    async def answer(self, headers: dict, body: dict, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    def note(self, text: str) -> None:
        os.write(self.log, (text + "\n").encode())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                headers = dict(
                    line.lower().split(": ", 1)
                    for line in head.decode().split("\r\n")[1:]
                    if ": " in line
                )
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                await self.answer(headers, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def plain(writer: asyncio.StreamWriter, status: str, text: str, most: int | None = None) -> None:
    """Write a JSON answer, or the first `most` bytes of its body."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
    writer.write(f"{head}\r\n\r\n{text[:most]}".encode())


def begin_stream(writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )


def event(writer: asyncio.StreamWriter, model: str, fields: dict) -> None:
    text = json.dumps({"id": "u", "model": model, **fields})
    _frame(writer, f"data: {text}\n\n".encode())


def end_stream(writer: asyncio.StreamWriter) -> None:
    _frame(writer, b"data: [DONE]\n\n")
    writer.write(b"0\r\n\r\n")


def _frame(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


def run(kind: type[LoggedServer]) -> None:
    """Serve on the port, with the log and the seed, that the command line names."""

    async def forever() -> None:
        port, log_path, seed = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
        listener = await asyncio.start_server(
            kind(log_path, seed).serve, "127.0.0.1", port, limit=LIMIT_BYTES, backlog=1024
        )
        print("ready", flush=True)
        await listener.serve_forever()

    asyncio.run(forever())
