import os

import pytest

from arkway.control.files_io import MAX_FILE_BYTES, read_file, stamp


@pytest.mark.parametrize(
    ("mode", "is_shared"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)]
)
def test_a_file_says_whether_it_is_shared(tmp_path, mode, is_shared):
    file = tmp_path / "secret"
    file.write_text("sk-1\n")
    file.chmod(mode)

    found = read_file(file)

    assert (found.text, found.is_shared) == ("sk-1\n", is_shared)


@pytest.mark.parametrize("content", [b"\xff", b"x" * (MAX_FILE_BYTES + 1)])
def test_what_is_no_small_text_is_refused(tmp_path, content):
    file = tmp_path / "secret"
    file.write_bytes(content)

    with pytest.raises(ValueError):
        read_file(file)


def test_nothing_there_has_no_stamp(tmp_path):
    assert stamp(tmp_path / "x") is None


def test_a_stamp_changes_with_the_file_and_with_its_replacement(tmp_path):
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_text("1")
    other.write_text("1")
    os.utime(other, ns=(0, file.stat().st_mtime_ns))
    before = stamp(file)

    other.replace(file)
    replaced = stamp(file)
    file.write_text("22")

    assert len({before, replaced, stamp(file)}) == 3
