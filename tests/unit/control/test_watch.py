import os

import pytest

from arkway.control.options import ServeOptions
from arkway.control.provision import provision
from arkway.control.watch import Reloader

ACCOUNT = "[[accounts]]\nname = 'a'\ndialect = 'ark'\nbase_url = 'https://h'\n"
HASH = "sha256:" + "0" * 63


def key(n):
    return f"[[keys]]\nname = 'k{n}'\nhash = '{HASH}{n}'\n"


class Lab:
    """A home with a configuration file, a reloader over it, and what it did."""

    def __init__(self, home, text, environ):
        self.home = home
        self.file = home / "arkway.toml"
        self.applied = []
        self.reported = []
        if text is not None:
            self.replace(text)
        options = ServeOptions(home=home)
        self.reloader = Reloader(
            provision(options, environ),
            options,
            environ,
            self.applied.append,
            lambda problem: self.reported.append(str(problem)),
        )

    def replace(self, text, name="arkway.toml"):
        """Save as editors and our own commands do."""
        new = self.home / "new"
        new.write_text(text)
        new.replace(self.home / name)

    def keys(self):
        return [sorted(key.name for key in snapshot.keys.values()) for snapshot in self.applied]


@pytest.fixture
def lab(tmp_path):
    return lambda text, environ=None: Lab(tmp_path, text, environ or {})


def test_nothing_changed_is_nothing_done(lab):
    it = lab(key(1))

    assert [it.reloader.poll() for _ in range(3)] == [False] * 3
    assert it.applied == it.reported == []


def test_a_replaced_file_is_in_force_after_one_poll(lab):
    it = lab(key(1))

    it.replace(key(1) + key(2))

    assert it.reloader.poll()
    assert it.keys() == [["k1", "k2"]]
    assert not it.reloader.poll()


def test_a_file_that_appears_is_read(lab):
    it = lab(None)

    it.replace(key(1))

    assert it.reloader.poll()
    assert it.keys() == [["k1"]]


def test_a_file_written_in_place_is_read_once_it_stands_still(lab):
    it = lab(key(1))

    it.file.write_text("")  # what an observer sees between truncation and writing
    assert not it.reloader.poll()
    it.file.write_text(key(2))
    assert not it.reloader.poll()

    assert it.reloader.poll()
    assert it.keys() == [["k2"]]


def test_a_change_between_reading_and_watching_is_not_missed(tmp_path):
    options = ServeOptions(home=tmp_path)
    (tmp_path / "arkway.toml").write_text(key(1))
    running = provision(options, {})
    (tmp_path / "new").write_text(key(2))
    (tmp_path / "new").replace(tmp_path / "arkway.toml")
    applied = []

    reloader = Reloader(running, options, {}, applied.append, print)

    assert reloader.poll()
    assert [spec.name for spec in applied[0].keys.values()] == ["k2"]


def test_problems_keep_the_old_snapshot_and_are_told_once(lab):
    it = lab(key(1))

    it.replace("[sever]\n" + key(2))
    assert not it.reloader.poll()
    it.replace("[sever]\n[lgo]\n" + key(2))
    assert not it.reloader.poll()

    assert it.applied == []
    assert it.reported == [
        "sever: unknown section; did you mean server?",
        "lgo: unknown section; did you mean log?",
    ]


def test_a_problem_that_was_cured_is_told_again(lab):
    it = lab(key(1))

    for text in ("[sever]", key(2), "[sever]"):
        it.replace(text)
        it.reloader.poll()

    assert it.reported == ["sever: unknown section; did you mean server?"] * 2
    assert it.keys() == [["k2"]]


def test_process_settings_ask_for_a_restart_once_and_stay(lab):
    it = lab("[upstream]\ntotal_s = 7")

    for n in range(3):
        it.replace("[server]\nport = 1\n[upstream]\ntotal_s = 8\n" + key(n))
        assert it.reloader.poll()

    assert it.reported == [
        "server.port: needs a restart; the old value stays in force",
        "upstream.total_s: needs a restart; the old value stays in force",
    ]
    assert {m.clocks.total_s for s in it.applied for m in s.models.values()} == {7.0}


def test_the_catalogue_needs_no_restart(lab):
    it = lab(None)

    it.replace("[catalogue]\nbuiltin_models = false")
    it.reloader.poll()

    assert it.reported == []
    assert it.applied[0].models == {}


def test_a_new_credential_in_its_file_is_taken(lab, tmp_path):
    (tmp_path / "secret").write_text("sk-1")
    (tmp_path / "secret").chmod(0o600)
    it = lab(ACCOUNT + "key_file = 'secret'")

    it.replace("sk-2", "secret")

    assert it.reloader.poll()
    assert it.applied[0].accounts[0].credential.reveal() == "sk-2"


def test_a_file_that_was_missing_is_watched_for(lab):
    it = lab(key(1))

    it.replace(ACCOUNT + "key_file = 'secret'")
    assert not it.reloader.poll()
    it.replace("sk-1", "secret")

    assert it.reloader.poll()
    assert it.reported == [
        "accounts.a.key_file: cannot be read: No such file or directory",
        "accounts.a.key_file: others may read the file; chmod 600 makes it private",
    ]


def test_warnings_known_at_the_start_are_not_repeated(lab):
    local = ACCOUNT.replace("https://h", "http://127.0.0.1:1") + "key_env = 'K'\n"
    it = lab(local)

    it.replace(local + key(1))

    assert it.reloader.poll()
    assert it.reported == []


def test_a_file_that_vanishes_changes_nothing_and_may_come_back(lab):
    it = lab(key(1))

    it.file.unlink()
    assert [it.reloader.poll() for _ in range(3)] == [False] * 3
    it.replace(key(2))

    assert it.reloader.poll()
    assert it.reported == [f"{it.file}: is no longer there; what it said stays in force"]
    assert it.keys() == [["k2"]]


def test_touching_is_enough_to_be_read_again(lab):
    it = lab(key(1))

    os.utime(it.file, ns=(0, 0))

    assert not it.reloader.poll()  # in place: it might still be written
    assert it.reloader.poll()
