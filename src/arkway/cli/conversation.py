"""What was said so far? One conversation, kept in a private file between commands."""

import json
import os
import tempfile
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path

from arkway.cli.output import Failure

MAX_FILE_BYTES = 8 * 1024 * 1024  # beyond any context window; a longer file reads as cut off

Message = dict[str, str]  # role, content


@dataclass(slots=True)
class Conversation:
    """A conversation; its id goes out as `X-Conversation-Id`, which keeps its prompt cache warm."""

    model: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    messages: list[Message] = field(default_factory=list)


def load(path: Path) -> Conversation | None:
    """Return the conversation kept in `path`; None when there is none.

    Errors:  Failure when the file is not one of ours.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    try:
        return _conversation(json.loads(content))
    except (ValueError, TypeError, KeyError):
        raise Failure(f"{path} is not a conversation; --new begins another") from None


def _conversation(raw: dict[str, object]) -> Conversation:
    """Return the conversation in `raw`; ValueError, TypeError or KeyError when it is none."""
    model, identity, messages = raw["model"], raw["id"], raw["messages"]
    if not (isinstance(model, str) and isinstance(identity, str) and isinstance(messages, list)):
        raise TypeError("wrong types")
    said = [{"role": str(each["role"]), "content": str(each["content"])} for each in messages]
    return Conversation(model=model, id=identity, messages=said)


def save(path: Path, conversation: Conversation) -> None:
    """Keep `conversation` in `path`, readable by its owner only, replaced in one step."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(conversation), file, ensure_ascii=False)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
