"""What can an upstream say? Scripts of bytes and faults, in the OpenAI and the Ark shape.

A *script* is any iterable of steps; a step is bytes to send or one of the objects below. An
*answer* makes a script for one request. `Shape` writes the JSON; `sse()` frames events. So a
mid-stream death reads

    lambda seen: sse(say.delta("Hel"), say.delta("lo"), RESET)   # say = OpenAIShape(seen)

Sources: reference pages of Volcengine Ark, "Chat API" (streaming example, error envelope); OpenAI
API reference, "Chat completion chunk".
"""

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

USAGE = {
    "prompt_tokens": 21,
    "completion_tokens": 7,
    "total_tokens": 28,
    "prompt_tokens_details": {"cached_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
ARK_ID = "021700000000000abcdef0123456789"  # as Ark writes ids; must never reach a caller
ARK_ACCOUNT = "2100000042"  # as Ark writes account ids in messages; must never reach a caller


class Request(Protocol):
    """The part of a received request that answers look at."""

    json: Any
    prompt: str


@dataclass(frozen=True)
class Pause:
    """Say nothing for a while."""

    seconds: float


class Gate:
    """Say nothing until the test opens it; the test can wait until the script has come here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = False
        self._wakers: list[Callable[[], None]] = []
        self.reached = threading.Event()

    def open(self) -> None:
        with self._lock:
            self._is_open, wakers, self._wakers = True, self._wakers, []
        for wake in wakers:
            wake()

    def when_open(self, wake: Callable[[], None]) -> None:
        """Call `wake` once, now or later, on whichever thread opens the gate."""
        with self._lock:
            if not self._is_open:
                self._wakers.append(wake)
                return
        wake()


class _Named:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


RESET = _Named("RESET")  # a RST, as from a crashed peer
CLOSE = _Named("CLOSE")  # a FIN; on TLS without close_notify
HANG = _Named("HANG")  # silence until the peer leaves

Step = bytes | Pause | Gate | _Named
Script = Iterable[Step]
Answer = Callable[[Any], Script]


# -- HTTP -----------------------------------------------------------------------------------------


def head(status: int = 200, *headers: tuple[str, str], reason: str = "Whatever") -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
SSE_HEAD = head(200, ("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"))


def whole(status: int, document: Any, *headers: tuple[str, str]) -> bytes:
    """Return a complete answer with a JSON body; bytes pass as they are."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    names = {name.lower() for name, _ in headers}
    extra = [] if "content-type" in names else [("Content-Type", "application/json")]
    return head(status, *extra, ("Content-Length", str(len(body))), *headers) + body


def sse(*steps: Step, end: bool = True) -> Script:
    """Frame a stream: bytes become chunks, other steps stay; `end` adds the last chunk."""
    yield SSE_HEAD
    for step in steps:
        yield chunk(step) if isinstance(step, bytes) else step
    if end:
        yield LAST_CHUNK


def event(document: Any) -> bytes:
    text = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
    return f"data: {text}\n\n".encode()


DONE = event("[DONE]")


# -- shapes ---------------------------------------------------------------------------------------


class OpenAIShape:
    """What an OpenAI-compatible server (llama.cpp, vLLM) writes."""

    object_id = "cmpl-upstream-1"

    def __init__(self, seen: Request, *, usage: dict[str, Any] | None = USAGE) -> None:
        self.model = seen.json.get("model", "?")
        self.usage_numbers = usage

    def _envelope(self, **fields: Any) -> dict[str, Any]:
        return {
            "id": self.object_id,
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": self.model,
            **fields,
        }

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event(self._envelope(system_fingerprint="fp_upstream", choices=[choice], **more))

    def role(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def delta(self, text: str) -> bytes:
        return self._chunk({"content": text})

    def other_delta(self, **delta: Any) -> bytes:
        return self._chunk(delta)

    def finish(self, reason: str = "stop") -> bytes:
        return self._chunk({}, reason)

    def usage(self) -> bytes:
        return event(self._envelope(choices=[], usage=self.usage_numbers))

    def plain(self, message: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        document = self._envelope(choices=[choice], usage=self.usage_numbers)
        document["object"] = "chat.completion"
        if self.usage_numbers is None:
            del document["usage"]
        return document

    def stream(
        self, *pieces: str, finish: str = "stop", done: bool = True, usage: bool = True
    ) -> list[Step]:
        """Return the events of a normal stream, one per step."""
        steps: list[Step] = [self.role(), *map(self.delta, pieces), self.finish(finish)]
        if usage and self.usage_numbers is not None:
            steps.append(self.usage())
        return [*steps, DONE] if done else steps


class ArkShape(OpenAIShape):
    """What Volcengine Ark writes: its six differences from OpenAI, all of them.

    Role on every delta and no separate role chunk; no `finish_reason` key before the last chunk,
    whose delta is `content: ""` with a role; `usage: null` on every chunk; its own ids, dated
    model names and `service_tier`.
    """

    object_id = ARK_ID

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice: dict[str, Any] = {"delta": {**delta, "role": "assistant"}, "index": 0}
        if finish is not None:
            choice = {
                "delta": {"content": "", "role": "assistant"},
                "finish_reason": finish,
                "index": 0,
            }
        return event(
            self._envelope(choices=[choice], service_tier="default", **{"usage": None, **more})
        )

    def role(self) -> bytes:
        raise NotImplementedError("Ark sends no role chunk")

    def usage(self) -> bytes:
        return event(self._envelope(choices=[], service_tier="default", usage=self.usage_numbers))

    def plain(self, message: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
        document = super().plain(message, finish)
        choice = document["choices"][0]
        choice["moderation_hit_type"] = ""
        return {**document, "service_tier": "default"}

    def stream(
        self, *pieces: str, finish: str = "stop", done: bool = True, usage: bool = True
    ) -> list[Step]:
        steps: list[Step] = [*map(self.delta, pieces), self.finish(finish)]
        if usage and self.usage_numbers is not None:
            steps.append(self.usage())
        return [*steps, DONE] if done else steps


SHAPES: dict[str, type[OpenAIShape]] = {"openai": OpenAIShape, "ark": ArkShape}


# -- whole answers --------------------------------------------------------------------------------


def reply(
    *pieces: str,
    shape: str = "openai",
    finish: str = "stop",
    usage: dict[str, Any] | None = USAGE,
    **message: Any,
) -> Answer:
    """Return a good answer, plain or streamed as the request asks; no pieces: an echo."""

    def answer(seen: Request) -> Script:
        say = SHAPES[shape](seen, usage=usage)
        texts = pieces or ("echo: ", seen.prompt)
        if seen.json.get("stream"):
            return sse(*say.stream(*texts, finish=finish))
        content = {"role": "assistant", "content": "".join(texts), **message}
        return [whole(200, say.plain(content, finish))]

    return answer


def fail(status: int, code: str = "InternalServiceError", *headers: tuple[str, str]) -> Answer:
    """Return an Ark error envelope, with ids in the message as Ark writes them."""
    document = {
        "error": {
            "code": code,
            "message": f"Your account [{ARK_ACCOUNT}] cannot do this. Request id: {ARK_ID}",
            "param": "",
            "type": "BadRequest" if status == 400 else "TooManyRequests",
        }
    }
    return lambda _: [whole(status, document, *headers)]


def steps(*script: Step) -> Answer:
    """Return the same script for every request."""
    return lambda _: script


def streamed(write: Callable[[OpenAIShape], Iterable[Step]], *, shape: str = "openai") -> Answer:
    """Return a stream that `write` composes out of the shape's events; no last chunk is added.

    `streamed(lambda say: [say.role(), say.delta("Hel"), RESET])`
    """
    return lambda seen: sse(*write(SHAPES[shape](seen)), end=False)


def resplit(answer: Answer, cuts: Callable[[bytes], list[bytes]]) -> Answer:
    """Return the same bytes cut elsewhere: neighbouring bytes are joined, then given to `cuts`."""

    def again(seen: Request) -> Script:
        joined = b""
        for step in answer(seen):
            if isinstance(step, bytes):
                joined += step
                continue
            yield from cuts(joined)
            joined = b""
            yield step
        yield from cuts(joined)

    return again


def every_byte(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]
