"""What did eight accounts serve, to whom, and what did they count? An upstream with its own log.

    python mixed_upstream.py PORT LOG SEED

It shares no code with the gateway. Accounts are told apart by their credential; the key of a call
is the first word of its prompt. Of each attempt the log has one line as it comes and one as it
ends: `got ID ACCOUNT MODEL KEY` and `END ID ACCOUNT MODEL KEY PROMPT CACHED COMPLETION REASONING`,
where END is one of

    told     the answer is whole, and the counts were in it
    silent   the answer is whole, without counts
    cut      it broke off in the middle: no counts
    refused  429 or 500
    reset    the connection was reset before anything came
"""

import asyncio
import json
import os
import random
import sys

LIMIT_BYTES = 1 << 20
NO_COUNTS = (0, 0, 0, 0)


class Attempt:
    """One request, and what will be said to it."""

    def __init__(self, headers: dict[str, str], body: dict, dice: random.Random) -> None:
        self.request_id = headers["x-client-request-id"]
        self.account = headers["authorization"].removeprefix("bearer ")
        self.model = body["model"]
        self.key = body["messages"][0]["content"].split()[0]
        self.is_stream = bool(body.get("stream"))
        self.fault = dice.choices(
            ["none", "silent", "zero", "cut", "429", "500", "reset"], [86, 2, 2, 3, 3, 2, 2]
        )[0]
        prompt, completion = dice.randrange(1, 4000), dice.randrange(1, 900)
        cached, reasoning = dice.randrange(prompt + 1), dice.randrange(completion + 1)
        self.counts = (prompt, cached, completion, reasoning)
        if self.fault == "zero":
            self.counts = NO_COUNTS

    @property
    def usage(self) -> dict:
        prompt, cached, completion, reasoning = self.counts
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }


class Server:
    """Answers chat completions, most of them well."""

    def __init__(self, log_path: str, seed: int) -> None:
        self.log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.dice = random.Random(seed)

    def note(self, what: str, attempt: Attempt, counts: tuple[int, ...] | None = None) -> None:
        words = [what, attempt.request_id, attempt.account, attempt.model, attempt.key]
        words += map(str, counts or ())
        os.write(self.log, (" ".join(words) + "\n").encode())

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
                await self.answer(Attempt(headers, body, self.dice), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, attempt: Attempt, writer: asyncio.StreamWriter) -> None:
        self.note("got", attempt)
        if self.dice.random() < 0.3:
            await asyncio.sleep(self.dice.random() * 0.03)
        if attempt.fault == "reset":
            self.note("reset", attempt, NO_COUNTS)
            writer.transport.abort()
            raise ConnectionError
        if attempt.fault in ("429", "500"):
            self.note("refused", attempt, NO_COUNTS)
            self.refuse(int(attempt.fault), writer)
        elif attempt.is_stream:
            await self.stream(attempt, writer)
        else:
            self.plain(attempt, writer)
        await writer.drain()
        if attempt.fault == "cut":
            writer.close()
            raise ConnectionError

    def refuse(self, status: int, writer: asyncio.StreamWriter) -> None:
        code = "RateLimitExceeded.EndpointRPMExceeded" if status == 429 else "InternalServiceError"
        text = json.dumps({"error": {"code": code, "message": "no", "type": "x"}})
        self.head(writer, f"{status} No", len(text))
        writer.write(text.encode())

    def plain(self, attempt: Attempt, writer: asyncio.StreamWriter) -> None:
        message = {"role": "assistant", "content": "x" * self.dice.randrange(1, 900)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = {"id": "u", "model": attempt.model, "choices": [choice]}
        if attempt.fault != "silent":
            answer["usage"] = attempt.usage
        text = json.dumps(answer)
        self.head(writer, "200 OK", len(text))
        if attempt.fault == "cut":
            self.note("cut", attempt, NO_COUNTS)
            writer.write(text[: len(text) // 3].encode())
            return
        self.end(attempt)
        writer.write(text.encode())

    def end(self, attempt: Attempt) -> None:
        is_silent = attempt.fault == "silent"
        self.note(
            "silent" if is_silent else "told", attempt, NO_COUNTS if is_silent else attempt.counts
        )

    def head(self, writer: asyncio.StreamWriter, status: str, size: int) -> None:
        lines = f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
        writer.write(f"HTTP/1.1 {status}\r\n{lines}".encode())

    async def stream(self, attempt: Attempt, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(self.dice.randrange(1, 6)):
            delta = {"role": "assistant", "content": "word " * self.dice.randrange(1, 9)}
            self.event(writer, attempt, {"choices": [{"index": 0, "delta": delta}]})
            await writer.drain()
            if self.dice.random() < 0.5:
                await asyncio.sleep(self.dice.random() * 0.01)
        if attempt.fault == "cut":
            self.note("cut", attempt, NO_COUNTS)
            return
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        self.event(writer, attempt, {"choices": [last]})
        self.end(attempt)
        if attempt.fault != "silent":
            self.event(writer, attempt, {"choices": [], "usage": attempt.usage})
        self.frame(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")

    def event(self, writer: asyncio.StreamWriter, attempt: Attempt, fields: dict) -> None:
        text = json.dumps({"id": "u", "model": attempt.model, **fields})
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
