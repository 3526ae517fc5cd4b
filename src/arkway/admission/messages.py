"""Are these messages a conversation? Rules of `messages`, and how much text it holds."""

from typing import Any

from arkway.admission.rules import not_one_of, objects, string, wrong_type
from arkway.model.errors import InvalidValue, MissingParameter

ROLES = ("system", "user", "assistant", "tool", "developer")
_DEFAULT_ROLE = "user"  # the public documents mark `role` as optional


def check_messages(messages: Any) -> int:
    """Check `messages`, and map its roles in place; return the UTF-8 bytes of its text.

    `developer` becomes `system` (no upstream of ours knows the former); a message without a role
    becomes a user's.
    Errors:  InvalidType, InvalidValue, MissingParameter with the path of the field.
    Cost:    O(messages); the text is looked at only for its length.
    """
    if type(messages) is not list:
        raise wrong_type("messages", "an array of messages", messages)
    if not messages:
        raise InvalidValue(
            "Invalid value for 'messages': expected at least 1 message.", param="messages"
        )
    text_bytes = 0
    for index, message in enumerate(messages):
        if type(message) is not dict:
            raise wrong_type(f"messages[{index}]", "an object", message)
        role = message.get("role")
        if role != "user":  # the common case needs nothing
            _map_role(message, role, index)
        content = message.get("content")
        if type(content) is str:
            text_bytes += len(content) if content.isascii() else len(content.encode())
        else:
            text_bytes += _check_other_content(message, content, index)
    return text_bytes


def _map_role(message: dict[str, Any], role: Any, index: int) -> None:
    if role is None:
        message["role"] = _DEFAULT_ROLE
    elif type(role) is not str:
        raise wrong_type(f"messages[{index}].role", "a string", role)
    elif role not in ROLES:
        raise not_one_of(f"messages[{index}].role", role, ROLES)
    elif role == "developer":
        message["role"] = "system"


def _check_other_content(message: dict[str, Any], content: Any, index: int) -> int:
    """Check content that is not a string; return the UTF-8 bytes of its text parts."""
    param = f"messages[{index}].content"
    if content is None:
        if message["role"] == "assistant" and message.get("tool_calls"):
            objects(message["tool_calls"], f"messages[{index}].tool_calls")
            return 0
        raise MissingParameter(
            f"Missing required parameter: '{param}'. Only an assistant message with tool_calls "
            "may go without.",
            param=param,
        )
    if type(content) is not list:
        raise wrong_type(param, "a string or an array of content parts", content)
    if not content:
        raise InvalidValue(
            f"Invalid value for '{param}': expected at least 1 content part.", param=param
        )
    return sum(_check_part(part, f"{param}[{at}]") for at, part in enumerate(content))


def _check_part(part: Any, param: str) -> int:
    if type(part) is not dict:
        raise wrong_type(param, "an object", part)
    kind = part.get("type")
    if kind is None:
        raise MissingParameter(
            f"Missing required parameter: '{param}.type'.", param=f"{param}.type"
        )
    if string(kind, f"{param}.type") != "text":
        return 0  # images and the like pass on untouched; the gateway never fetches them
    return len(string(part.get("text"), f"{param}.text").encode())
