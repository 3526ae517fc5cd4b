"""Which parts of the documentation come from the code? Writes them, or checks them.

    python tools/gen_docs.py          # write them
    python tools/gen_docs.py --check  # exit status 1 when they differ from the code

Text between `<!-- generated: NAME -->` and `<!-- end -->` belongs to this program, all other text
to people.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

from arkway.cli.app import whole
from arkway.control import public_openapi, toml_text
from arkway.control.admin import openapi
from arkway.control.admin.errors import CODES
from arkway.control.admin.operations import OPERATIONS
from arkway.control.config import BUILTIN_MODELS
from arkway.control.settings import SCALARS, SECTIONS
from arkway.store.builtin import BUILTIN_PRICES
from arkway.store.entries import Account, Key, Model
from arkway.store.schema import Setting, fields_of
from arkway.telemetry import families

ROOT = Path(__file__).resolve().parent.parent


def settings() -> str:
    """Return a table of settings for each section."""
    parts = []
    for table, struct in SECTIONS.items():
        own = [setting for setting in SCALARS if setting.table == table]
        rows = [(f"`{s.key}`", _default(s), s.rule, f"`{s.variable}`", _why(s)) for s in own]
        parts += [f"### [{table}]", (struct.__doc__ or "").strip()]
        parts.append(_markdown(("key", "default", "rule", "variable", "what and why"), rows))
    return "\n\n".join(parts)


def entries() -> str:
    """Return a table of parameters for each kind of entry in the store."""
    parts = []
    for title, kind in (("Keys", Key), ("Accounts", Account), ("Models", Model)):
        rows = [(f"`{s.key}`", _default(s), s.rule, _why(s)) for s in fields_of(kind).values()]
        parts += [f"### {title}", (kind.__doc__ or "").strip()]
        parts.append(_markdown(("parameter", "default", "rule", "what and why"), rows))
    return "\n\n".join(parts)


def builtin_models() -> str:
    """Return a table of the models and prices that a fresh store begins with."""
    rows = []
    for m in BUILTIN_MODELS:
        price = BUILTIN_PRICES[m.name]
        amounts = (price.input, price.cached_input, price.output)
        limits = (m.context_tokens, m.max_output_tokens)
        rows.append((f"`{m.name}`", f"`{m.upstream_model}`", *limits, *amounts))
    heads = ("name", "upstream_model", "context_tokens", "max_output_tokens")
    return _markdown((*(f"`{head}`" for head in heads), "input", "cached input", "output"), rows)


def commands() -> str:
    """Return a section for each command of the tree."""
    root = typer.main.get_command(whole())
    return "\n\n".join(_command(path, command) for path, command in _leaves("arkway", root))


def metrics() -> str:
    """Return a table of the metrics, in the order of the code."""
    rows = [
        (f"`{each.name}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.help)
        for each in families.FAMILIES
    ]
    return _markdown(("name", "kind", "labels", "what"), rows)


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield the commands that do something, with their full names, in the order of the help."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, child in command.commands.items():
        yield from _leaves(f"{path} {name}", child)


def _command(path: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    required = [p for p in options if p.required]
    words = [path, *(_option(p) for p in required)]
    words += ["[OPTIONS]"] if len(required) < len(options) else []
    words += [p.metavar if p.required else f"[{p.metavar}]" for p in arguments]
    rows = [(f"`{p.metavar}`", p.help) for p in arguments]
    rows += [(f"`{_option(p)}`", _help(p)) for p in options]
    lines = [line.strip() for line in (command.help or "").splitlines()]
    example = re.sub(
        r"^  ", "", (command.epilog or "").partition("Examples:\n")[2], flags=re.MULTILINE
    )
    parts = [f"### {path}", "\n".join(lines).strip(), f"    {' '.join(words)}"]
    parts.append(_markdown(("argument or option", "meaning"), rows))
    parts.append(f"```sh\n{example}\n```" if example else "")
    return "\n\n".join(filter(None, parts))


def _option(parameter: Any) -> str:
    name = "/".join([parameter.opts[0], *parameter.secondary_opts])
    return name if parameter.is_flag else f"{name} {parameter.metavar}"


def _help(parameter: Any) -> str:
    text = str(parameter.help)
    if parameter.required:
        return f"{text} Required."
    is_plain = parameter.default in (None, False) or parameter.multiple
    return text if is_plain else f"{text} Default: {parameter.default}."


def _default(setting: Setting) -> str:
    if setting.is_required:
        return "*required*"
    if setting.default is None:
        return "none"
    default = list(setting.default) if isinstance(setting.default, tuple) else setting.default
    return f"`{toml_text.value(default) if default != {} else '{}'}`"


def _why(setting: Setting) -> str:
    return f"{setting.description} *Why: {setting.reason}.*"


def _markdown(heads: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    heads = tuple(heads)
    table = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in table)


def _cell(content: object) -> str:
    return str(content).replace("|", "\\|")


def admin_routes() -> str:
    """Return a table of the admin API's routes."""
    rows = []
    for each in OPERATIONS:
        role = "open" if each.policy.role is None else str(each.policy.role)
        rows.append((f"`{each.method} {each.path}`", role, f"`{each.name}`", each.summary))
    return _markdown(("route", "role", "operation", "what"), rows)


def admin_errors() -> str:
    """Return a table of the admin API's error codes."""
    rows = [(f"`{code}`", status, meaning) for code, (status, meaning) in CODES.items()]
    return _markdown(("code", "status", "meaning"), rows)


def admin_openapi() -> str:
    """Return the description of the admin API as it is served."""
    return json.dumps(openapi.document(OPERATIONS), indent=1, ensure_ascii=False) + "\n"


def public_api() -> str:
    """Return the description of the public API."""
    return json.dumps(public_openapi.document(), indent=1, ensure_ascii=False) + "\n"


WHOLE_FILES: dict[str, Callable[[], str]] = {
    "docs/admin-openapi.json": admin_openapi,
    "docs/openapi.json": public_api,
}
SECTIONS_OF: dict[str, dict[str, Callable[[], str]]] = {
    "docs/config.md": {
        "settings": settings,
        "entries": entries,
        "builtin models": builtin_models,
    },
    "docs/models.md": {"builtin models": builtin_models},
    "docs/cli.md": {"commands": commands},
    "docs/metrics.md": {"metrics": metrics},
    "docs/admin-api.md": {"admin routes": admin_routes, "admin errors": admin_errors},
}


def generated(name: str, text: str) -> str:
    """Return document `name` with the parts that come from the code brought up to date.

    Errors:  ValueError when a marker is missing.
    """
    if name in WHOLE_FILES:
        return WHOLE_FILES[name]()
    for part, make in SECTIONS_OF[name].items():
        begin, end = f"<!-- generated: {part} -->", "<!-- end -->"
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"{name} has no {begin} … {end}")
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


def main(arguments: list[str]) -> int:
    """Write the documents, or with `--check` only say which would change."""
    stale = []
    for name in (*SECTIONS_OF, *WHOLE_FILES):
        path = ROOT / name
        old = path.read_text() if path.exists() else ""
        new = generated(name, old)
        if new != old:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(new)
    for name in stale:
        print(f"{name}: {'differs from' if '--check' in arguments else 'brought up to'} the code")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
