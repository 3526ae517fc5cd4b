"""What did the operator ask of `arkway serve`? Its flags, parsed.

Imports nothing of ours: `arkway serve` builds this before anything heavy is loaded.
"""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The command line of `arkway serve`, ready for `runtime.serve.run`."""

    home: Path  # ARKWAY_HOME; may not exist yet (`home.open_home` creates it)
    config_path: Path | None = None  # --config; None: ARKWAY_CONFIG, else home/arkway.toml
    overrides: dict[str, object] = field(default_factory=dict)  # dotted setting -> value, flags
    local: bool = False  # --local: serve the embedded model even when accounts are configured
    model_path: Path | None = None  # --model: a GGUF for the embedded model; implies `local`
