import os
from pathlib import Path

import msgspec
import pytest

from arkway.cli.doctor.finding import Level
from arkway.cli.doctor.home import File, Home, judge, look

US, OTHER = os.geteuid(), os.geteuid() + 12345
WELL = File("/h", 0o700, US)


def home(path="/h", itself=WELL, files=(), user=US):
    return Home(Path(path), itself, list(files), user)


def only(found):
    (finding,) = judge(found)
    return finding


def test_a_private_home_is_well():
    finding = only(home(files=[File("store.db", 0o600, US), File("arkway.toml", 0o644, US),
                               File("ledger.lock", 0o644, US)]))  # fmt: skip

    assert finding.level is Level.OK


@pytest.mark.parametrize(
    ("mode", "level"), [(0o755, Level.WARNING), (0o750, Level.WARNING), (0o770, Level.PROBLEM)]
)
def test_a_home_that_others_see_or_change(mode, level):
    finding = only(home(itself=msgspec.structs.replace(WELL, mode=mode)))

    assert (finding.level, finding.advice) == (level, "chmod 700 /h")
    assert f"{mode:04o}" in finding.text


@pytest.mark.parametrize("name", ["secret-key", "first-key", "store.db", "ledger.db-wal", "x"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_is_a_problem(name, mode):
    finding = only(home(files=[File(name, mode, US)]))

    assert finding.level is Level.PROBLEM
    assert finding.advice == f"chmod 600 /h/{name}"


def test_files_of_somebody_else_are_named_with_what_to_do():
    finding = only(home(files=[File("store.db-wal", 0o600, OTHER), File("a", 0o600, US)]))

    assert finding.level is Level.PROBLEM
    assert finding.text.startswith("store.db-wal in /h")
    assert finding.advice.startswith("chown -R ")


def test_a_home_of_somebody_else_says_whom_to_be():
    user = US + 1
    (finding, *_) = judge(home(user=user))
    assert finding.level is Level.PROBLEM
    assert "sudo -u" in finding.advice
    (finding,) = judge(home(itself=File("/h", 0o700, OTHER), user=0))
    assert finding.level is Level.OK, "root may look at everybody's"


def test_many_names_are_cut():
    finding = only(home(files=[File(f"f{n}", 0o644, US) for n in range(9)]))

    assert "f4 and 4 more" in finding.text


def test_no_home_and_a_file_in_its_place(tmp_path):
    assert only(look(tmp_path / "none")).level is Level.WARNING
    (tmp_path / "file").touch()
    assert only(look(tmp_path / "file")).level is Level.PROBLEM


def test_looking_finds_modes_owners_and_files_alone(tmp_path):
    (tmp_path / "secret-key").touch(0o600)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("secret-key")
    tmp_path.chmod(0o711)

    found = look(tmp_path)

    assert found.itself == File(str(tmp_path), 0o711, US)
    assert found.files == [File("secret-key", 0o600, US)]
    assert found.user == US
