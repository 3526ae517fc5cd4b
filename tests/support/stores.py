"""A store in a home of its own, quickly: made once a test process, then copied."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest

from arkway.store.changes import change
from arkway.store.engine import Store, open_store
from arkway.store.problems import Refused
from arkway.store.read_io import StoreReader, StoreView
from arkway.store.secret_io import SECRET_VARIABLE, gateway_secrets
from arkway.store.version import store_file

SECRET = "a secret of tests, the same for every gateway"
ENVIRON = {SECRET_VARIABLE: SECRET}


@cache
def _fresh_home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="arkway-test-home-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    open_store(home, ENVIRON)
    return home


def fresh_store(home: Path) -> Store:
    """Return a new store in `home`, opened with `SECRET`."""
    shutil.copy(store_file(_fresh_home()), store_file(home))
    return open_store(home, ENVIRON)


def do(store: Store, work, *arguments):
    """Make one change: `do(store, keys.create, {"name": "a"})`."""
    with change(store, "tester") as now:
        return work(now, *arguments)


def refusal(store: Store, work, *arguments) -> list[str]:
    """Try one change that must be refused; return the problems."""
    with pytest.raises(Refused) as refused:
        do(store, work, *arguments)
    return [str(problem) for problem in refused.value.problems]


def reader_of(home: Path) -> StoreReader:
    return StoreReader(home, gateway_secrets(home, ENVIRON, make=False))


def view_of(home: Path) -> StoreView:
    reader = reader_of(home)
    try:
        return reader.read()
    finally:
        reader.close()
