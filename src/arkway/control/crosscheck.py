"""Do the parts of a configuration agree? Names that must meet, names that must not, bounds. Pure.

Looks at a draft, from which some refused entries are absent; `names` says which names those would
have had, so that nothing is reported twice.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from arkway.control.config import Config, Key, Model
from arkway.control.problems import Problem, did_you_mean
from arkway.control.toml_text import entry_path

_EVERY_INTERFACE = ("0.0.0.0", "::")  # noqa: S104  compared, not bound


def crosscheck(config: Config, names: Mapping[str, Sequence[str]]) -> list[Problem]:
    """Return the disagreements inside `config`.

    Shapes:  names: array -> the names in the file, of refused entries too.
    """
    known = {model.name for model in config.models}.union(names["models"])
    aliases = {alias: model.name for model in config.models for alias in model.aliases}
    problems = _bounds(config)
    for array in ("models", "accounts", "keys"):
        problems += _repeated_names(array, names[array])
    problems += _taken_aliases(config.models, known)
    for account in config.accounts:
        path = entry_path("accounts", account.name)
        problems += _unknown_models(path, account.models, known, aliases)
    for key in config.keys:
        path = entry_path("keys", key.name)
        problems += _unknown_models(path, key.models, known.union(aliases), {})
    return problems + _shared_hashes(config.keys)


def _bounds(config: Config) -> list[Problem]:
    problems = []
    server, limits = config.server, config.limits
    overlap = server.host == server.ops_host or not {server.host, server.ops_host}.isdisjoint(
        _EVERY_INTERFACE
    )
    if overlap and server.port == server.ops_port != 0:
        problems.append(Problem("server.ops_port", "must differ from server.port"))
    if limits.max_buffered_body_bytes < limits.max_body_bytes:
        path = "limits.max_buffered_body_bytes"
        problems.append(Problem(path, "must be at least limits.max_body_bytes"))
    return problems


def _repeated_names(array: str, names: Sequence[str]) -> list[Problem]:
    return [
        Problem(entry_path(array, name), f"{count} entries have this name", "names are unique")
        for name, count in Counter(names).items()
        if count > 1
    ]


def _taken_aliases(models: Iterable[Model], known: set[str]) -> list[Problem]:
    problems = []
    taken = Counter(known)
    taken.update(alias for model in models for alias in model.aliases)
    for model in models:
        path = f"{entry_path('models', model.name)}.aliases"
        problems += [
            Problem(path, f'"{alias}" is already the name or alias of a model')
            for alias in dict.fromkeys(model.aliases)
            if taken[alias] > 1
        ]
    return problems


def _unknown_models(
    path: str, listed: Iterable[str], known: set[str], aliases: Mapping[str, str]
) -> list[Problem]:
    problems = []
    for name in listed:
        if name in aliases:
            hint = f'write its name, "{aliases[name]}"'
            problems.append(Problem(f"{path}.models", f'"{name}" is an alias', hint))
        elif name not in known:
            hint = did_you_mean(name, known)
            problems.append(Problem(f"{path}.models", f'"{name}" is not a model here', hint))
    return problems


def _shared_hashes(keys: Sequence[Key]) -> list[Problem]:
    first: dict[str, str] = {}
    problems = []
    for key in keys:
        owner = first.setdefault(key.hash, key.name)
        if owner != key.name:
            path = f"{entry_path('keys', key.name)}.hash"
            problems.append(Problem(path, f"is also the hash of {entry_path('keys', owner)}"))
    return problems
