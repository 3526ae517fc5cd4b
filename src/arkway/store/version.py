"""Which schema does this Arkway speak, and what is said to a store that speaks another?"""

from pathlib import Path

SCHEMA = "0002"  # the newest migration
STORE_NAME = "store.db"
# Rows of `settings`.
SECRET_CHECK = "secret_check"  # noqa: S105 - the row's name


class StoreRefused(Exception):
    """The store cannot be used as it is; the message is one line that says what to do."""


def store_file(home: Path) -> Path:
    """Return where the store of `home` is."""
    return home / STORE_NAME


def check_schema(path: Path, found: str | None) -> None:
    """Return when `found` is the schema this Arkway speaks.

    Errors:  StoreRefused, naming the command that helps.
    """
    if found == SCHEMA:
        return
    if found is None:
        raise StoreRefused(f"{path} holds no Arkway store; move it away")
    if found > SCHEMA:
        raise StoreRefused(
            f"{path} has schema {found}, and this Arkway knows {SCHEMA}: run a newer Arkway"
        )
    raise StoreRefused(
        f"{path} has schema {found}, and this Arkway needs {SCHEMA}: run `arkway db upgrade`"
    )


def other_secret(path: Path) -> str:
    """Return what is said of a store that was made with another secret."""
    return (
        f"{path} was made with another secret; "
        "set ARKWAY_SECRET_KEY, or bring back the file secret-key, as it was"
    )
