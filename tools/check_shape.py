"""Is the code in pieces that a person can hold in the head? Sizes, and what locks may say.

    python tools/check_shape.py  # prints each breach; exit status 1 when there is one

Ruff counts statements, branches and parameters; this counts lines, which ruff does not.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_FILE_LINES = 400
MAX_TEST_FILE_LINES = 600  # a table of cases is read by looking things up, not from the top
MAX_FUNCTION_LINES = 50
FOLDERS = ("src", "tests", "tools", "bench")

# "path" or "path::function" and why it may be larger.
EXCEPTIONS: dict[str, str] = {
    "src/arkway/cli/accounts.py::add": "a flag each, and nothing else",
    "src/arkway/cli/simulate.py::simulate": "a flag each, and nothing else",
    "bench/routing.py::cases": "a row each, and nothing else",
    "src/arkway/cli/models.py::edit": "a flag each, and nothing else",
    "src/arkway/cli/sim.py::ark": "a flag each, and nothing else",
}

_NAME = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_LOCK_LINE = re.compile(
    rf"{_NAME}==[\w.]+(?: ; [^#:]+)? \\|    --hash=sha256:[0-9a-f]{{64}}(?: \\)?"
)


def main() -> int:
    """Print every breach and return the exit status."""
    breaches = [*sizes(), *locks()]
    print("\n".join(breaches) or "shape: sizes and locks are as they should be")
    return int(bool(breaches))


def sizes() -> Iterator[str]:
    """Yield files and functions that are too long, and exceptions that nobody needs any more."""
    unused = set(EXCEPTIONS)
    for path in python_files():
        text = path.read_text()
        name = path.relative_to(ROOT).as_posix()
        for what, lines, limit in measured(name, text):
            unused.discard(what)
            if lines > limit and what not in EXCEPTIONS:
                yield f"{what}: {lines} lines; {limit} is the limit"
    yield from (f"{what}: listed as an exception and not found" for what in sorted(unused))


def measured(name: str, text: str) -> Iterator[tuple[str, int, int]]:
    """Yield (name, lines, limit) of a file and of each function in it."""
    limit = MAX_TEST_FILE_LINES if name.startswith("tests/") else MAX_FILE_LINES
    yield name, text.count("\n"), limit
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield f"{name}::{node.name}", lines, MAX_FUNCTION_LINES


def python_files() -> Iterator[Path]:
    """Yield the project's Python files, in a steady order."""
    for folder in FOLDERS:
        yield from sorted((ROOT / folder).rglob("*.py"))


def locks() -> Iterator[str]:
    """Yield lines of locks that are neither a pin nor a hash: an address, an option, a note."""
    for path in sorted((ROOT / "requirements").glob("*.lock")):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if not _LOCK_LINE.fullmatch(line):
                yield f"{path.relative_to(ROOT).as_posix()}:{number}: not a pin or a hash: {line}"


if __name__ == "__main__":
    sys.exit(main())
