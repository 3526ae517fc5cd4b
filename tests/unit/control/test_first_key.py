import os
import re
import stat
import threading

import pytest

from arkway.control.first_key import ensure_first_key
from arkway.model.key_digest import key_digest
from arkway.store import keys
from arkway.store.begin import begin
from arkway.store.engine import open_store
from arkway.store.version import StoreRefused
from support.stores import ENVIRON, do, fresh_store, view_of


def test_a_fresh_home_gets_a_key_that_opens_it(tmp_path):
    text = begin(tmp_path, tmp_path / "first-key", ENVIRON)

    assert re.fullmatch(r"sk-[A-Za-z0-9]{48}", text)
    store = open_store(tmp_path, ENVIRON)
    ((digest, spec),) = view_of(tmp_path).keys.items()
    assert digest == key_digest(store.secrets.api_keys, text.encode())
    assert spec.name == "first"


def test_the_key_is_left_where_only_its_owner_reads_it(tmp_path):
    kept = tmp_path / "first-key"
    kept.write_text("old")
    kept.chmod(0o644)

    text = begin(tmp_path, kept, ENVIRON)

    assert kept.read_text() == text + "\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_any_key_will_do_even_one_that_was_revoked(tmp_path):
    store = fresh_store(tmp_path)
    do(store, keys.create, {"name": "a"})
    do(store, keys.revoke, "a")

    assert begin(tmp_path, tmp_path / "first-key", ENVIRON) is None
    assert not (tmp_path / "first-key").exists()


@pytest.mark.slow
def test_two_starts_at_once_make_one_key(tmp_path):
    made = []
    starts = [
        threading.Thread(target=lambda: made.append(ensure_first_key(tmp_path))) for _ in range(3)
    ]

    for start in starts:
        start.start()
    for start in starts:
        start.join()

    (text,) = (text for text in made if text)
    assert (tmp_path / "first-key").read_text() == text + "\n"


@pytest.mark.slow
def test_what_goes_wrong_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("ARKWAY_SECRET_KEY", "hunter2")

    with pytest.raises(StoreRefused) as refused:
        ensure_first_key(tmp_path)

    assert "ARKWAY_SECRET_KEY must have" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert os.listdir(tmp_path) == []
