"""How is the report shown? `arkway doctor`."""

import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import Annotated

import msgspec
import typer

from arkway.cli.doctor.finding import Finding, Level, is_sound
from arkway.cli.flags import ConfigFlag, JsonFlag, place
from arkway.cli.output import FAILURE, coloured, print_json

_COLOURS = {Level.OK: "32", Level.WARNING: "33", Level.PROBLEM: "31;1"}
_MAX_WIDTH = 120  # longer lines are hard to read


def doctor(
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not connect to the upstream accounts.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Only what is not as it should be.")
    ] = False,
    config: ConfigFlag = None,
    json: JsonFlag = False,
) -> int:
    """Look everything over and say what to do.

    The exit status is 1 when there is a problem.
    Configuration, home directory, disk, store, ledger, ports, limits, clock, the running gateway
    if there is one, and every account: resolved, connected, its certificate checked, 3 s each and
    side by side. Nothing is changed and no request is sent; no secret is printed.
    Run it as the user and in the environment that the gateway runs with.
    """
    from arkway.cli.doctor.examine import examine  # noqa: PLC0415  the checks import half of Arkway

    found = list(examine(place(config), offline=offline))
    if json:
        problems, warnings = _counts(found)
        document = {"ok": is_sound(found), "problems": problems, "warnings": warnings}
        print_json({**document, "findings": msgspec.to_builtins(found)})
    else:
        _show([each for each in found if not quiet or each.level is not Level.OK])
        print(_sum(found))
    return 0 if is_sound(found) else FAILURE


def _show(findings: Iterable[Finding]) -> None:
    """Print a line each; on a terminal folded under itself, with the advice below."""
    findings = list(findings)
    wide = max((len(each.check) for each in findings), default=0)
    is_terminal = sys.stdout.isatty()
    width = min(shutil.get_terminal_size().columns, _MAX_WIDTH)
    for each in findings:
        head = f"{each.level:<8} {each.check:<{wide}}  "
        if not is_terminal:  # for grep: one line, however long
            print(head + each.text + (f" -> {each.advice}" if each.advice else ""))
            continue
        room = max(20, width - len(head))
        lines = textwrap.wrap(each.text, room, break_on_hyphens=False)
        if each.advice:
            advice = textwrap.wrap(each.advice, room - 3, break_on_hyphens=False)
            lines += [f"-> {advice[0]}", *(f"   {line}" for line in advice[1:])]
        first, *rest = lines
        print(coloured(f"{each.level:<8}", _COLOURS[each.level]) + head[8:] + first)
        for line in rest:
            print(" " * len(head) + line)


def _sum(findings: list[Finding]) -> str:
    problems, warnings = _counts(findings)
    if not problems and not warnings:
        return f"{len(findings)} checks, all well"
    return f"{len(findings)} checks: {_count(problems, 'problem')}, {_count(warnings, 'warning')}"


def _counts(findings: list[Finding]) -> tuple[int, int]:
    """Return how many problems and how many warnings there are."""
    levels = [each.level for each in findings]
    return levels.count(Level.PROBLEM), levels.count(Level.WARNING)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
