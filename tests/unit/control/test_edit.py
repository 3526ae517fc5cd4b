import fcntl
import multiprocessing
import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.control import edit as edit_module
from arkway.control.config import Account, Key
from arkway.control.edit import EditError, open_for_edit
from arkway.control.settings import ARRAY_FIELDS

PROCESSES, KEYS_EACH = 6, 5
(NAME,) = (field for field in ARRAY_FIELDS["keys"] if field.key == "name")


def key(n, name=None):
    return Key(name=name or f"k{n}", hash=f"sha256:{n:064x}")


def append(path, *keys):
    with open_for_edit(path) as edit:
        for each in keys:
            edit.append_key(each)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "arkway.toml"


def test_a_new_file_is_private_and_says_what_it_is(path):
    append(path, key(1))

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith("# Arkway's configuration")
    assert tomllib.loads(path.read_text())["keys"] == [{"name": "k1", "hash": key(1).hash}]


@pytest.mark.parametrize("end", ["\n", "", "\r\n"])
def test_what_was_there_stays_to_the_byte(path, end):
    old = f"# mine\n[server] # ours\nport = 1 # theirs{end}"
    path.write_bytes(old.encode())

    append(path, key(1))

    assert path.read_bytes().decode().startswith(old)
    assert tomllib.loads(path.read_bytes().decode())["keys"][0]["name"] == "k1"


def test_accounts_and_keys_can_be_appended_together(path):
    account = Account(name="a", dialect="ark", base_url="https://h", key_env="K")

    with open_for_edit(path) as edit:
        edit.append_account(account)
        edit.append_key(key(1))
        edit.append_key(key(2))

        assert edit.config.accounts == (account,)
        assert edit.config.keys == (key(1), key(2))


@settings(max_examples=25)  # each writes through to the disk
@given(st.lists(st.text().filter(NAME.accepts), unique=True, max_size=5))
def test_any_valid_name_reads_back(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("edit") / "arkway.toml"

    append(path, *(key(n, name) for n, name in enumerate(names)))

    found = tomllib.loads(path.read_text())["keys"] if names else []
    assert [entry["name"] for entry in found] == names


def test_a_name_is_given_once(path):
    append(path, key(1))

    with pytest.raises(EditError, match=r"keys\.k1: exists already"):
        append(path, key(2, "k1"))

    assert len(tomllib.loads(path.read_text())["keys"]) == 1


@pytest.mark.parametrize(
    ("account", "message"),
    [
        (Account(name="A", dialect="ark", base_url="https://h", key_env="K"), "accounts.0..name"),
        (Account(name="a", dialect="ark", base_url="ftp://h", key_env="K"), "a.base_url: must"),
        (Account(name="a", dialect="ark", base_url="https://h"), "no credential"),
        (Account(name="a\udc80", dialect="ark", base_url="https://h"), "Unicode"),
    ],
)
def test_what_breaks_a_rule_is_refused_and_nothing_is_written(path, account, message):
    with pytest.raises(EditError, match=message), open_for_edit(path) as edit:
        edit.append_account(account)

    assert not path.exists()


def test_one_refusal_drops_the_whole_edit(path):
    with pytest.raises(EditError):
        append(path, key(1), key(1))

    assert not path.exists()


@pytest.mark.parametrize("content", [b"[sever]\n", b"x = \n", b"\xff", b"keys = []\n"])
def test_an_invalid_file_is_left_as_it_is(path, content):
    path.write_bytes(content)

    with pytest.raises(EditError):
        append(path, key(1))

    assert path.read_bytes() == content


def test_an_edit_without_changes_writes_nothing(path):
    with open_for_edit(path) as edit:
        assert edit.text is None

    assert not path.exists()


def test_a_files_mode_is_kept(path):
    path.touch(mode=0o640)
    path.chmod(0o640)

    append(path, key(1))

    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_files_owner_is_kept(path):
    path.touch()
    os.chown(path, 12345, 54321)

    append(path, key(1))

    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


def test_a_link_stays_a_link(path, tmp_path):
    target = tmp_path / "real.toml"
    target.touch()
    path.symlink_to(target)

    append(path, key(1))

    assert path.is_symlink()
    assert "k1" in target.read_text()


def test_a_failed_write_leaves_the_old_file_and_no_other(path, monkeypatch):
    path.write_text("# mine\n")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space")))

    with pytest.raises(OSError, match="No space"):
        append(path, key(1))

    assert path.read_text() == "# mine\n"
    assert sorted(p.name for p in path.parent.iterdir()) == [".arkway.toml.lock", "arkway.toml"]


def test_a_stuck_lock_is_waited_for_and_then_reported(path, monkeypatch):
    monkeypatch.setattr(edit_module, "_LOCK_WAIT_S", 0.05)
    with Path(path.parent / ".arkway.toml.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(TimeoutError, match="another command holds"):
            append(path, key(1))


def _append_several(path, first):
    for n in range(first, first + KEYS_EACH):
        append(path, key(n))


def test_edits_of_several_processes_all_survive(path):
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=_append_several, args=(path, n * KEYS_EACH))
        for n in range(PROCESSES)
    ]

    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)

    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    names = {entry["name"] for entry in tomllib.loads(path.read_text())["keys"]}
    assert names == {f"k{n}" for n in range(PROCESSES * KEYS_EACH)}
