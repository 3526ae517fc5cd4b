"""How does a shell complete `arkway`'s commands and flags? By asking the command tree itself."""

import os
from typing import Annotated, Literal

import typer

VARIABLE = "_ARKWAY_COMPLETE"  # a shell sets it when it asks for completions


def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"],
        typer.Argument(metavar="bash|zsh|fish", help="For which shell."),
    ],
) -> None:
    """Print what makes a shell complete commands and flags.

    Each TAB asks `arkway` itself, so that a newer version needs no new script.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # noqa: PLC0415

    print(get_completion_script(prog_name="arkway", complete_var=VARIABLE, shell=shell))


def prepare() -> None:
    """Make the command tree answer where a shell asks; else nothing."""
    if os.environ.get(VARIABLE):
        from typer.completion import completion_init  # type: ignore[attr-defined]  # noqa: PLC0415

        completion_init()
