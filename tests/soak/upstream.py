"""What did the upstream serve? An upstream of the soak's own; its log is one of three witnesses.

    python upstream.py PORT LOG SEED

It shares no code with the gateway. Each request is noted before anything of its answer is sent
(`got ID`) and once more when the last byte has been handed to the kernel (`gave ID IN OUT`), each
note with one write to a file opened for appending, so that nobody's death loses it.
"""

import asyncio
import json
import os
import random
import sys

MODEL = "doubao-1-5-pro-32k-250115"
LIMIT_BYTES = 1 << 20


class Server:
    """Answers chat completions with random usage, plain or streamed, at random speed."""

    def __init__(self, log_path: str, seed: int) -> None:
        self.log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.random = random.Random(seed)

    def note(self, text: str) -> None:
        os.write(self.log, (text + "\n").encode())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = dict(
                    line.lower().split(": ", 1)
                    for line in head.decode().split("\r\n")[1:]
                    if ": " in line
                )
                body = json.loads(await reader.readexactly(int(lines["content-length"])))
                await self.answer(lines["x-client-request-id"], body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, request_id: str, body: dict, writer: asyncio.StreamWriter) -> None:
        self.note(f"got {request_id}")
        prompt, completion = self.random.randrange(1, 4000), self.random.randrange(1, 900)
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": self.random.randrange(prompt + 1)},
        }
        await asyncio.sleep(self.random.random() * 0.02)
        if body.get("stream"):
            await self.stream(usage, writer)
        else:
            choice = {"index": 0, "message": {"role": "assistant", "content": "x" * completion}}
            choice["finish_reason"] = "stop"
            text = json.dumps({"id": "u", "model": MODEL, "choices": [choice], "usage": usage})
            head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
            writer.write(f"{head}{len(text)}\r\n\r\n{text}".encode())
        await writer.drain()
        self.note(f"gave {request_id} {prompt} {completion}")

    async def stream(self, usage: dict, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(self.random.randrange(1, 8)):
            self.event(writer, {"choices": [{"index": 0, "delta": {"content": "word "}}]})
            await writer.drain()
            await asyncio.sleep(self.random.random() * 0.01)
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        self.event(writer, {"choices": [last]})
        self.event(writer, {"choices": [], "usage": usage})
        self.frame(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")

    def event(self, writer: asyncio.StreamWriter, fields: dict) -> None:
        text = json.dumps({"id": "u", "model": MODEL, **fields})
        self.frame(writer, f"data: {text}\n\n".encode())

    def frame(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def main() -> None:
    port, log_path, seed = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    server = Server(log_path, seed)
    listener = await asyncio.start_server(
        server.serve, "127.0.0.1", port, limit=LIMIT_BYTES, backlog=1024
    )
    print("ready", flush=True)
    await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
