"""What was served, for anyone to check? One line of JSON a call, in the file before it can be read.

A line is handed to the operating system by one write, unbuffered, before the last byte of its
answer is: whoever has an answer whole finds its line, though the simulator be killed meanwhile
(`kill -9`; a power cut is another matter). Calls that take time have a line `begun` as well.
No prompt and no key is in it.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

_encode = msgspec.json.Encoder().encode


class Record(Struct):
    """One line. docs/simulator.md explains the fields."""

    at_unix_s: float
    outcome: str  # begun, answered, refused, fault, left
    request_id: str
    client_request_id: str
    account: str = ""
    account_id: str = ""
    asked_model: str = ""
    model: str = ""
    stream: bool = False
    status: int = 0
    code: str = ""
    fault: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    finish: str = ""
    echo: str = ""
    caller_left: bool = False
    arrived_s: float = 0.0
    first_token_s: float = 0.0
    duration_s: float = 0.0


class Log:
    """The file; without a path nothing is kept.

    Shapes:  failed: called once, when a line could not be written: no oracle is better than half.
    """

    def __init__(self, path: str, failed: Callable[[OSError], None]) -> None:
        self._failed = failed
        self._file: int | None = None
        if path:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(Path(path), flags, 0o600)

    def write(self, record: Record) -> None:
        """Append a line. When that fails `failed` is called, and nothing is written any more."""
        if self._file is None:
            return
        line = _encode(record) + b"\n"
        try:
            written = os.write(self._file, line)
        except OSError as error:
            self._fail(error)
        else:
            if written != len(line):
                self._fail(OSError(errno.ENOSPC, "a line could not be written whole"))

    def _fail(self, error: OSError) -> None:
        self.close()
        self._failed(error)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
