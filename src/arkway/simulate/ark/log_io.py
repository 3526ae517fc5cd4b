"""What was served, for anyone to check? One line of JSON a call, in the file before it can be read.

A line is handed to the operating system by one write, unbuffered, before the last byte of its
answer is: whoever has an answer whole finds its line, though the simulator be killed meanwhile
(`kill -9`; a power cut is another matter). Calls that take time have a line `begun` as well.
No prompt and no key is in it.
"""

import os
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
    """The file; without a path nothing is kept."""

    def __init__(self, path: str) -> None:
        self._file: int | None = None
        if path:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(Path(path), flags, 0o600)

    @property
    def is_kept(self) -> bool:
        """Tell whether there is a file."""
        return self._file is not None

    def write(self, record: Record) -> None:
        """Append a line. A short write (a full disk) ends the simulator: its log is the point."""
        if self._file is None:
            return
        line = _encode(record) + b"\n"
        if os.write(self._file, line) != len(line):
            raise OSError("the log could not be written whole")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
