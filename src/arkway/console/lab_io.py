"""How does the lab compute? `arkway simulate` as a child process: bounded, one at a time.

Nothing of it runs in this process or in the gateway's: it is the command that an operator would
run, with a lower priority, and it is killed when it takes too long or nobody waits any more.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

RUN_S = 120.0  # an hour of a busy trace takes a minute
MAX_OUTPUT_BYTES = 8 * 1024 * 1024
_NICENESS = 10  # below the control process, which is below the gateway
_one = asyncio.Lock()  # the machine's cores are the gateway's


class Failed(Exception):
    """The simulation did not come to an end; the text says why."""


def is_busy() -> bool:
    """Return whether one runs already."""
    return _one.locked()


@contextlib.asynccontextmanager
async def alone() -> AsyncIterator[Path]:
    """Yield a folder for one series of runs; nobody else's run meanwhile."""
    async with _one:
        with tempfile.TemporaryDirectory(prefix="arkway-lab-") as folder:
            yield Path(folder)


async def simulate(trace: Path, arguments: list[str]) -> dict[str, Any]:
    """Return what `arkway simulate --json` prints of a trace.

    Errors:  Failed.
    """
    command = (
        sys.executable,
        "-m",
        "arkway",
        "simulate",
        "--trace",
        str(trace),
        "--json",
        *arguments,
    )
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=MAX_OUTPUT_BYTES,
        env={name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        preexec_fn=lambda: os.nice(_NICENESS),
    )
    try:
        async with asyncio.timeout(RUN_S):
            out, error = await child.communicate()
    except TimeoutError:
        raise Failed(f"it took longer than {RUN_S:.0f} s") from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode != 0:
        lines = error.decode("utf-8", "replace").strip().splitlines()
        raise Failed((lines[-1] if lines else f"exit status {child.returncode}")[:500])
    try:
        return msgspec.json.decode(out, type=dict[str, Any])
    except msgspec.DecodeError as wrong:
        raise Failed(f"its answer is not JSON: {wrong}"[:200]) from None
