"""What does a person see at the start? The address, a first key once, and a curl that works."""

import sys
from pathlib import Path

from arkway.control.config import Config
from arkway.control.home import FIRST_KEY_NAME
from arkway.model.catalogue import Dialect, Snapshot

STAND_IN = (
    "  NOTE: answers come from a small embedded stand-in model (SmolLM2-135M), not from Doubao.\n"
    "  Add a real account:  arkway accounts add NAME --dialect ark --base-url URL --key-env VAR\n"
)


def welcome(
    home: Path, config: Config, snapshot: Snapshot, port: int, first_key: str | None
) -> None:
    """Print where the gateway is; with a new key, how to make the first call.

    The key is printed at the start that made it and never again; it stays in `home/first-key`.
    """
    host = "127.0.0.1" if config.server.host in ("0.0.0.0", "::", "") else config.server.host  # noqa: S104
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
    is_local = any(account.dialect is Dialect.LOCAL for account in snapshot.accounts)
    lines = [f"\nArkway is ready at {url}\n"]
    if is_local:
        lines.append(STAND_IN)
    key_file = home / FIRST_KEY_NAME
    if first_key is not None:
        lines.append(f"  Your first API key (shown once, kept in {key_file}):\n\n    {first_key}\n")
    key = first_key or (f"$(cat {key_file})" if key_file.exists() else "")
    if key and (is_local or first_key):
        lines.append(_curl(url, key, next(iter(snapshot.models))))
    print("\n".join(lines), file=sys.stdout, flush=True)


def _curl(url: str, key: str, model: str) -> str:
    return (
        "  Try it:\n\n"
        f"    curl {url}/chat/completions \\\n"
        '      -H "Content-Type: application/json" \\\n'
        f'      -H "Authorization: Bearer {key}" \\\n'
        f"""      -d '{{"model": "{model}","""
        """ "messages": [{"role": "user", "content": "Hello!"}]}'\n"""
    )
