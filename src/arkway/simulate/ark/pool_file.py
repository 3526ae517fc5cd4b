"""How does a gateway learn of the accounts? A pool file, and the keys in a file of their own.

The pool file has one `[[accounts]]` table an account and no secret; the keys are lines NAME=VALUE
for an environment.
"""

import json
import os
from pathlib import Path
from typing import Any

from arkway.simulate.ark.settings import Account, Limits, Settings


def variable_of(account: str) -> str:
    """Return the environment variable of an account's key."""
    return f"SIM_KEY_{account.upper().replace('-', '_')}"


def entries(settings: Settings, base_urls: dict[str, str]) -> list[dict[str, Any]]:
    """Return a table for each account; `base_urls` by its name."""
    public = {model.id: model.name for model in settings.models if model.name}
    found = []
    for account in settings.every_account():
        limits = account.limits or settings.limits
        served = {
            public[model]: endpoint
            for endpoint, model in account.endpoints.items()
            if model in public and model not in account.not_open
        }
        entry: dict[str, Any] = {
            "name": account.name,
            "dialect": "ark",
            "base_url": base_urls[account.name],
            "key_env": variable_of(account.name),
            "models": served,
            **_limits(limits),
        }
        if set(served) != set(public.values()):
            entry["only_listed_models"] = True
        of_models = {
            public[model]: _limits(each)
            for model, each in account.model_limits.items()
            if model in public
        }
        found.append({**entry, "model_limits": of_models} if of_models else entry)
    return found


def toml(tables: list[dict[str, Any]]) -> str:
    """Return the tables as TOML; JSON's scalars and strings are TOML's."""
    lines = ["# Made by `arkway sim ark`: simulated accounts."]
    for table in tables:
        lines += ["", "[[accounts]]"]
        lines += [f"{name} = {_value(value)}" for name, value in table.items()]
    return "\n".join(lines) + "\n"


def environment(accounts: tuple[Account, ...]) -> str:
    """Return the keys as lines of an environment."""
    return "".join(f"{variable_of(account.name)}={account.key}\n" for account in accounts)


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)


def _limits(limits: Limits) -> dict[str, int]:
    names = ("requests_per_min", "tokens_per_min", "in_flight")
    known = {name: getattr(limits, name) for name in names}
    return {name: value for name, value in known.items() if value is not None}


def _value(value: object) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name)} = {_value(each)}" for name, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    return json.dumps(value)
