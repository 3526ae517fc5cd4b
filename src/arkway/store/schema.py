"""What can be said about one field of an entry? Its rule, in words and as a check.

One `Setting` a field: what it is called, its rule in words, its documentation. Validation,
documentation and `arkway config show` walk the same list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect

from arkway.store.problems import Problem, did_you_mean, nearest

ENV_PREFIX = "ARKWAY_"

_LARGEST_SHOWN = 10**18  # TOML integers have no upper bound; messages do


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of the schema."""

    table: str  # "server", or the name of an array of tables: "accounts"
    key: str
    type: Any  # the annotated type; `check` validates with it
    default: object  # msgspec.NODEFAULT: required
    rule: str  # "integer, 0 to 65535"
    choices: tuple[str, ...]  # the words of an enumeration; empty for other types
    description: str
    reason: str
    is_path: bool  # a relative path in the file starts at the file's directory

    @property
    def dotted(self) -> str:
        """Return the name used in messages: `server.port`."""
        return f"{self.table}.{self.key}"

    @property
    def variable(self) -> str:
        """Return the name of the environment variable: `ARKWAY_SERVER_PORT`."""
        return f"{ENV_PREFIX}{self.table}_{self.key}".upper()

    @property
    def is_required(self) -> bool:
        """Return whether there is no default."""
        return self.default is msgspec.NODEFAULT

    def check(self, value: object, *, is_text: bool = False) -> Any:
        """Return `value` in the field's type.

        `is_text`: it came from the environment, so `"8080"` may become a number.
        Errors:  ValueError with the rule in words; the value itself shows only where it cannot
                 be a credential (numbers and booleans).
        """
        try:
            return msgspec.convert(value, self.type, strict=not is_text)
        except msgspec.ValidationError:
            got = "" if is_text else self._unlike(value)
            raise ValueError(f"must be {_with_article(self.rule)}{got}") from None

    def _unlike(self, value: object) -> str:
        """Return what `value` is, unless it has the kind that is asked for."""
        asked = "string" if self.choices else self.rule.partition(",")[0]
        got = _shown(value)
        return "" if got.endswith(asked) else f", got {got}"

    def accepts(self, value: object) -> bool:
        """Return whether `check` would take it."""
        try:
            self.check(value)
        except ValueError:
            return False
        return True


def _shown(value: object) -> str:
    """Return what was given instead: numbers as they are, of other values only the kind."""
    if isinstance(value, int) and abs(value) > _LARGEST_SHOWN:
        return "a huge value"
    if isinstance(value, int | float):
        return f"{value}".lower()  # TOML writes true, inf
    kinds: dict[type, str] = {str: "a string", list: "an array", dict: "a table"}
    return kinds.get(type(value), "a date or time")


def _with_article(rule: str) -> str:
    return rule if rule.startswith("one of") else ("an " if rule[0] in "aeiou" else "a ") + rule


def settings_of(table: str, struct: type[msgspec.Struct]) -> tuple[Setting, ...]:
    """Return the fields of `struct` in the order they are written."""
    hints = get_type_hints(struct, include_extras=True)
    return tuple(
        _setting(table, field, hints[field.name]) for field in msgspec.structs.fields(struct)
    )


def _setting(table: str, field: msgspec.structs.FieldInfo, hint: Any) -> Setting:
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    kind = inspect.type_info(hint)
    choices = _choices(hint)
    extra = _extra(kind)
    meta = [part for part in getattr(hint, "__metadata__", ()) if isinstance(part, msgspec.Meta)]
    return Setting(
        table=table,
        key=field.name,
        type=hint,
        default=default,
        rule=extra.get("rule") or _choice_rule(choices) or rule_of(kind),
        choices=choices,
        description=next((part.description for part in meta if part.description), ""),
        reason=extra.get("why", ""),
        is_path=bool(extra.get("path")),
    )


def _extra(kind: inspect.Type) -> dict[str, Any]:
    """Return the merged `extra` of a type, looking inside `X | None` and under wrappers."""
    if isinstance(kind, inspect.Metadata):
        return {**_extra(kind.type), **(kind.extra or {})}
    if isinstance(kind, inspect.UnionType):
        return {key: text for part in kind.types for key, text in _extra(part).items()}
    return {}


def rule_of(kind: inspect.Type) -> str:
    """Return the rule of a type in words: `integer, 0 to 65535`."""
    match kind:
        case inspect.Metadata():
            words = (kind.extra or {}).get("rule") or rule_of(kind.type)
        case inspect.UnionType():
            words = next(rule_of(part) for part in kind.types if part != inspect.NoneType())
        case inspect.IntType(ge=low, le=high) if low is not None:
            words = f"integer, {low} to {high}"
        case inspect.FloatType(ge=low, le=high) if low is not None:
            words = f"number, {low:g} to {high:g}"
        case inspect.BoolType():
            words = "boolean"
        case inspect.VarTupleType():
            words = f"array, each item a {rule_of(kind.item_type)}"
        case inspect.DictType():
            words = f"table, each value a {rule_of(kind.value_type)}"
        case _:
            words = "string"
    return str(words)


def _choices(hint: Any) -> tuple[str, ...]:
    """Return the words of a `Literal` in the order the schema gives them."""
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return get_args(plain) if get_origin(plain) is Literal else ()


def _choice_rule(choices: tuple[str, ...]) -> str:
    return "one of " + ", ".join(f'"{choice}"' for choice in choices) if choices else ""


def choice_hint(setting: Setting, item: object) -> str:
    """Return which word of an enumeration was probably meant, or an empty text."""
    meant = nearest(item, setting.choices) if isinstance(item, str) else None
    return f'did you mean "{meant}"?' if meant else ""


T = TypeVar("T", bound=msgspec.Struct)


@cache
def fields_of(kind: type[msgspec.Struct]) -> dict[str, Setting]:
    """Return the fields of an entry's class by name."""
    return {each.key: each for each in settings_of(kind.__name__.lower(), kind)}


def read_entry(
    kind: type[T], raw: Mapping[str, object], base: T | None, problems: list[Problem]
) -> T | None:
    """Return the entry that `raw` describes, laid over `base`; append a problem for what is wrong.

    What is refused keeps the value of `base` or the default, so that further checks see the rest;
    None when something is missing without which there is no entry.
    Shapes:  raw: parameter -> value as JSON has it.
    """
    fields = fields_of(kind)
    values: dict[str, Any] = {}
    for name, item in raw.items():
        if name not in fields:
            problems.append(Problem(name, "unknown parameter", did_you_mean(name, fields)))
            continue
        try:
            values[name] = fields[name].check(item)
        except ValueError as error:
            problems.append(Problem(name, str(error), choice_hint(fields[name], item)))
    if base is not None:
        return msgspec.structs.replace(base, **values)
    for name, field in fields.items():
        if field.is_required and name not in raw:
            problems.append(Problem(name, "is required", field.rule))
    if any(field.is_required and name not in values for name, field in fields.items()):
        return None
    return kind(**values)
