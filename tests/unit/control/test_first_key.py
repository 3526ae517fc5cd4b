import re
import threading

import pytest

from arkway.control.edit import EditError
from arkway.control.first_key import ensure_first_key
from arkway.control.keys import hash_of
from arkway.control.load import load


def test_a_fresh_home_gets_a_key_that_opens_it(tmp_path):
    home = tmp_path / "home"

    text = ensure_first_key(home)

    assert re.fullmatch(r"sk-[A-Za-z0-9]{48}", text)
    (key,) = load(home, None, {}).config.keys
    assert (key.name, key.hash) == ("first", hash_of(text))


def test_the_key_is_left_where_only_its_owner_reads_it(tmp_path):
    (tmp_path / "first-key").write_text("old")
    (tmp_path / "first-key").chmod(0o644)

    text = ensure_first_key(tmp_path)

    assert (tmp_path / "first-key").read_text() == text + "\n"
    assert (tmp_path / "first-key").stat().st_mode & 0o777 == 0o600


def test_there_is_one_first_key(tmp_path):
    text = ensure_first_key(tmp_path)

    assert ensure_first_key(tmp_path) is None
    assert (tmp_path / "first-key").read_text() == text + "\n"


def test_any_key_will_do(tmp_path):
    hash_text = "sha256:" + "0" * 64
    (tmp_path / "arkway.toml").write_text(f"[[keys]]\nname = 'a'\nhash = '{hash_text}'\n")

    assert ensure_first_key(tmp_path) is None
    assert not (tmp_path / "first-key").exists()


def test_it_goes_into_the_configuration_in_force(tmp_path):
    named = tmp_path / "other.toml"

    ensure_first_key(tmp_path, None, {"ARKWAY_CONFIG": str(named)})

    assert "first" in named.read_text()
    assert ensure_first_key(tmp_path, named) is None


def test_an_invalid_configuration_gets_none(tmp_path):
    (tmp_path / "arkway.toml").write_text("[sever]")

    with pytest.raises(EditError):
        ensure_first_key(tmp_path)

    assert not (tmp_path / "first-key").exists()


def test_two_starts_at_once_make_one_key(tmp_path):
    made = []
    starts = [
        threading.Thread(target=lambda: made.append(ensure_first_key(tmp_path))) for _ in range(4)
    ]

    for start in starts:
        start.start()
    for start in starts:
        start.join()

    (text,) = (text for text in made if text)
    assert (tmp_path / "first-key").read_text() == text + "\n"
