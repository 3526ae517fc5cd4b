"""What does one check say? Well or not, in one line, and what to do about it."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"  # it serves, and somebody should know
    PROBLEM = "problem"  # it does not serve, or will not for long, or a secret is open


class Finding(msgspec.Struct, frozen=True):
    """One line of the report."""

    check: str  # what was looked at: `ledger`, `account main`
    level: Level
    text: str  # what was seen
    advice: str = ""  # what to do; empty where all is well


def ok(check: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Level.OK, text)


def warning(check: str, text: str, advice: str = "") -> Finding:
    """Return what somebody should know."""
    return Finding(check, Level.WARNING, text, advice)


def problem(check: str, text: str, advice: str = "") -> Finding:
    """Return what has to be put right."""
    return Finding(check, Level.PROBLEM, text, advice)


def is_sound(findings: Iterable[Finding]) -> bool:
    """Return whether there is no problem among them."""
    return all(each.level is not Level.PROBLEM for each in findings)


def size(count_bytes: float) -> str:
    """Return a size as people read it: `1.4 GiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count_bytes < 1024:
            return f"{count_bytes:.0f} {unit}" if unit == "bytes" else f"{count_bytes:.1f} {unit}"
        count_bytes /= 1024
    return f"{count_bytes:.1f} TiB"
