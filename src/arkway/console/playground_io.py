"""How does the playground call the gateway? As any caller does: its public listener, a key.

The key comes with each call from the page, where it lives in the memory of one browser tab; it is
kept nowhere here. What the gateway answers is text and is shown as text.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import msgspec

from arkway.control import reach
from arkway.control.process import Server

CONNECT_S = 2.0
READ_S = 180.0  # between two chunks: models think
MAX_ANSWER_BYTES = 8 * 1024 * 1024  # of one turn in a page
MAX_TEXT = 400_000  # characters of one turn


class Failed(Exception):
    """The call did not succeed; the text is the gateway's, or says that it did not answer."""

    def __init__(self, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(message)
        self.headers = headers


class Piece(msgspec.Struct):
    """A part of an answer: text, thoughts, tool calls, or what stands at its end."""

    text: str = ""
    thought: str = ""
    tools: str = ""
    usage: dict[str, Any] | None = None
    finish: str = ""
    headers: Mapping[str, str] = {}


def url_of(server: Server) -> str:
    """Return the public listener's address as this machine reaches it."""
    return f"{reach.url_of(server.host, server.port)}/v1"


async def call(
    url: str, key: str, conversation: str, body: Mapping[str, Any]
) -> AsyncIterator[Piece]:
    """Yield the pieces of an answer as they come; the first has the headers.

    Errors:  Failed.
    """
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    if conversation:
        headers["x-conversation-id"] = conversation
    timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
    try:
        async with (
            httpx.AsyncClient(timeout=timeout, trust_env=False) as client,
            client.stream(
                "POST",
                f"{url}/chat/completions",
                headers=headers,
                content=msgspec.json.encode(body),
            ) as answer,
        ):
            said = dict(answer.headers)
            if answer.status_code != 200:
                text = (await _whole(answer)).decode("utf-8", "replace")
                raise Failed(f"{answer.status_code} {_message(text)}", said)
            yield Piece(headers=said)
            if "text/event-stream" in said.get("content-type", ""):
                async for piece in _events(answer, said):
                    yield piece
            else:
                yield _plain(await _whole(answer))
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError, ValueError) as error:
        raise Failed(f"{type(error).__name__}: {error}"[:500], {}) from None


async def _events(answer: httpx.Response, headers: Mapping[str, str]) -> AsyncIterator[Piece]:
    size = 0
    async for line in answer.aiter_lines():
        size += len(line)
        if size > MAX_ANSWER_BYTES:
            raise Failed("the answer is longer than this page shows", headers)
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            continue
        chunk = msgspec.json.decode(data, type=dict[str, Any])
        if "error" in chunk:
            raise Failed(_message(data), headers)
        yield _chunk(chunk)


def _chunk(chunk: Mapping[str, Any]) -> Piece:
    piece = Piece(usage=chunk.get("usage"))
    for choice in chunk.get("choices") or ():
        delta = choice.get("delta") or {}
        if choice.get("index", 0) == 0:  # of several choices, the page shows the first as it comes
            piece.text += delta.get("content") or ""
            piece.thought += delta.get("reasoning_content") or ""
        if delta.get("tool_calls"):
            piece.tools += msgspec.json.encode(delta["tool_calls"]).decode() + "\n"
        piece.finish = choice.get("finish_reason") or piece.finish
    return piece


def _plain(body: bytes) -> Piece:
    answer = msgspec.json.decode(body, type=dict[str, Any])
    texts, thoughts, tools, finish = [], [], [], ""
    for choice in answer.get("choices") or ():
        message = choice.get("message") or {}
        texts.append(message.get("content") or "")
        thoughts.append(message.get("reasoning_content") or "")
        if message.get("tool_calls"):
            tools.append(msgspec.json.encode(message["tool_calls"]).decode())
        finish = choice.get("finish_reason") or finish
    return Piece(
        text="\n\n———\n\n".join(texts),
        thought="".join(thoughts),
        tools="\n".join(tools),
        usage=answer.get("usage"),
        finish=finish,
    )


async def _whole(answer: httpx.Response) -> bytes:
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise Failed("the answer is longer than this page shows", dict(answer.headers))
    return body


def _message(text: str) -> str:
    """Return what an error document says; anything else as it is, cut."""
    try:
        error = msgspec.json.decode(text, type=dict[str, Any])["error"]
        return f"{error.get('code') or error.get('type') or ''}: {error.get('message') or ''}"[
            :2000
        ]
    except (msgspec.DecodeError, KeyError, AttributeError):
        return text[:500]
