"""How is a gateway watched? `arkway top`: ask once a second, draw, listen for `q`."""

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arkway.cli.flags import ConfigFlag, JsonFlag, place
from arkway.cli.live import NoAnswer, OpsPort, ask_status, ops_port_at, ops_port_of
from arkway.cli.output import USAGE, Failure, print_json

if TYPE_CHECKING:
    from rich.console import RenderableType

EVERY_S = 1.0
WITHIN_S = 3.0  # for one answer; a busy event loop answers late, and that is worth seeing
_PIPE_WIDTH = 120


def top(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Print one picture; so it is where nobody watches.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The ops port of a gateway, such as http://10.0.0.2:8082."
        ),
    ] = None,
    ops_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65_535, help="The ops port, here."),
    ] = None,
    config: ConfigFlag = None,
    json: JsonFlag = False,
) -> None:
    """Watch a running gateway, once a second; q or Ctrl-C leaves.

    Calls and tokens a second, errors by class, times to the first token, cache hits, and each
    account: how full each of its limits is, whether it is out and why. Rates are of the last 10
    seconds, times of the last minute's calls. --json prints what /status says (docs/metrics.md).
    """
    if url is not None and ops_port is not None:
        raise Failure("--url and --ops-port: give one of them", status=USAGE)
    at = _where(url, ops_port, ops_port_of(place(config).load().draft.server))
    try:
        status = ask_status(at, WITHIN_S)
    except NoAnswer as none:
        raise Failure(f"{at.url}: {none} (does `arkway serve` run?)") from None
    if json:
        print_json(status)
    elif once or not sys.stdout.isatty():
        _print(status, at)
    else:
        _watch(status, at)


def _where(url: str | None, ops_port: int | None, configured: OpsPort) -> OpsPort:
    if url is not None:
        return ops_port_at(url)
    return configured if ops_port is None else OpsPort(configured.host, ops_port)


def _print(status: dict[str, Any], at: OpsPort) -> None:
    from rich.console import Console  # noqa: PLC0415  60 ms

    from arkway.cli.top.frame import frame  # noqa: PLC0415

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    console.print(frame(status, console.width, at.url))


def _watch(status: dict[str, Any], at: OpsPort) -> None:
    """Draw until somebody leaves. A gateway that goes away may come back: it is asked on."""
    from rich.console import Console, Group  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from arkway.cli.top.frame import frame  # noqa: PLC0415

    console = Console(highlight=False)

    def picture(trouble: str = "") -> "RenderableType":
        foot = Text(trouble, style="red") if trouble else Text("q leaves", style="dim")
        return Group(frame(status, console.width, at.url), "", foot)

    with (
        _keys() as leaves,
        Live(picture(), console=console, screen=True, auto_refresh=False) as live,
    ):
        while not leaves(EVERY_S):
            try:
                status = ask_status(at, WITHIN_S)
            except NoAnswer as none:
                live.update(picture(f"{at.url}: {none}; asked again each second"), refresh=True)
            else:
                live.update(picture(), refresh=True)


@contextmanager
def _keys() -> Iterator[Any]:
    """Yield a function that waits, and returns whether `q` was pressed meanwhile."""
    if not sys.stdin.isatty():  # nobody can press anything; Ctrl-C comes as a signal

        def wait(wait_s: float) -> bool:
            time.sleep(wait_s)
            return False

        yield wait
        return
    import termios  # noqa: PLC0415
    import tty  # noqa: PLC0415

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)  # keys come without Enter; Ctrl-C still interrupts
        yield lambda wait_s: _pressed(wait_s, terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _pressed(wait_s: float, terminal: int) -> bool:
    """Return whether `q` (or Ctrl-D) is pressed within a time; other keys do not shorten it."""
    deadline_s = time.monotonic() + wait_s
    while (left_s := deadline_s - time.monotonic()) > 0:
        if select.select([terminal], [], [], left_s)[0]:
            typed = os.read(terminal, 64)
            if not typed or {*typed} & {*b"qQ\x04"}:
                return True
    return False
