import os

import pytest

from arkway.control.options import ServeOptions
from arkway.control.provision import provision
from arkway.control.watch import FILES_EVERY_POLLS, Reloader
from arkway.store import accounts, keys, models
from support.stores import ENVIRON, do, fresh_store

FAR = {"name": "a", "dialect": "ark", "base_url": "https://h", "key_env": "K"}


class Lab:
    """A home with a store and perhaps a file, a reloader over them, and what it did."""

    def __init__(self, home, text=None, environ=None):
        self.home = home
        self.file = home / "arkway.toml"
        self.applied = []
        self.reported = []
        self.store = fresh_store(home)
        if text is not None:
            self.replace(text)
        options, environ = ServeOptions(home=home), ENVIRON | (environ or {})
        self.running = provision(options, environ)
        self.reloader = Reloader(
            self.running,
            options,
            environ,
            self.applied.append,
            lambda problem: self.reported.append(str(problem)),
        )

    def replace(self, text):
        """Save as editors do."""
        new = self.home / "new"
        new.write_text(text)
        new.replace(self.file)

    def look_at_files(self):
        return [self.reloader.poll() for _ in range(FILES_EVERY_POLLS)].count(True)


@pytest.fixture
def lab(tmp_path):
    made = []

    def make(*arguments, **options):
        made.append(Lab(tmp_path, *arguments, **options))
        return made[-1]

    yield make
    for each in made:
        each.running.close()


def test_nothing_changed_is_nothing_done(lab):
    it = lab("[server]")

    assert it.look_at_files() == 0
    assert it.applied == it.reported == []


def test_a_change_of_the_store_is_in_force_after_one_poll(lab):
    it = lab()

    do(it.store, keys.create, {"name": "k"})

    assert it.reloader.poll()
    (snapshot,) = it.applied
    assert [spec.name for spec in snapshot.keys.values()] == ["k"]
    assert snapshot.key_secret == it.store.secrets.api_keys
    assert not it.reloader.poll()


def test_a_revoked_key_is_not_in_the_snapshot(lab):
    it = lab()
    do(it.store, keys.create, {"name": "k"})
    it.reloader.poll()

    do(it.store, keys.revoke, "k")
    it.reloader.poll()

    assert [len(snapshot.keys) for snapshot in it.applied] == [1, 0]
    assert it.applied[1].revision == it.applied[0].revision + 1
    assert it.applied[1].changed_unix_ms >= it.applied[0].changed_unix_ms > 0


def test_a_change_between_reading_and_watching_is_not_missed(tmp_path):
    store = fresh_store(tmp_path)
    running = provision(ServeOptions(home=tmp_path), ENVIRON)
    do(store, keys.create, {"name": "k"})
    applied = []

    reloader = Reloader(running, ServeOptions(home=tmp_path), ENVIRON, applied.append, print)

    assert reloader.poll()
    assert len(applied[0].keys) == 1
    running.close()


def test_an_account_without_its_credential_is_left_out_and_holds_up_nothing(lab):
    it = lab()

    do(it.store, accounts.create, FAR)
    do(it.store, keys.create, {"name": "k"})
    it.reloader.poll()
    do(it.store, keys.create, {"name": "l"})
    it.reloader.poll()

    assert [(len(s.accounts), len(s.keys)) for s in it.applied] == [(0, 1), (0, 2)]
    assert it.reported == [
        "accounts.a.key_env: K is not set in the environment; the account is left out"
    ]


def test_a_problem_that_was_cured_is_told_again(lab):
    it = lab()

    for enabled in (True, False, True):
        if not it.applied:
            do(it.store, accounts.create, FAR)
        do(it.store, accounts.edit, "a", {"enabled": enabled})
        it.reloader.poll()

    assert len(it.reported) == 2


def test_process_settings_stay_and_ask_for_a_restart_once(lab):
    it = lab("[upstream]\ntotal_s = 7")

    it.replace("[server]\nport = 1\n[upstream]\ntotal_s = 8\n")
    assert it.look_at_files() == 0
    os.utime(it.file, ns=(0, 0))
    assert it.look_at_files() == it.look_at_files() == 0
    do(it.store, models.edit, "Doubao-pro-32k", {"connect_s": 1.0})
    it.reloader.poll()

    assert it.reported == [
        "server.port: needs a restart; the old value stays in force",
        "upstream.total_s: needs a restart; the old value stays in force",
    ]
    clocks = it.applied[0].models["Doubao-pro-32k"].clocks
    assert (clocks.total_s, clocks.connect_s) == (7.0, 1.0)


def test_a_broken_file_is_told_and_holds_up_no_change(lab):
    it = lab()

    it.replace("[sever]\n")
    it.look_at_files()
    do(it.store, keys.create, {"name": "k"})

    assert it.reloader.poll()
    assert it.reported == ["sever: unknown section; did you mean server?"]


def test_a_file_written_in_place_is_read_once_it_stands_still(lab):
    it = lab("[server]")

    it.file.write_text("[sever]\n")  # what an observer sees while it is written
    it.look_at_files()
    it.file.write_text("[server]\nport = 1\n")
    it.look_at_files()
    assert it.reported == []
    it.look_at_files()

    assert it.reported == ["server.port: needs a restart; the old value stays in force"]


def test_a_file_that_vanishes_is_said_once(lab):
    it = lab("[server]")

    it.file.unlink()
    it.look_at_files()
    it.look_at_files()

    assert it.reported == [f"{it.file}: is no longer there; what it said stays in force"]


def test_a_changed_file_of_authorities_makes_a_new_snapshot(lab, tmp_path):
    it = lab(environ={"K": "sk-1"})
    do(it.store, accounts.create, {**FAR, "ca_file": str(tmp_path / "ca.pem")})
    assert it.reloader.poll()
    assert len(it.applied[0].accounts) == 0  # it is not there

    (tmp_path / "ca.pem").write_text("no certificate")

    assert it.look_at_files() == 1
    assert [line.partition(";")[0] for line in it.reported] == [
        "accounts.a.ca_file: cannot be read: No such file or directory",
        "accounts.a.ca_file: holds no certificate in PEM form",
    ]


def test_a_store_that_is_taken_away_changes_nothing(lab):
    it = lab()
    with it.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    assert it.look_at_files() == 0

    (line,) = it.reported
    assert "9999" in line
    assert it.applied == []
