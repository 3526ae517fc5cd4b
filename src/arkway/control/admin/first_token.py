"""How does a fresh gateway get its first administrator? A token, made once, printed once."""

from pathlib import Path

from arkway.control.home import FIRST_ADMIN_TOKEN_NAME
from arkway.store import admin_tokens
from arkway.store.changes import change, reading
from arkway.store.engine import Store
from arkway.store.private_io import write_private

_ACTOR = "first start"


def ensure_first_token(store: Store, home: Path) -> str | None:
    """Return the text of a new token of the role admin; None when a token was ever made.

    It is also left in `home/first-admin-token` (0600), before it opens anything: a crash between
    the two leaves a text that opens nothing, and the next start makes another.
    """
    with reading(store) as connection:
        if admin_tokens.count(connection):
            return None
    with change(store, _ACTOR) as now:
        if admin_tokens.count(now.connection):  # another process was first
            return None
        new = admin_tokens.create(now, {"name": "first", "role": "admin"})
        write_private(home / FIRST_ADMIN_TOKEN_NAME, new.text + "\n")
        return new.text
