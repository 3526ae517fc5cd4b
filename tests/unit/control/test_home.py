import os
from pathlib import Path

import pytest

from arkway.control.home import config_file, home_from, open_home


@pytest.mark.parametrize(
    ("environ", "home"),
    [({}, "var"), ({"ARKWAY_HOME": ""}, "var"), ({"ARKWAY_HOME": "/srv/a"}, "/srv/a")],
)
def test_the_home_is_named_by_the_environment(environ, home):
    assert home_from(environ) == Path(home)


def test_a_new_home_is_private_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        home = open_home(tmp_path / "a" / "b")
    finally:
        os.umask(before)

    assert home.stat().st_mode & 0o777 == 0o700


def test_an_old_home_keeps_its_permissions(tmp_path):
    tmp_path.chmod(0o750)

    assert open_home(tmp_path).stat().st_mode & 0o777 == 0o750


def test_a_file_is_no_home(tmp_path):
    (tmp_path / "f").touch()

    with pytest.raises(FileExistsError):
        open_home(tmp_path / "f")


@pytest.mark.parametrize(
    ("flag", "variable", "file"),
    [
        (None, None, "/h/arkway.toml"),
        (None, "", "/h/arkway.toml"),
        (None, "/v.toml", "/v.toml"),
        (Path("/f.toml"), "/v.toml", "/f.toml"),
    ],
)
def test_the_flag_wins_over_the_variable_over_the_home(flag, variable, file):
    environ = {} if variable is None else {"ARKWAY_CONFIG": variable}

    assert config_file(Path("/h"), flag, environ) == Path(file)
