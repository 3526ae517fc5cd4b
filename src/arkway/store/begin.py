"""How does a fresh home get its store and its first caller? In a process that ends again.

    python -m arkway.store.begin HOME KEY_FILE

Making a store needs SQLAlchemy and Alembic, 40 MiB that a gateway would carry for its whole life;
`control.first_key` runs this instead. Standard output gets the key's text, standard error one
line for what went wrong.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from arkway.store import keys
from arkway.store.changes import change
from arkway.store.engine import open_store
from arkway.store.private_io import write_private
from arkway.store.version import StoreRefused

_ACTOR = "first start"


def begin(home: Path, key_file: Path, environ: Mapping[str, str]) -> str | None:
    """Return the text of a new key named "first"; None when a key was ever made.

    Its text is also written to `key_file` (0600), before it opens anything: a crash between the
    two leaves a text that opens nothing, and the next start makes another.
    Errors:  StoreRefused; OSError when it cannot be written.
    """
    with change(open_store(home, environ), _ACTOR) as now:
        if keys.count(now.connection):
            return None
        new = keys.create(now, {"name": "first"})
        write_private(key_file, new.text + "\n")
        return new.text


def main(arguments: list[str]) -> int:
    """Do it for the home and the key file named; return the exit status."""
    home, key_file = map(Path, arguments)
    try:
        text = begin(home, key_file, os.environ)
    except (StoreRefused, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201  a process of its own
        return 1
    print(text or "")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
