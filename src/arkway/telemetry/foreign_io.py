"""What do libraries and Python itself say of a fault? One line of ours, without their text.

What nobody caught is told by asyncio, uvicorn or Python's own hooks, as a traceback of many lines
that ends with the exception's text: whatever was being worked on, a prompt or a credential too.
"""

import logging
import sys
import threading
from types import TracebackType

from arkway.telemetry.log_io import Log, where_of


def adopt(log: Log) -> None:
    """Let all that libraries log and nobody caught in this process become events of `log`.

    The last call counts. An interrupt from the keyboard stays what it is.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _Handler):
            root.removeHandler(handler)
    root.addHandler(_Handler(log))

    def nobody_caught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, Exception):
            _unhandled(log, "python", error)
        else:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = nobody_caught
    threading.excepthook = lambda told: _unhandled(log, "threading", told.exc_value)
    sys.unraisablehook = lambda told: _unhandled(log, "python", told.exc_value)


class _Handler(logging.Handler):
    """Takes what reaches the root logger: warnings and errors, unless somebody asks for more."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Say who spoke, and where; a message may hold anything."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            _unhandled(self._log, record.name, error)
            return
        level = "error" if record.levelno >= logging.ERROR else "warning"
        where = f"{record.funcName}:{record.lineno}"
        self._log.event(level, "library", by=record.name, where=where)


def _unhandled(log: Log, by: str, error: BaseException | None) -> None:
    kind = type(error).__name__ if error is not None else ""
    where = where_of(error) if error is not None else ""
    log.event("error", "unhandled", by=by, kind=kind, where=where)
