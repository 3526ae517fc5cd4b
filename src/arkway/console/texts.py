"""What does the console say, in which language? One catalogue, `texts.toml`. Pure.

A text is named by its table and key, `nav.overview`. Both languages have every text; a missing
one is a fault of ours and raises.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LANGUAGES = {"en": "English", "zh": "简体中文"}
TAGS = {"en": "en", "zh": "zh-CN"}  # BCP 47, for `<html lang>`
_CATALOGUE = Path(__file__).with_name("texts.toml")
_WEIGHT = re.compile(r"([a-zA-Z]{1,8}|\*)(?:-[a-zA-Z0-9-]{1,32})?(?:;q=([01](?:\.\d{1,3})?))?")


@cache
def catalogue() -> Mapping[str, tuple[str, str]]:
    """Return every text: name -> (English, Chinese)."""
    tables = tomllib.loads(_CATALOGUE.read_text(encoding="utf-8"))
    return {
        f"{table}.{name}": (english, chinese)
        for table, texts in tables.items()
        for name, (english, chinese) in texts.items()
    }


class Texts:
    """The texts of one language."""

    def __init__(self, language: str) -> None:
        assert language in LANGUAGES, "checked where it came from"
        self.language = language
        self._place = list(LANGUAGES).index(language)

    def __call__(self, name: str, /, **values: object) -> str:
        """Return a text with `values` in their places."""
        text = catalogue()[name][self._place]
        return text.format(**values) if values else text

    def word(self, table: str, word: str) -> str:
        """Return how a word of the API is called; one that is not known, as it is."""
        found = catalogue().get(f"{table}.{word}")
        return found[self._place] if found else word


def preferred(accept_language: str) -> str:
    """Return the language that fits an `Accept-Language` header best."""
    best, best_weight = "en", 0.0
    for part in accept_language[:512].split(","):
        found = _WEIGHT.fullmatch(part.replace(" ", ""))
        weight = float(found[2] or 1) if found else 0.0
        if found and found[1].lower() in LANGUAGES and weight > best_weight:
            best, best_weight = found[1].lower(), weight
    return best
