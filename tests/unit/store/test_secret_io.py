import os
import stat
import subprocess
import sys

import pytest

from arkway.store.secret_io import (
    MIN_CHARACTERS,
    SECRET_VARIABLE,
    WeakSecretError,
    derived,
    gateway_secrets,
)
from arkway.store.version import StoreRefused


def test_a_secret_is_made_once_and_kept_to_oneself(tmp_path):
    first = gateway_secrets(tmp_path, {})

    assert gateway_secrets(tmp_path, {}) == first
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text().strip()
    assert len(text) >= MIN_CHARACTERS
    assert derived(text.encode()) == first


def test_two_homes_have_two_secrets(tmp_path):
    homes = [tmp_path / "a", tmp_path / "b"]
    for home in homes:
        home.mkdir()

    assert len({gateway_secrets(home, {}).check for home in homes}) == 2


def test_a_given_secret_counts_and_is_not_kept(tmp_path):
    given = "given-by-the-operator" * 2

    assert gateway_secrets(tmp_path, {SECRET_VARIABLE: given}) == derived(given.encode())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["x", "x" * (MIN_CHARACTERS - 1), "xy" * MIN_CHARACTERS])
def test_a_weak_secret_is_refused_without_being_shown(tmp_path, text):
    with pytest.raises(WeakSecretError) as refusal:
        gateway_secrets(tmp_path, {SECRET_VARIABLE: text})

    assert "xx" not in str(refusal.value)
    assert "xy" not in str(refusal.value)
    assert "\n" not in str(refusal.value)
    (tmp_path / "secret-key").write_text(text)
    with pytest.raises(WeakSecretError):
        gateway_secrets(tmp_path, {})


def test_processes_that_start_together_agree(tmp_path):
    say = "import pathlib, sys; from arkway.store.secret_io import gateway_secrets as g;"
    command = [
        sys.executable,
        "-c",
        say + "print(g(pathlib.Path(sys.argv[1]), {}).check)",
        str(tmp_path),
    ]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]

    secrets = {process.communicate()[0] for process in processes}

    assert len(secrets) == 1
    assert secrets != {b""}
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def test_another_process_may_be_first(tmp_path, monkeypatch):
    other = "made-by-the-other-process" * 2

    def link(source, path):
        path.write_text(other)
        raise FileExistsError

    monkeypatch.setattr(os, "link", link)

    assert gateway_secrets(tmp_path, {}) == derived(other.encode())
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def test_a_start_that_was_killed_while_making_the_secret_does_no_harm(tmp_path):
    (tmp_path / f".secret-key.{os.getpid()}").write_text("half of a sec")

    gateway_secrets(tmp_path, {})

    assert len((tmp_path / "secret-key").read_text()) >= MIN_CHARACTERS


def test_each_use_has_its_own_key():
    made = derived(b"g" * MIN_CHARACTERS)

    keys = {made.api_keys, made.credentials, made.affinity, bytes.fromhex(made.check)}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    assert "\\x" not in repr(made)
    assert made.check not in repr(made)


def test_the_keys_are_those_of_hkdf():
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    for use in ("api-keys", "credentials", "affinity"):
        hkdf = HKDF(SHA256(), 32, salt=b"arkway", info=b"arkway " + use.encode())
        made = getattr(derived(b"secret"), use.replace("-", "_"))
        assert made == hkdf.derive(b"secret")


def test_a_secret_that_is_gone_is_not_made_anew(tmp_path):
    with pytest.raises(StoreRefused, match="secret-key is gone"):
        gateway_secrets(tmp_path, {}, make=False)

    assert list(tmp_path.iterdir()) == []
