"""How does one server process begin and end? Start it, hear its announcement, end it."""

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from signal import Signals
from tempfile import TemporaryFile
from typing import IO

from arkway.local.weights import LocalModelError

START_TIMEOUT_S = 120.0  # the default weights take 1 s; several GB from a cold disk take minutes
STOP_GRACE_S = 3.0  # a child has nothing to save: one that is still there by then hangs
COMPLAINT_BYTES = 16 * 1024  # of a failed child's stderr; the cause stands near its beginning
LLAMA_ERROR = re.compile(r"^[\d.]+ E (.+)$", re.MULTILINE)  # "0.00.006.205 E load: no such file"


def server_command(model: Path) -> list[str]:
    """Return the command of a real child; -P keeps modules of the working directory out."""
    return [sys.executable, "-P", "-m", "arkway.local.server", "--model", str(model)]


async def spawn(command: Sequence[str], port: int) -> tuple[Process, int]:
    """Start `command --port N` and return it with its port once it answers.

    The child is in a session of its own and its standard input stays open, never written to,
    until it is to go. Cancelled or failed, no child is left behind.
    Errors: LocalModelError with the child's own words, or what can be seen from outside.
    """
    with TemporaryFile() as complaints:  # not a pipe: nobody would have to drain it
        child = await asyncio.create_subprocess_exec(
            *command,
            *("--port", str(port)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=complaints,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                return child, await _announced_port(child)
        except TimeoutError as error:
            await end(child, grace_s=0)
            raise LocalModelError(
                f"a local model server did not answer within {START_TIMEOUT_S:.0f} s"
            ) from error
        except _NoAnnouncement as error:
            status = await _reap(child, STOP_GRACE_S)  # it is going: how is worth knowing
            words = ["a local model server cannot start", str(error) or how_it_ended(status)]
            raise LocalModelError(": ".join(filter(None, [*words, _cause(complaints)]))) from error
        except BaseException:
            await end(child, grace_s=0)
            raise


async def end(child: Process, grace_s: float) -> int:
    """Ask the child to go, kill it after `grace_s`, and return its status. May be repeated."""
    if child.stdin is not None:
        child.stdin.close()
    if child.returncode is None:
        child.terminate()
    return await _reap(child, grace_s)


def how_it_ended(status: int) -> str:
    """Return an exit status in words; negative ones are signals, as `Process.wait` has them."""
    return f"exited with status {status}" if status >= 0 else f"killed by {Signals(-status).name}"


async def _reap(child: Process, grace_s: float) -> int:
    # Not `asyncio.timeout`: before Python 3.11.3 it does not end in a task that is being cancelled.
    going = asyncio.ensure_future(child.wait())
    await asyncio.wait({going}, timeout=grace_s)
    if child.returncode is None:
        child.kill()
    return await going


class _NoAnnouncement(Exception):
    """The child did not say where it listens; the message is what it said instead, if at all."""


async def _announced_port(child: Process) -> int:
    """Read the child's one line on standard output; `server.py` has its form."""
    assert child.stdout is not None, "spawned with a pipe"
    line = await child.stdout.readline()
    if not line:
        raise _NoAnnouncement
    match json.loads(line):
        case {"port": int(port)}:
            return port
        case {"error": str(error)}:
            raise _NoAnnouncement(error)
    raise AssertionError(f"not an announcement: {line!r}")


def _cause(complaints: IO[bytes]) -> str:
    """Return the line of a failed child's stderr that names the cause, or "".

    That is llama.cpp's first error (the later ones follow from it), or the last line, where
    Python's traceback has the exception.
    """
    complaints.seek(0)
    text = complaints.read(COMPLAINT_BYTES).decode(errors="replace").strip()
    if error := LLAMA_ERROR.search(text):
        return error[1].strip()
    return text.rpartition("\n")[2]
