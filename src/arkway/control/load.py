"""What is the configuration in force? File, environment and flags, laid over the defaults.

Flags win over the environment, the environment over the file, the file over the defaults; a bad
value is a problem even where a better layer hides it. `assemble` is pure; `load` adds one read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arkway.control.config import Config
from arkway.control.crosscheck import crosscheck
from arkway.control.home import API_KEY_VARIABLE, CONFIG_VARIABLE, HOME_VARIABLE, config_file
from arkway.control.parse import parse_text
from arkway.control.settings import (
    ENV_PREFIX,
    SCALAR_BY_PATH,
    SCALAR_BY_VARIABLE,
    SCALARS,
    SECTIONS,
)
from arkway.store.problems import Problem, did_you_mean, nearest
from arkway.store.schema import choice_hint
from arkway.store.secret_io import SECRET_VARIABLE

# About 100 000 keys, which earlier versions kept there; a larger file is another file.
MAX_CONFIG_BYTES = 16 * 1024 * 1024

# Our variables that are not settings.
_OTHER_VARIABLES = (HOME_VARIABLE, CONFIG_VARIABLE, API_KEY_VARIABLE, SECRET_VARIABLE)
_LOOKS_LIKE = 0.85  # a variable this close to a setting's is taken for a slip of the finger


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, or why there is none.

    `draft` leaves out what is wrong, so that further checks can look at the rest; only `config`
    may be served.
    """

    path: Path  # the file in force; it may not exist when it is the default one
    config: Config | None  # None exactly when there are problems
    draft: Config
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)  # dotted -> "default", "file", …


def load(
    home: Path,
    config_path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, object] | None = None,
) -> Loaded:
    """Return the configuration in force.

    A missing file is fine for the default path (all defaults) and a problem for a named one.
    Shapes:  overrides: dotted setting -> value, from flags.
    Errors:  none raised: an unreadable file is a problem.
    """
    path = config_file(home, config_path, environ)
    is_default = path == config_file(home, None, {})
    try:
        text = read_config(path)
    except FileNotFoundError:
        missing = () if is_default else (Problem(str(path), "does not exist"),)
        return assemble("", path, environ, overrides, missing)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        unreadable = Problem(str(path), f"cannot be read: {reason}")
        return assemble("", path, environ, overrides, (unreadable,))
    return assemble(text, path, environ, overrides)


def read_config(path: Path) -> str:
    """Return the text of a configuration file.

    Errors:  OSError; ValueError when it is not UTF-8 or larger than MAX_CONFIG_BYTES.
    """
    with path.open("rb") as file:
        content = file.read(MAX_CONFIG_BYTES + 1)
    if len(content) > MAX_CONFIG_BYTES:
        raise ValueError(f"it is larger than {MAX_CONFIG_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")  # editors on Windows may write a byte order mark
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 at byte {error.start}") from None


def assemble(
    text: str,
    path: Path,
    environ: Mapping[str, str],
    overrides: Mapping[str, object] | None = None,
    earlier: tuple[Problem, ...] = (),
) -> Loaded:
    """Return the configuration that `text` and the other layers make. Pure.

    Shapes:  earlier: problems met on the way to `text`; reported first.
    """
    parsed = parse_text(text, path.parent, str(path))
    problems = [*earlier, *parsed.problems]
    sources = dict.fromkeys(SCALAR_BY_PATH, "default")
    sources |= dict.fromkeys(parsed.scalars, "file")
    values = dict(parsed.scalars)
    problems += _lay_environment(values, sources, environ)
    problems += _lay_overrides(values, sources, overrides or {})
    draft = _draft(values)
    problems += crosscheck(draft)
    return Loaded(
        path=path,
        config=None if problems else draft,
        draft=draft,
        problems=tuple(problems),
        warnings=tuple(_misspelt(environ)),
        sources=sources,
    )


def _draft(values: Mapping[str, Any]) -> Config:
    sections = {
        table: struct(
            **{s.key: values[s.dotted] for s in SCALARS if s.table == table and s.dotted in values}
        )
        for table, struct in SECTIONS.items()
    }
    return Config(**sections)  # type: ignore[arg-type]  # SECTIONS has Config's names and types


def _lay_environment(
    values: dict[str, Any],
    sources: dict[str, str],
    environ: Mapping[str, str],
) -> list[Problem]:
    """Put the environment's settings into `values`; return what is wrong with them."""
    problems = []
    for name in sorted(environ):
        setting = SCALAR_BY_VARIABLE.get(name)
        if setting is None:
            if _is_in_a_section(name):
                hint = did_you_mean(name, SCALAR_BY_VARIABLE)
                problems.append(Problem(name, "unknown setting", hint))
            continue
        text = environ[name]
        try:
            values[setting.dotted] = setting.check(text, is_text=True)
        except ValueError as error:
            problems.append(Problem(name, str(error), choice_hint(setting, text)))
        else:
            sources[setting.dotted] = name
    return problems


def _is_in_a_section(name: str) -> bool:
    return any(name.startswith(f"{ENV_PREFIX}{table}_".upper()) for table in SECTIONS)


def _misspelt(environ: Mapping[str, str]) -> list[Problem]:
    """Return warnings for variables outside every section that resemble a setting's."""
    warnings = []
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX) or _is_in_a_section(name):
            continue
        meant = nearest(name, [*SCALAR_BY_VARIABLE, *_OTHER_VARIABLES], cutoff=_LOOKS_LIKE)
        if meant not in (None, name):
            warnings.append(Problem(name, "is not a setting", f"did you mean {meant}?"))
    return warnings


def _lay_overrides(
    values: dict[str, Any], sources: dict[str, str], overrides: Mapping[str, object]
) -> list[Problem]:
    """Put the flags' settings into `values`; return what is wrong with them."""
    problems = []
    for dotted, value in overrides.items():
        setting = SCALAR_BY_PATH.get(dotted)
        if setting is None:
            problems.append(
                Problem(dotted, "unknown setting", did_you_mean(dotted, SCALAR_BY_PATH))
            )
            continue
        try:
            values[dotted] = setting.check(value)
        except ValueError as error:
            path = f"{dotted} (command line)"
            problems.append(Problem(path, str(error), choice_hint(setting, value)))
        else:
            sources[dotted] = "flag"
    return problems
