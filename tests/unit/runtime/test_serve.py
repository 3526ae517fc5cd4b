"""Starts that fail, each in one line. Starts that succeed are tested as processes."""

import socket

import pytest

from arkway.control.options import ServeOptions
from arkway.runtime.serve import EXIT_CONFIG, EXIT_FAILED, run
from arkway.store import accounts, keys
from arkway.store.engine import open_store
from support.stores import ENVIRON, SECRET, do, fresh_store

# A failed start leaves open sockets to the end of its process, which here is not its own; uvloop
# does not survive a ResourceWarning that is an error.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    monkeypatch.setenv("ARKWAY_SECRET_KEY", SECRET)


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def start(capsys, home, text=None, **options):
    store = fresh_store(home)
    do(store, keys.create, {"name": "k"})
    account = {"name": "a", "dialect": "openai", "base_url": "http://127.0.0.1:9"}
    do(store, accounts.create, account)
    if text is not None:
        (home / "arkway.toml").write_text(text)
    overrides = {"server.host": "127.0.0.1", "server.port": 0, "server.ops_port": 0}
    overrides["control.enabled"] = False
    overrides |= options.pop("overrides", {})
    status = run(ServeOptions(home=home, overrides=overrides, **options))
    out, err = capsys.readouterr()
    assert "ready" not in out
    assert "Traceback" not in err
    return status, err.splitlines()


def test_a_broken_configuration_names_its_problems(capsys, tmp_path):
    status, lines = start(capsys, tmp_path, "[server]\nprot = 1\n[limits]\nmax_headers = 'x'\n")

    assert status == EXIT_CONFIG
    assert lines[0].endswith("arkway.toml has problems:")
    assert len(lines) == 3
    assert any("server.prot" in line for line in lines)
    assert any("limits.max_headers" in line for line in lines)


def test_a_weak_secret_is_a_problem_of_the_configuration(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("ARKWAY_SECRET_KEY", "hunter2")

    status, lines = start(capsys, tmp_path)

    assert status == EXIT_CONFIG
    assert "ARKWAY_SECRET_KEY" in lines[-1]
    assert "hunter2" not in str(lines)


@pytest.mark.parametrize(
    ("setting", "flag"), [("server.port", "--port"), ("server.ops_port", "--ops-port")]
)
def test_a_taken_port_says_so_in_one_line(capsys, tmp_path, taken, setting, flag):
    status, lines = start(capsys, tmp_path, overrides={setting: taken})

    assert status == EXIT_FAILED
    assert lines == [
        (
            f"arkway serve: 127.0.0.1:{taken} is in use by another process; "
            f"stop it or choose another {flag}"
        )
    ]


@pytest.mark.parametrize(("setting"), ["server.host", "server.ops_host"])
def test_an_address_of_somebody_else_says_so_in_one_line(capsys, tmp_path, setting):
    status, lines = start(capsys, tmp_path, overrides={setting: "192.0.2.1"})

    assert status == EXIT_FAILED
    (line,) = lines
    assert line.startswith("arkway serve: cannot listen on 192.0.2.1:0: ")
    assert "annot assign requested address" in line


def test_a_model_that_is_not_there_says_so_in_one_line(capsys, tmp_path):
    path = tmp_path / "none.gguf"

    status, lines = start(capsys, tmp_path, local=True, model_path=path)

    assert status == EXIT_FAILED
    assert lines == [
        "arkway: starting the embedded model ...",
        f"arkway serve: --model: cannot read {path}: No such file or directory",
    ]


def test_a_home_that_cannot_be_made_says_so_in_one_line(capsys, tmp_path):
    (tmp_path / "file").write_text("")

    status = run(ServeOptions(home=tmp_path / "file" / "home"))

    (line,) = capsys.readouterr().err.splitlines()
    assert status != 0
    assert line.startswith("arkway serve: ")


def test_another_schema_is_one_line_that_says_what_to_do(capsys, tmp_path):
    fresh_store(tmp_path)
    with open_store(tmp_path, ENVIRON).engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")

    status = run(ServeOptions(home=tmp_path))

    (line,) = capsys.readouterr().err.splitlines()
    assert status == EXIT_CONFIG
    assert "run `arkway db upgrade`" in line


def test_another_secret_is_one_line(capsys, tmp_path, monkeypatch):
    fresh_store(tmp_path)
    monkeypatch.setenv("ARKWAY_SECRET_KEY", "another secret, as long as it has to be")

    status = run(ServeOptions(home=tmp_path))

    (line,) = capsys.readouterr().err.splitlines()
    assert status == EXIT_CONFIG
    assert "made with another secret" in line


def test_accounts_in_the_file_say_where_they_belong(capsys, tmp_path):
    status, lines = start(capsys, tmp_path, "[[accounts]]\nname = 'a'\n")

    assert status == EXIT_CONFIG
    assert "arkway config import" in lines[1]
