"""Which bytes does Ark answer with? Plain answers, stream chunks, HTTP heads. Hot path.

The text of an answer says what it is: first the echo that was asked for, then counting words,
`000 001 002 ...`, one to a token. So anyone can tell a text that is not his own, cut, spliced or
doubled, and a later prompt that contains it has just as many tokens.
Streams have Ark's own form: a role in every delta, no finish_reason key before the last chunk,
`usage` null until the chunk that has it. Source: Ark API reference, chat (official examples).
"""

from functools import cache
from http import HTTPStatus

import msgspec

from arkway.simulate.ark.world import Answer

STREAM_TYPE = b"text/event-stream; charset=utf-8"
JSON_TYPE = b"application/json; charset=utf-8"
DONE = b"data: [DONE]\n\n"
LAST_CHUNK = b"0\r\n\r\n"

_CYCLE = 1_000  # words before they begin again
_encode = msgspec.json.encode


@cache
def _words(width: int) -> bytes:
    """Return a whole cycle of words of `width` bytes each."""
    return b"".join(b"%0*d " % (width - 1, n % 10 ** (width - 1)) for n in range(_CYCLE))


def text_of(echo: str, tokens: int, width: int) -> bytes:
    """Return an answer's text of `tokens` tokens; the echo is cut when it does not fit."""
    head = b""
    if echo:
        head = echo.encode() + b" "
        head += b" " * (-len(head) % width)
    words, left = _words(width), tokens - len(head) // width
    if left <= 0:
        return head[: tokens * width]
    whole, rest = divmod(left, _CYCLE)
    return head + words * whole + words[: rest * width]


def usage_json(answer: Answer, tokens: int) -> bytes:
    """Return the usage object after `tokens` of the answer."""
    prompt, cached = answer.prompt_tokens, answer.cached_tokens
    if answer.fault is not None and answer.fault.kind == "zero_usage":
        prompt = cached = tokens = 0
    return (
        b'{"completion_tokens":%d,"prompt_tokens":%d,"total_tokens":%d,'
        b'"prompt_tokens_details":{"cached_tokens":%d},'
        b'"completion_tokens_details":{"reasoning_tokens":0}}'
    ) % (tokens, prompt, prompt + tokens, cached)


class Form:
    """The bytes of one answer."""

    __slots__ = ("_after", "_answer", "_ids", "_width", "text")

    def __init__(self, answer: Answer, width: int, request_id: bytes, created_unix_s: int) -> None:
        self._answer = answer
        self._width = width
        self._ids = b'"created":%d,"id":"%b","model":"%b","service_tier":"default","object":' % (
            created_unix_s,
            request_id,
            answer.model.id.encode(),
        )
        self.text = text_of(answer.echo, answer.tokens, width)
        self._after = b'","role":"assistant"},"index":0}],%b"chat.completion.chunk","usage":' % (
            self._ids
        )

    def plain(self) -> bytes:
        """Return the body of a plain answer."""
        answer = self._answer
        if answer.finish == "tool_calls":
            message = b'{"content":"","role":"assistant","tool_calls":%b}' % self._tool_calls()
        else:
            message = b'{"content":"%b","role":"assistant"}' % self.text
        usage = b',"usage":' + usage_json(answer, answer.tokens)
        if answer.fault is not None and answer.fault.kind == "no_usage":
            usage = b""
        return (
            b'{"choices":[{"finish_reason":"%b","index":0,"logprobs":null,"message":%b}],'
            b'%b"chat.completion"%b}'
        ) % (answer.finish.encode(), message, self._ids, usage)

    def chunks(self, start: int, end: int, step: int) -> bytes:
        """Return the events of tokens `start` to `end`, `step` in each."""
        if self._answer.finish == "tool_calls":
            return b""  # they come whole with the finish, as Ark's older models send them
        before, width, text = b'data: {"choices":[{"delta":{"content":"', self._width, self.text
        after = self._after + b"null}\n\n"
        events = []
        for at in range(start, end, step):
            upto = min(at + step, end)
            if self._answer.chunk_usage:
                after = self._after + self._running(upto) + b"}\n\n"
            events.append(before + text[at * width : upto * width] + after)
        return b"".join(events)

    def finish(self) -> bytes:
        """Return the event with the finish_reason."""
        answer = self._answer
        usage = self._running(answer.tokens) if answer.chunk_usage else b"null"
        calls = b""
        if answer.finish == "tool_calls":
            calls = b',"tool_calls":' + self._tool_calls()
        return (
            b'data: {"choices":[{"delta":{"content":"","role":"assistant"%b},'
            b'"finish_reason":"%b","index":0}],%b"chat.completion.chunk","usage":%b}\n\n'
        ) % (calls, answer.finish.encode(), self._ids, usage)

    def usage(self) -> bytes:
        """Return the event with the usage; nothing when none was asked for."""
        answer = self._answer
        if not answer.include_usage or (answer.fault and answer.fault.kind == "no_usage"):
            return b""
        return b'data: {"choices":[],%b"chat.completion.chunk","usage":%b}\n\n' % (
            self._ids,
            usage_json(answer, answer.tokens),
        )

    def _running(self, tokens: int) -> bytes:
        fault = self._answer.fault
        if fault is not None and fault.kind == "no_usage":
            return b"null"
        return usage_json(self._answer, tokens)

    def _tool_calls(self) -> bytes:
        arguments = _encode({"text": self.text.decode()}).decode()
        function = {"name": self._answer.tool, "arguments": arguments}
        return _encode([{"id": "call_0", "type": "function", "function": function, "index": 0}])


def chunk(data: bytes) -> bytes:
    """Return `data` as one piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def head(
    status: int, content_type: bytes, length: int | None, ids: bytes, more: bytes = b""
) -> bytes:
    """Return the head of an answer; `length` None: chunked. `ids`: from `id_headers`."""
    framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    kind = b"Content-Type: %b\r\n" % content_type if content_type else b""
    return b"HTTP/1.1 %d %b\r\n%b%b\r\n%b%b\r\n" % (
        status, _phrase(status), kind, framing, ids, more,
    )  # fmt: skip


@cache
def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b"Unknown"


def id_headers(request_id: bytes, client_request_id: bytes) -> bytes:
    """Return the headers that name a request: our id, and the caller's when it sent one."""
    echoed = b"X-Client-Request-Id: %b\r\n" % client_request_id if client_request_id else b""
    return b"X-Request-Id: %b\r\n%b" % (request_id, echoed)
