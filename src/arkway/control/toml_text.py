"""How is a value written in TOML? Strings, keys and values. Pure.

Source: TOML 1.0.0, "String" and "Keys". `tomllib` reads back exactly what was written
(tests/unit/control/test_toml_text.py).
"""

import re
from collections.abc import Mapping

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_NAMED_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f]')


def string(text: str) -> str:
    """Return `text` as a TOML basic string.

    Errors:  ValueError for a lone surrogate, which no TOML file can hold.
    """
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("not valid Unicode text")
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    return _NAMED_ESCAPES.get(char) or f"\\u{ord(char):04x}"


def key(text: str) -> str:
    """Return `text` as a TOML key, quoted only where it must be."""
    return text if _BARE_KEY.fullmatch(text) else string(text)


def value(item: object) -> str:
    """Return a string, boolean, number, array or table as TOML on one line."""
    match item:
        case bool():
            return "true" if item else "false"
        case str():
            return string(item)
        case int() | float():
            return repr(item)
        case Mapping():
            pairs = ", ".join(f"{key(name)} = {value(part)}" for name, part in item.items())
            return f"{{ {pairs} }}"
        case list() | tuple():
            return f"[{', '.join(map(value, item))}]"
    raise TypeError(f"no TOML for {type(item).__name__}")


def entry_path(table: str, name: str) -> str:
    """Return how messages call an entry of an array: `accounts.fast`, `keys."my key"`."""
    return f"{table}.{key(name)}"
