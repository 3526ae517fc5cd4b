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
import random

from logged_server import LoggedServer, begin_stream, end_stream, event, plain, run

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


class Server(LoggedServer):
    """Answers chat completions, most of them well."""

    def tell(self, what: str, attempt: Attempt, counts: tuple[int, ...] = ()) -> None:
        words = [what, attempt.request_id, attempt.account, attempt.model, attempt.key]
        self.note(" ".join([*words, *map(str, counts)]))

    async def answer(self, headers: dict, body: dict, writer: asyncio.StreamWriter) -> None:
        attempt = Attempt(headers, body, self.dice)
        self.tell("got", attempt)
        if self.dice.random() < 0.3:
            await asyncio.sleep(self.dice.random() * 0.03)
        if attempt.fault == "reset":
            self.tell("reset", attempt, NO_COUNTS)
            writer.transport.abort()
            raise ConnectionError
        if attempt.fault in ("429", "500"):
            self.tell("refused", attempt, NO_COUNTS)
            refuse(attempt.fault, writer)
        elif attempt.is_stream:
            await self.stream(attempt, writer)
        else:
            self.whole(attempt, writer)
        await writer.drain()
        if attempt.fault == "cut":
            writer.close()
            raise ConnectionError

    def whole(self, attempt: Attempt, writer: asyncio.StreamWriter) -> None:
        message = {"role": "assistant", "content": "x" * self.dice.randrange(1, 900)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = {"id": "u", "model": attempt.model, "choices": [choice]}
        if attempt.fault != "silent":
            answer["usage"] = attempt.usage
        text = json.dumps(answer)
        if attempt.fault == "cut":
            self.tell("cut", attempt, NO_COUNTS)
            plain(writer, "200 OK", text, len(text) // 3)
            return
        self.end(attempt)
        plain(writer, "200 OK", text)

    def end(self, attempt: Attempt) -> None:
        if attempt.fault == "silent":
            self.tell("silent", attempt, NO_COUNTS)
        else:
            self.tell("told", attempt, attempt.counts)

    async def stream(self, attempt: Attempt, writer: asyncio.StreamWriter) -> None:
        begin_stream(writer)
        for _ in range(self.dice.randrange(1, 6)):
            delta = {"role": "assistant", "content": "word " * self.dice.randrange(1, 9)}
            event(writer, attempt.model, {"choices": [{"index": 0, "delta": delta}]})
            await writer.drain()
            if self.dice.random() < 0.5:
                await asyncio.sleep(self.dice.random() * 0.01)
        if attempt.fault == "cut":
            self.tell("cut", attempt, NO_COUNTS)
            return
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        event(writer, attempt.model, {"choices": [last]})
        self.end(attempt)
        if attempt.fault != "silent":
            event(writer, attempt.model, {"choices": [], "usage": attempt.usage})
        end_stream(writer)


def refuse(fault: str, writer: asyncio.StreamWriter) -> None:
    code = "RateLimitExceeded.EndpointRPMExceeded" if fault == "429" else "InternalServiceError"
    text = json.dumps({"error": {"code": code, "message": "no", "type": "x"}})
    plain(writer, f"{fault} No", text)


if __name__ == "__main__":
    run(Server)
