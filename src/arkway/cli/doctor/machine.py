"""Is this machine fit? Python's build, file descriptors, clocks."""

import resource
import sys
import sysconfig
import time
from pathlib import Path

import msgspec

from arkway.cli.doctor.finding import Finding, ok, problem, warning

# Beside callers and upstreams: the ledger, the store, the log, the ops port, the stand-in.
OTHER_FDS = 100
# What wall and steady clock may differ by while we look: the system slews by less than 0.1 %.
JUMP_S = 0.2
_FIRST_S = 1_735_689_600  # 2025-01-01; this was written later
_LAST_S = 4_102_444_800  # 2100-01-01
_BEHIND_S = 60  # ledger rows from later than now say that the clock was put back


class Python(msgspec.Struct, frozen=True):
    """The interpreter, as it was built."""

    version: tuple[int, int, int]
    is_optimised: bool  # by profile (PGO), as far as its build tells
    is_systems: bool  # the distribution's: they optimise so, and not all of their builds tell
    is_debug: bool


class Fds(msgspec.Struct, frozen=True):
    """How many file descriptors a process may have. -1: no limit."""

    soft: int
    hard: int
    is_gateways: bool = False  # of the running gateway; else of this shell


class Clock(msgspec.Struct, frozen=True):
    """Both clocks at one moment."""

    wall_s: float
    steady_s: float


def python() -> Python:
    """Look at this interpreter."""
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    flags = str(sysconfig.get_config_var("PY_CORE_CFLAGS") or "")
    return Python(
        sys.version_info[:3],
        "--enable-optimizations" in arguments or "-fprofile-use" in flags,
        sys.base_prefix == "/usr",
        bool(sysconfig.get_config_var("Py_DEBUG")),
    )


def judge_python(found: Python) -> Finding:
    """Return what the interpreter's build means for a gateway."""
    text = f"Python {'.'.join(map(str, found.version))}"
    better = "use the system's /usr/bin/python3, or one built with --enable-optimizations"
    if found.is_debug:
        return warning("python", f"{text} is a debug build: it serves several times slower", better)
    if found.is_optimised:
        return ok("python", f"{text}, built with profile-guided optimisation")
    if found.is_systems:
        return ok("python", f"{text}, the system's own build")
    return warning("python", f"{text} was built without profile-guided optimisation", better)


def fds(pid: int | None) -> Fds:
    """Look at the limits of a process; of this one when there is none, or it does not say."""
    if pid is not None:
        try:
            for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
                if line.startswith("Max open files"):
                    soft, hard = (
                        -1 if each == "unlimited" else int(each) for each in line.split()[3:5]
                    )
                    return Fds(soft, hard, is_gateways=True)
        except (OSError, ValueError):
            pass
    return Fds(*resource.getrlimit(resource.RLIMIT_NOFILE))


def judge_fds(found: Fds, callers: int, accounts: int, connections: int) -> Finding:
    """Return whether the descriptors suffice for every connection the settings allow.

    Shapes:  connections: most to each account.
    """
    need = callers + accounts * connections + OTHER_FDS
    whose = "the gateway" if found.is_gateways else "a gateway started here"
    have = found.soft if found.is_gateways else found.hard  # the soft limit is raised at the start
    if have < 0 or have >= need:
        most = "any number of" if have < 0 else have
        return ok("descriptors", f"{whose} may open {most} files, and may need {need}")
    return warning(
        "descriptors",
        f"{whose} may open {have} files; the settings allow connections for {need}",
        f"raise the hard limit (LimitNOFILE={need} in systemd, `ulimit -Hn`), or lower "
        "server.max_connections or upstream.max_connections",
    )


def clock() -> Clock:
    """Look at both clocks."""
    return Clock(time.time(), time.monotonic())


def judge_clock(before: Clock, after: Clock, last_row_s: float | None) -> Finding:
    """Return whether the wall clock can be right: limits, budgets and days go by it.

    Shapes:  last_row_s: when the newest row of the ledger was written; None: there is none.
    """
    sync = "set it, and keep it right with NTP (`timedatectl`)"
    if not _FIRST_S < after.wall_s < _LAST_S:
        when = time.strftime("%Y-%m-%d", time.gmtime(after.wall_s))
        return problem("clock", f"it is {when} by this machine's clock", sync)
    if last_row_s is not None and last_row_s > after.wall_s + _BEHIND_S:
        ahead_s = last_row_s - after.wall_s
        return problem("clock", f"the ledger's last row was written {ahead_s:.0f} s from now", sync)
    jump_s = (after.wall_s - before.wall_s) - (after.steady_s - before.steady_s)
    if abs(jump_s) > JUMP_S:
        return warning("clock", f"it jumped by {jump_s:+.1f} s while this looked", sync)
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(after.wall_s))
    return ok("clock", f"{when} UTC; days and budgets go by UTC, whatever the time zone here")
