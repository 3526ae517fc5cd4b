"""What is written to standard error? One line an event, as JSON or as text.

Fields are an allow-list by construction: callers name each one; nothing here takes an exception's
text, a header or a body. A `Secret` shows as `***`.
"""

import sys
import time
import traceback
from typing import TextIO

import msgspec

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_FRAMES = 6
Field = str | int | float | bool | None


class Log:
    """Writes events at or above a level."""

    def __init__(self, level: str, style: str, stream: TextIO | None = None) -> None:
        self._threshold = LEVELS[level]
        self._as_json = style == "json"
        self._stream = stream or sys.stderr

    def logs(self, level: str) -> bool:
        """Whether events of `level` are written."""
        return LEVELS[level] >= self._threshold

    def event(self, level: str, name: str, **fields: Field) -> None:
        """Write one line; what cannot be written is dropped, a log never stops a gateway."""
        if LEVELS[level] < self._threshold:
            return
        now = time.time()
        stamp = (
            time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}Z"
        )
        if self._as_json:
            line = msgspec.json.encode(
                {"time": stamp, "level": level, "event": name, **fields}
            ).decode()
        else:
            shown = " ".join(f"{key}={_shown(value)}" for key, value in fields.items())
            line = f"{stamp} {level:7} {name} {shown}".rstrip()
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass


def where_of(error: BaseException) -> str:
    """Return the innermost functions that an error came through; none of its words or values."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))


def _shown(value: Field) -> str:
    text = str(value)
    quoted = any(char.isspace() or not char.isprintable() for char in text) or not text
    return repr(text) if quoted else text
