import os
import stat
import subprocess
import sys

import pytest

from arkway.store.secret_io import (
    MIN_CHARACTERS,
    SECRET_VARIABLE,
    WeakSecretError,
    gateway_secret,
)


def test_a_secret_is_made_once_and_kept_to_oneself(tmp_path):
    first = gateway_secret(tmp_path, {})

    assert len(first) >= MIN_CHARACTERS
    assert gateway_secret(tmp_path, {}) == first
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().strip().encode() == first


def test_two_homes_have_two_secrets(tmp_path):
    homes = [tmp_path / "a", tmp_path / "b"]
    for home in homes:
        home.mkdir()

    assert len({gateway_secret(home, {}) for home in homes}) == 2


def test_a_given_secret_counts_and_is_not_kept(tmp_path):
    given = "g" * MIN_CHARACTERS

    assert gateway_secret(tmp_path, {SECRET_VARIABLE: given}) == given.encode()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["x", "x" * (MIN_CHARACTERS - 1)])
def test_a_weak_secret_is_refused_without_being_shown(tmp_path, text):
    with pytest.raises(WeakSecretError) as refusal:
        gateway_secret(tmp_path, {SECRET_VARIABLE: text})

    assert "x" * 5 not in str(refusal.value)
    assert "\n" not in str(refusal.value)
    (tmp_path / "secret-key").write_text(text)
    with pytest.raises(WeakSecretError):
        gateway_secret(tmp_path, {})


def test_processes_that_start_together_agree(tmp_path):
    say = "import pathlib, sys; from arkway.store.secret_io import gateway_secret as g;"
    command = [sys.executable, "-c", say + "print(g(pathlib.Path(sys.argv[1]), {}))", str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]

    secrets = {process.communicate()[0] for process in processes}

    assert len(secrets) == 1
    assert secrets != {b""}
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def test_another_process_may_be_first(tmp_path, monkeypatch):
    other = "o" * 43

    def link(source, path):
        path.write_text(other)
        raise FileExistsError

    monkeypatch.setattr(os, "link", link)

    assert gateway_secret(tmp_path, {}) == other.encode()
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def test_a_start_that_was_killed_while_making_the_secret_does_no_harm(tmp_path):
    (tmp_path / f".secret-key.{os.getpid()}").write_text("half of a sec")

    assert len(gateway_secret(tmp_path, {})) >= MIN_CHARACTERS
