"""Does one `[[…]]` entry agree with itself? Rules between the fields of a single entry. Pure.

A rule looks at what was written (`raw`) as well as at what of it was valid (`values`), so that a
field which was refused already is not taken for one that is missing.
"""

from collections.abc import Mapping
from typing import Any

from arkway.control.problems import Problem
from arkway.control.urls import is_encrypted, is_loopback


def entry_problems(
    table: str, path: str, raw: Mapping[str, object], values: Mapping[str, Any]
) -> list[Problem]:
    """Return the disagreements inside one entry of the array `table`."""
    if table == "accounts":
        return _account(path, raw, values)
    return _model(path, values) if table == "models" else []


def _account(path: str, raw: Mapping[str, object], values: Mapping[str, Any]) -> list[Problem]:
    problems = []
    base_url = values.get("base_url")
    if "key_env" in raw and "key_file" in raw:
        problems.append(Problem(path, "has both key_env and key_file", "keep one"))
    if base_url and not is_loopback(base_url) and not {"key_env", "key_file"} & raw.keys():
        problems.append(Problem(path, "has no credential", "name it with key_env or key_file"))
    if values.get("only_listed_models") and not raw.get("models"):
        problems.append(Problem(f"{path}.only_listed_models", "needs an entry in `models`"))
    if base_url and "ca_file" in raw and not is_encrypted(base_url):
        problems.append(Problem(f"{path}.ca_file", "needs an https:// base_url"))
    return problems


def _model(path: str, values: Mapping[str, Any]) -> list[Problem]:
    context_tokens, most = values.get("context_tokens"), values.get("max_output_tokens")
    if context_tokens is not None and most is not None and most > context_tokens:
        return [Problem(f"{path}.max_output_tokens", "is larger than context_tokens")]
    return []
