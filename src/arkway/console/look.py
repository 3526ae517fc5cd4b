"""In which language and theme is the console wanted? A cookie says, or the browser."""

from collections.abc import Iterable
from dataclasses import dataclass

from arkway.console.texts import LANGUAGES, preferred

COOKIE = "arkway_console"  # `zh.dark`; written by assets/console.js, no secret
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody wants."""

    language: str = "en"
    theme: str = "auto"


def look_of(headers: Iterable[tuple[bytes, bytes]]) -> Look:
    """Return what a request's headers ask for; what is wrong with them counts as unsaid."""
    language = theme = ""
    accepted = ""
    for name, value in headers:
        if name == b"accept-language":
            accepted = value.decode("latin-1")
        elif name == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                key, _, text = pair.strip().partition("=")
                if key == COOKIE:
                    language, _, theme = text.partition(".")
    return Look(
        language if language in LANGUAGES else preferred(accepted),
        theme if theme in THEMES else "auto",
    )
