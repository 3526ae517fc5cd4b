"""The playground: which parameters there are, the request they make, and the same in four tools."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from arkway.console import formats, forms
from arkway.console.forms import Field, Values
from arkway.console.texts import Texts

Document = Mapping[str, Any]
Message = dict[str, Any]
MAX_TURNS = 60  # of one conversation in the page
_NUMBERS = (  # name, lowest, highest, step
    ("temperature", 0, 2, 0.1),
    ("top_p", 0, 1, 0.05),
    ("presence_penalty", -2, 2, 0.1),
    ("frequency_penalty", -2, 2, 0.1),
)
_COUNTS = (("max_tokens", 1, None), ("n", 1, 16), ("top_logprobs", 0, 20), ("seed", None, None))
_JSON = ("tools", "tool_choice", "logit_bias", "response_format", "metadata")
_NAMES = ("reasoning_effort", "service_tier", "user", "prompt_cache_key", "safety_identifier")
_USUAL = (
    "model",
    "conversation",
    "system",
    "stream",
    "thinking",
    "temperature",
    "top_p",
    "max_tokens",
    "n",
)
_FLAGS = ("logprobs", "parallel_tool_calls", "store")


class BadValue(ValueError):
    """A field of the form cannot be sent; `field` says which, the text why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def fields(t: Texts, models: Sequence[str], conversation: str) -> list[Field]:
    """Return the form of a request's parameters. Empty is absent: the upstream's default holds."""
    thinking = [("", t("play.unset")), *((each, each) for each in ("enabled", "disabled", "auto"))]
    made = [
        forms.select("model", t("play.model"), [(each, each) for each in models], wide=True),
        forms.text(
            "conversation",
            "X-Conversation-Id",
            conversation,
            hint=t("play.conversation"),
            wide=True,
        ),
        forms.lines("system", t("play.system"), wide=True, rows=2),
        forms.check("stream", "stream", value=True),
        forms.select("thinking", "thinking", thinking),
        *(
            forms.number(name, name, min=low, max=high, step=step, hint=f"{low} … {high}")
            for name, low, high, step in _NUMBERS
        ),
        *(
            forms.number(name, name, min=low, max=high, hint=_span(t, low, high))
            for name, low, high in _COUNTS
        ),
        forms.text("stop", "stop", hint=t("play.stop")),
        *(forms.text(name, name) for name in _NAMES),
        *(forms.lines(name, name, hint="JSON", wide=True, rows=2) for name in _JSON),
        *(forms.check(name, name) for name in _FLAGS),
    ]
    return [each if each["name"] in _USUAL else {**each, "more": True} for each in made]


def _span(t: Texts, low: int | None, high: int | None) -> str:
    if low is None:
        return t("play.integer")
    return f"{low} … {high}" if high is not None else f"≥ {low}"


def request(values: Values, messages: Sequence[Message]) -> dict[str, Any]:
    """Return the body of a call.

    Errors:  BadValue for what is no number or no JSON; ranges are the gateway's to judge.
    """
    body: dict[str, Any] = {"model": values.get("model") or ""}
    system = forms.taken(values, "system")
    head: list[Message] = [{"role": "system", "content": system}] if system else []
    body["messages"] = [*head, *messages]
    if values.get("stream") is True:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    for name, *_ in (*_NUMBERS, *_COUNTS):
        if (text := forms.taken(values, name)) is not None:
            body[name] = _number(name, text)
    if stops := forms.listed(values, "stop"):
        body["stop"] = stops
    if thinking := forms.taken(values, "thinking"):
        body["thinking"] = {"type": thinking}
    for name in _NAMES:
        if (text := forms.taken(values, name)) is not None:
            body[name] = text
    for name in _JSON:
        if (text := forms.taken(values, name)) is not None:
            body[name] = _json(name, text)
    body.update({name: True for name in _FLAGS if values.get(name) is True})
    return body


def _number(name: str, text: str) -> float | int:
    try:
        value = float(text)
    except ValueError:
        raise BadValue(name, text) from None
    return int(value) if value.is_integer() and "." not in text else value


