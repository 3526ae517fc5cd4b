"""Where does Arkway keep its things? The home directory and the names inside it."""

from collections.abc import Mapping
from pathlib import Path

HOME_VARIABLE = "ARKWAY_HOME"
CONFIG_VARIABLE = "ARKWAY_CONFIG"
API_KEY_VARIABLE = "ARKWAY_API_KEY"  # of `arkway chat`
DEFAULT_HOME = Path("var")

CONFIG_NAME = "arkway.toml"
FIRST_KEY_NAME = "first-key"
FIRST_ADMIN_TOKEN_NAME = "first-admin-token"  # noqa: S105 - the file's name
CONVERSATION_NAME = "conversation.json"

_PRIVATE_DIRECTORY = 0o700  # keys, hashes and conversations live here


def home_from(environ: Mapping[str, str]) -> Path:
    """Return the home directory; an empty ARKWAY_HOME counts as absent."""
    return Path(environ.get(HOME_VARIABLE) or DEFAULT_HOME)


def open_home(home: Path) -> Path:
    """Make sure `home` is a directory, and return it.

    Created 0700; one that exists keeps the permissions its owner chose.
    Errors:  OSError when it cannot be created or is something else.
    """
    if not home.is_dir():
        home.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    return home


def config_file(home: Path, config_path: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the configuration file in force: the flag, else ARKWAY_CONFIG, else the default."""
    named = config_path or environ.get(CONFIG_VARIABLE)
    return Path(named) if named else home / CONFIG_NAME


def ledger_file(home: Path) -> Path:
    """Return where this node keeps its ledger."""
    return home / "ledger.db"
