"""What did the upstream serve? An upstream of the soak's own; its log is one of three witnesses.

    python upstream.py PORT LOG SEED

It shares no code with the gateway. Each request is noted before anything of its answer is sent
(`got ID`) and once more when the last byte has been handed to the kernel (`gave ID IN OUT`).
"""

import asyncio
import json

from logged_server import LoggedServer, begin_stream, end_stream, event, plain, run

MODEL = "doubao-1-5-pro-32k-250115"


class Server(LoggedServer):
    """Answers chat completions with random usage, plain or streamed, at random speed."""

    async def answer(self, headers: dict, body: dict, writer: asyncio.StreamWriter) -> None:
        request_id = headers["x-client-request-id"]
        self.note(f"got {request_id}")
        prompt, completion = self.dice.randrange(1, 4000), self.dice.randrange(1, 900)
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": self.dice.randrange(prompt + 1)},
        }
        await asyncio.sleep(self.dice.random() * 0.02)
        if body.get("stream"):
            await self.stream(usage, writer)
        else:
            choice = {"index": 0, "message": {"role": "assistant", "content": "x" * completion}}
            choice["finish_reason"] = "stop"
            answer = {"id": "u", "model": MODEL, "choices": [choice], "usage": usage}
            plain(writer, "200 OK", json.dumps(answer))
        await writer.drain()
        self.note(f"gave {request_id} {prompt} {completion}")

    async def stream(self, usage: dict, writer: asyncio.StreamWriter) -> None:
        begin_stream(writer)
        for _ in range(self.dice.randrange(1, 8)):
            event(writer, MODEL, {"choices": [{"index": 0, "delta": {"content": "word "}}]})
            await writer.drain()
            await asyncio.sleep(self.dice.random() * 0.01)
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        event(writer, MODEL, {"choices": [last]})
        event(writer, MODEL, {"choices": [], "usage": usage})
        end_stream(writer)


if __name__ == "__main__":
    run(Server)