def _json(name: str, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        if name == "tool_choice" and text in ("none", "auto", "required"):
            return text
        raise BadValue(name, str(error)) from None


def summary(
    t: Texts, usage: Document | None, headers: Mapping[str, str], took_ms: tuple[int, int]
) -> str:
    """Return what a turn used, in a line. Shapes: took_ms: to the first token, in all."""
    parts = []
    if usage:
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        prompt, output = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        parts.append(
            t(
                "play.used",
                i=formats.count(prompt),
                c=formats.count(cached),
                o=formats.count(output),
            )
        )
        if prompt:
            parts.append(t("play.hit", share=formats.share(cached / prompt)))
    if affinity := headers.get("x-arkway-affinity"):
        parts.append(t("play.affinity", word=t.word("affinity", affinity)))
    if headers.get("x-arkway-upstream") == "local":
        parts.append(t("play.local"))
    first, whole = took_ms
    if first:
        parts.append(t("play.first", took=formats.millis(first)))
    parts.append(t("play.took", took=formats.millis(whole)))
    return " · ".join(parts)


def curl(url: str, body: Document, conversation: str) -> str:
    """Return the call as a command."""
    head = f'\n  -H "X-Conversation-Id: {conversation}" \\' if conversation else ""
    text = _pretty(body).replace("'", "'\\''")
    return (
        f'curl -N {url}/chat/completions \\\n  -H "Content-Type: application/json" \\\n'
        f"  -H \"Authorization: Bearer $ARKWAY_API_KEY\" \\{head}\n  -d '{text}'"
    )


def python(url: str, body: Document, conversation: str) -> str:
    """Return the call as Python, with OpenAI's package."""
    known, extra = _split(body)
    arguments = [f"    {name}={_python(value)}," for name, value in known.items()]
    if extra:
        arguments.append(f"    extra_body={_python(extra)},")
    if conversation:
        arguments.append(f"    extra_headers={_python({'X-Conversation-Id': conversation})},")
    tail = (
        "for chunk in answer:\n    for choice in chunk.choices:\n"
        '        print(choice.delta.content or "", end="", flush=True)'
        if body.get("stream")
        else "print(answer.choices[0].message.content)"
    )
    lines = "\n".join(arguments)
    return (
        "import os\n\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{url}", api_key=os.environ["ARKWAY_API_KEY"])\n'
        f"answer = client.chat.completions.create(\n{lines}\n)\n{tail}"
    )


def node(url: str, body: Document, conversation: str) -> str:
    """Return the call as JavaScript, with OpenAI's package."""
    headers = (
        f",\n  {{ headers: {json.dumps({'X-Conversation-Id': conversation})} }}"
        if conversation
        else ""
    )
    tail = (
        "for await (const chunk of answer) {\n"
        '  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");\n}'
        if body.get("stream")
        else "console.log(answer.choices[0].message.content);"
    )
    text = _pretty(body).replace("\n", "\n  ")
    return (
        'import OpenAI from "openai";\n\n'
        f'const client = new OpenAI({{ baseURL: "{url}", apiKey: process.env.ARKWAY_API_KEY }});\n'
        f"const answer = await client.chat.completions.create(\n  {text}{headers},\n);\n{tail}"
    )


def go(url: str, body: Document, conversation: str) -> str:
    """Return the call as Go, with the standard library: every parameter, whatever an SDK knows."""
    header = (
        f'\trequest.Header.Set("X-Conversation-Id", {json.dumps(conversation)})\n'
        if conversation
        else ""
    )
    text = _pretty(body).replace("`", '` + "`" + `')
    return (
        "package main\n\nimport (\n"
        '\t"io"\n\t"log"\n\t"net/http"\n\t"os"\n\t"strings"\n)\n\nfunc main() {\n'
        f"\tbody := `{text}`\n"
        f'\trequest, err := http.NewRequest("POST", "{url}/chat/completions",\n'
        "\t\tstrings.NewReader(body))\n"
        "\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n"
        '\trequest.Header.Set("Content-Type", "application/json")\n'
        '\trequest.Header.Set("Authorization", "Bearer "+os.Getenv("ARKWAY_API_KEY"))\n'
        f"{header}"
        "\tanswer, err := http.DefaultClient.Do(request)\n"
        "\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n"
        "\tdefer answer.Body.Close()\n\tio.Copy(os.Stdout, answer.Body)\n}"
    )


_EXTRA = ("thinking",)  # of Doubao, not of the SDK


def _split(body: Document) -> tuple[dict[str, Any], dict[str, Any]]:
    known = {name: value for name, value in body.items() if name not in _EXTRA}
    return known, {name: value for name, value in body.items() if name in _EXTRA}


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _python(value: object) -> str:
    """Return a value of JSON as Python; strings keep their escapes of JSON, which Python reads."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(name)}: {_python(each)}" for name, each in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_python, value))}]"
    if value is None or isinstance(value, bool):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)
