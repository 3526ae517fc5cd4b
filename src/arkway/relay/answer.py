"""What may the caller see of a plain upstream answer? One body, normalised."""

import msgspec

from arkway.model.usage import Usage
from arkway.wire.openai import Choice, decode_answer, encode

_STOP, _ASSISTANT = "stop", "assistant"


class BadAnswer(ValueError):
    """The body is no chat completion; the upstream is at fault."""

    def __init__(self, message: str, error_body: bytes = b"") -> None:
        super().__init__(message)
        self.error_body = error_body  # the upstream's `error` value, if it sent one


def text_size(choice: Choice) -> int:
    """Return the bytes of text in `choice`; the base of an estimate when no usage was told."""
    message = choice.message
    if message is None:
        return 0
    size = len((message.content or "").encode())
    if message.reasoning_content:
        size += len(message.reasoning_content.encode())
    return size + (len(encode(message.tool_calls)) if message.tool_calls else 0)


def read_answer(body: bytes, index: int) -> tuple[Choice, Usage | None]:
    """Return the first choice of `body` as choice `index` of our answer, and what it used.

    The usage is None when the upstream told none.
    Errors:  BadAnswer when it is not a chat completion, or is an error with status 200.
    """
    try:
        answer = decode_answer(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("the body is not a chat completion") from error
    if answer.error is not None:
        raise BadAnswer("the body is an error", encode(answer.error))
    choice = answer.choices[0] if answer.choices else None
    message = choice.message if choice is not None else None
    if choice is None or message is None:
        raise BadAnswer("the body holds no message")
    # To set what is so already would cost more than to look.
    if choice.index != index:
        choice.index = index
    if message.role != _ASSISTANT:
        message.role = _ASSISTANT
    if message.tool_calls is None:
        message.tool_calls = msgspec.UNSET
    if message.reasoning_content is None:
        message.reasoning_content = msgspec.UNSET
    if not choice.finish_reason:
        choice.finish_reason = _STOP
    usage = answer.usage
    return choice, None if usage is None else usage.to_usage()
