"""Which exact files does the project run on? Pins them by hash: `make lock`.

The locks hold names, versions and hashes for every platform, and no addresses: where packages
come from is the business of the machine that installs them.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = "3.11"

# Each lock, what it resolves, and the locks it must agree with, for they share one .venv.
LOCKS: list[tuple[str, list[str], list[str]]] = [
    ("build", ["build.in"], []),
    ("run", ["../pyproject.toml"], ["build"]),
    ("model", ["--no-deps", "model.in"], []),
    ("otel", ["otel.in"], ["build", "run"]),
    ("console", ["console.in"], ["build", "run", "otel"]),
    ("test", ["test.in"], ["build", "run", "otel", "console"]),
    ("dev", ["dev.in"], ["build", "run", "otel", "console", "test"]),
]


def main() -> None:
    """Write every lock, newest versions first."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder, "bin", "python")
        run(python, "-m", "pip", "install", "--quiet", "uv")
        for name, sources, peers in LOCKS:
            constraints = [word for peer in peers for word in ("-c", f"{peer}.lock")]
            options = ["--universal", "--python-version", OLDEST_PYTHON, "--upgrade", "--quiet"]
            options += ["--generate-hashes", "--no-header", "--no-annotate"]
            options += ["--no-emit-index-url", "--no-emit-find-links"]
            uv = (python, "-m", "uv", "pip", "compile", "--output-file", f"{name}.lock")
            run(*uv, *options, *constraints, *sources)


def run(*command: str | Path) -> None:
    """Run a program in requirements/; its failure is ours."""
    status = subprocess.run(command, cwd=ROOT / "requirements", check=False).returncode
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()
