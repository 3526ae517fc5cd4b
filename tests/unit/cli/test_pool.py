import json

import pytest

from support.stores import SECRET, view_of

POOL = """
[[accounts]]
name = "north"
dialect = "ark"
base_url = "http://127.0.0.1:9100/api/v3"
"""


@pytest.fixture(autouse=True)
def one_secret(arkway, monkeypatch):
    monkeypatch.setenv("ARKWAY_SECRET_KEY", SECRET)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pool.toml"
    path.write_text(POOL)
    return path


def names(arkway):
    return [stored.account.name for stored in view_of(arkway.home).accounts]


def test_a_dry_run_shows_the_difference_and_changes_nothing(arkway, file):
    status, out, err = arkway("accounts", "apply", file, "--dry-run")

    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "+ north"
    assert names(arkway) == []


def test_a_file_that_is_not_there_is_named(arkway, tmp_path):
    path = tmp_path / "no.toml"

    assert arkway("accounts", "apply", path) == (
        2,
        "",
        f"arkway: {path}: No such file or directory\n",
    )


def test_yes_applies_and_a_second_time_there_is_nothing_to_do(arkway, file):
    assert arkway("accounts", "apply", file, "--yes")[2] == "changed 1 account\n"
    assert names(arkway) == ["north"]

    status, out, err = arkway("accounts", "apply", file, "--yes")
    assert (status, out, err) == (0, "", "nothing to change\n")


def test_without_a_terminal_nothing_is_changed_unasked(arkway, file):
    status, _, err = arkway("accounts", "apply", file)

    assert status == 2
    assert "say --yes" in err
    assert names(arkway) == []


def test_scripts_get_the_differences(arkway, file):
    arkway("accounts", "add", "old", "--dialect", "openai", "--base-url", "http://127.0.0.1:1")

    _, out, _ = arkway("accounts", "apply", file, "--prune", "--yes", "--json")

    added, removed = json.loads(out)
    assert (added["action"], added["name"]) == ("add", "north")
    assert (removed["action"], removed["name"]) == ("remove", "old")
    assert names(arkway) == ["north"]
