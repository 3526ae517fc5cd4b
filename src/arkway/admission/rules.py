"""What may each parameter be? The rule of every field of a chat completion request.

A rule takes `(value, param)` and returns the value to send on, or raises a refusal that names the
parameter and the rule. `null` never reaches a rule: it counts as absent. JSON types are strict:
`true` is no number, `"0.7"` is no number; `1.0` is an integer, `1.5` is not.
Source: the public API page (ranges); OpenAI API reference and Ark chat API (the rest).
"""

from collections.abc import Callable
from typing import Any

from arkway.model.errors import InvalidType, InvalidValue

Rule = Callable[[Any, str], Any]

MAX_STOPS = 4
_SHOWN = 5  # how many allowed values an error message lists before it stops being readable


def type_name(value: object) -> str:
    """Return the JSON name of a value's type, for messages."""
    names: dict[type, str] = {
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
        type(None): "null",
    }
    return names[type(value)]


def wrong_type(param: str, expected: str, value: object) -> InvalidType:
    """Return the refusal of a value of another type."""
    return InvalidType(
        f"Invalid type for '{param}': expected {expected}, but got {type_name(value)} instead.",
        param=param,
    )


def number(low: float, high: float) -> Rule:
    """A number within `low..high`, both included."""

    def rule(value: Any, param: str) -> Any:
        if type(value) is not float and type(value) is not int:
            raise wrong_type(param, "a number", value)
        if not low <= value <= high:
            raise InvalidValue(
                f"Invalid value for '{param}': expected a number from {low:g} to {high:g}, "
                f"but got {shorten(value)} instead.",
                param=param,
            )
        return value

    return rule


def check_integer(value: Any, param: str, low: int | None, high: int | None) -> int:
    """Return `value` as an integer within `low..high`, both included; None leaves a side open."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise wrong_type(param, "an integer", value)
    if (low is not None and value < low) or (high is not None and value > high):
        span = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise InvalidValue(
            f"Invalid value for '{param}': expected an integer {span}, "
            f"but got {shorten(value)} instead.",
            param=param,
        )
    return value


def integer(low: int | None = None, high: int | None = None) -> Rule:
    """An integer within `low..high`, both included; None leaves a side open."""

    def rule(value: Any, param: str) -> int:
        return check_integer(value, param, low, high)

    return rule


def boolean(value: Any, param: str) -> bool:
    """`true` or `false`."""
    if type(value) is not bool:
        raise wrong_type(param, "a boolean", value)
    return value


def string(value: Any, param: str) -> str:
    """Any string."""
    if type(value) is not str:
        raise wrong_type(param, "a string", value)
    return value


def one_of(*allowed: str) -> Rule:
    """One of the given strings."""

    def rule(value: Any, param: str) -> str:
        if string(value, param) not in allowed:
            raise not_one_of(param, value, allowed)
        return str(value)

    return rule


def not_one_of(param: str, value: str, allowed: tuple[str, ...]) -> InvalidValue:
    """Return the refusal of a string outside a closed list."""
    listed = ", ".join(f"'{name}'" for name in allowed[:_SHOWN])
    return InvalidValue(
        f"Invalid value for '{param}': expected one of {listed}, but got '{shorten(value)}'.",
        param=param,
    )


def mapping(value: Any, param: str) -> dict[str, Any]:
    """Any object."""
    if type(value) is not dict:
        raise wrong_type(param, "an object", value)
    return value


def objects(value: Any, param: str) -> list[Any]:
    """An array of objects."""
    if type(value) is not list:
        raise wrong_type(param, "an array", value)
    for index, item in enumerate(value):
        mapping(item, f"{param}[{index}]")
    return value


def stop(value: Any, param: str) -> Any:
    """A string, or an array of 1 to 4 non-empty strings."""
    if type(value) is str:
        _non_empty(value, param)
        return value
    if type(value) is not list:
        raise wrong_type(param, "a string or an array of strings", value)
    if not 1 <= len(value) <= MAX_STOPS:
        raise InvalidValue(
            f"Invalid value for '{param}': expected 1 to {MAX_STOPS} strings, "
            f"but got {len(value)} instead.",
            param=param,
        )
    for index, item in enumerate(value):
        _non_empty(string(item, f"{param}[{index}]"), f"{param}[{index}]")
    return value


def logit_bias(value: Any, param: str) -> dict[str, Any]:
    """An object of token ids to numbers from -100 to 100."""
    bias = number(-100, 100)
    for token, weight in mapping(value, param).items():
        bias(weight, f"{param}.{shorten(token)}")
    return dict(value)


def tool_choice(value: Any, param: str) -> Any:
    """`none`, `auto`, `required`, or an object that names a function."""
    if type(value) is str:
        return one_of("none", "auto", "required")(value, param)
    if type(value) is not dict:
        raise wrong_type(param, "a string or an object", value)
    return value


def typed_object(*allowed: str) -> Rule:
    """An object whose `type` is one of the given strings."""

    def rule(value: Any, param: str) -> Any:
        kind = mapping(value, param).get("type")
        if kind is None:
            raise InvalidValue(f"Missing '{param}.type'.", param=f"{param}.type")
        one_of(*allowed)(kind, f"{param}.type")
        return value

    return rule


def _non_empty(value: str, param: str) -> None:
    if not value:
        raise InvalidValue(f"Invalid value for '{param}': the string is empty.", param=param)


def shorten(value: object) -> str:
    """Return a caller's value for a message: printable, and short however long it was."""
    text = str(value) if not isinstance(value, int) or abs(value) < 10**18 else "a huge integer"
    return "".join(char if char.isprintable() else "?" for char in text[:64])


# Fields that need no more than their own rule. The rest is in `validate`.
RULES: dict[str, Rule] = {
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "presence_penalty": number(-2, 2),
    "frequency_penalty": number(-2, 2),
    "stop": stop,
    "tools": objects,
    "tool_choice": tool_choice,
    "response_format": typed_object("text", "json_object", "json_schema"),
    "logprobs": boolean,
    "top_logprobs": integer(0, 20),
    "logit_bias": logit_bias,
    "parallel_tool_calls": boolean,
    "thinking": typed_object("enabled", "disabled", "auto"),
    "reasoning_effort": string,
    "service_tier": string,
    "user": string,
    "metadata": mapping,
    "seed": integer(),
    "store": boolean,
    "prompt_cache_key": string,
    "safety_identifier": string,
}
