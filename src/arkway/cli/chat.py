"""How does one talk to the gateway from a terminal? `arkway chat`."""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from arkway.cli import conversation as kept
from arkway.cli.completion import Answer, Endpoint, ask
from arkway.cli.conversation import Conversation
from arkway.cli.flags import JsonFlag, Place, place
from arkway.cli.output import USAGE, Failure, print_json, remark
from arkway.control.config import BUILTIN_MODELS
from arkway.control.home import API_KEY_VARIABLE, CONVERSATION_NAME, FIRST_KEY_NAME, open_home
from arkway.control.reach import url_of

_MAX_MESSAGE_CHARS = 16 * 1024 * 1024  # of standard input; the gateway's own limit is below

# An answer is foreign text: it must not move the cursor or set the window's title.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def chat(  # noqa: PLR0913  one parameter a flag
    message: Annotated[
        str | None,
        typer.Argument(
            metavar="MESSAGE", help="What to say. Without it: standard input, or a dialogue."
        ),
    ] = None,
    *,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Model to ask. Default: the conversation's."),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Begin a new conversation with this system message."),
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Begin a new conversation.")] = False,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The gateway. Default: the configured port, here."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="API key. Default: $ARKWAY_API_KEY, else $ARKWAY_HOME/first-key."
        ),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Ask the gateway, and read the answer as it is written.

    The conversation is remembered in $ARKWAY_HOME/conversation.json and goes on with the next
    message; its id travels along, so that it stays on the account whose prompt cache knows it.
    Token counts follow on standard error.
    """
    here = place(None)
    endpoint = Endpoint(url=url or _own_url(here), key=_key(here, key))
    path = open_home(here.home) / CONVERSATION_NAME
    begun = None if new or system is not None else kept.load(path)
    conversation = begun or _begin(system)
    conversation.model = model or conversation.model
    dialogue = _Dialogue(endpoint, conversation, path, as_json=json)
    if message is not None:
        dialogue.say(_something(message))
    elif sys.stdin.isatty():
        dialogue.run()
    else:
        dialogue.say(_something(sys.stdin.read(_MAX_MESSAGE_CHARS).strip()))


@dataclass(slots=True)
class _Dialogue:
    """A conversation with a gateway, kept in a file after every answer."""

    endpoint: Endpoint
    conversation: Conversation
    path: Path
    as_json: bool

    def say(self, text: str) -> None:
        """Send one message and print the answer; a failed one leaves the conversation as it was."""
        said = [*self.conversation.messages, {"role": "user", "content": text}]
        on_text = _ignore if self.as_json else _write
        answer = ask(self.endpoint, self.conversation.model, said, self.conversation.id, on_text)
        self.conversation.messages = [*said, {"role": "assistant", "content": answer.content}]
        kept.save(self.path, self.conversation)
        if self.as_json:
            print_json(_shown(self.conversation, answer))
            return
        print()
        remark(_usage(answer))

    def run(self) -> None:
        """Take messages from the terminal until its end; Ctrl-C stops an answer, not the talk."""
        for text in _typed_lines():
            try:
                self.say(text)
            except Failure as failure:
                print(f"\narkway: {failure}", file=sys.stderr)
            except KeyboardInterrupt:
                print("\n(stopped; this message was not kept)", file=sys.stderr)


def _typed_lines() -> Iterator[str]:
    """Yield what is typed, without empty lines; Ctrl-D or Ctrl-C at the prompt ends it."""
    while True:
        try:
            text = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if text:
            yield text


def _something(text: str) -> str:
    if not text.strip():
        raise Failure("nothing to say: give a message, or text on standard input", status=USAGE)
    return text


def _begin(system: str | None) -> Conversation:
    first = [] if system is None else [{"role": "system", "content": system}]
    return Conversation(model=BUILTIN_MODELS[0].name, messages=first)


def _own_url(here: Place) -> str:
    """Return where the gateway of this configuration listens, seen from this machine."""
    server = here.load().draft.server
    return url_of(server.host, server.port)


def _key(here: Place, flag: str | None) -> str:
    """Return the key to ask with, from the flag, the environment or the first key."""
    text = flag or os.environ.get(API_KEY_VARIABLE)
    first = here.home / FIRST_KEY_NAME
    if not text and first.exists():
        text = first.read_text().strip()
    if not text:
        raise Failure(
            f"no API key: give --key or {API_KEY_VARIABLE}; there is none in {first} either",
            status=USAGE,
        )
    if not (text.isascii() and text.isprintable()):
        raise Failure("the API key holds characters that no key has", status=USAGE)
    return text


def _write(text: str) -> None:
    print(_CONTROLS.sub("", text) if sys.stdout.isatty() else text, end="", flush=True)


def _ignore(_text: str) -> None:
    """Take no notice: JSON is printed whole at the end."""


def _usage(answer: Answer) -> str:
    usage = answer.usage
    if not usage:
        return "(no token counts)"
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    asked, answered = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return f"({asked} tokens in, {cached} of them cached; {answered} out)"


def _shown(conversation: Conversation, answer: Answer) -> dict[str, object]:
    return {
        "model": conversation.model,
        "content": answer.content,
        "finish_reason": answer.finish_reason,
        "usage": answer.usage,
        "conversation_id": conversation.id,
        "request_id": answer.request_id,
    }
