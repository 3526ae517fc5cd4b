"""What is wrong with a configuration, and where? Problems as data, and the nearest valid name."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

_CLOSE_ENOUGH = 0.6  # difflib's own default: below it a suggestion misleads more than it helps


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing an operator has to change (or, as a warning, should know).

    No field ever holds a credential: messages name rules and places, not the offending text.
    """

    path: str  # `server.port`, `accounts[0].base_url` (counted from 0), or a variable's name
    message: str  # what is wrong, and the rule it breaks
    hint: str = ""  # the nearest valid name, or where the thing belongs

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" + (f"; {self.hint}" if self.hint else "")


class Refused(Exception):
    """The change was not made; every problem is named."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class NotFound(Refused):
    """What was to be shown or changed is not here."""


def nearest(name: str, candidates: Iterable[str], *, cutoff: float = _CLOSE_ENOUGH) -> str | None:
    """Return the candidate most like `name`, ignoring case; None when none is close."""
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    found = get_close_matches(name.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return the hint for an unknown name: the nearest valid one, or all of them."""
    known = sorted(candidates)
    closest = nearest(name, known)
    if closest is not None:
        return f"did you mean {closest}?"
    return f"known: {', '.join(known)}" if known else ""
