import pytest

from arkway.cli.doctor import settings
from arkway.cli.doctor.finding import Level
from arkway.cli.flags import Place
from arkway.control.config import Config
from arkway.control.process import Control
from support.stores import SECRET


@pytest.fixture
def said(arkway, monkeypatch):
    monkeypatch.setenv("ARKWAY_SECRET_KEY", SECRET)

    def look(live=()):
        found = settings.look(Place(arkway.home, None))
        return list(settings.judge(found, {name: {} for name in live}))

    return look


def wrong(findings):
    return [(each.check, each.level) for each in findings if each.level is not Level.OK]


def test_a_fresh_home_is_well_and_not_made(arkway, said):
    assert wrong(said()) == []
    assert not arkway.home.exists()


def test_every_problem_of_file_and_environment_has_its_line(arkway, said, monkeypatch):
    arkway.home.mkdir(0o700)
    (arkway.home / "arkway.toml").write_text("[server]\nprt = 1\n[limts]\nx = 1\n")
    monkeypatch.setenv("ARKWAY_SERVER_PORT", "99999")
    monkeypatch.setenv("ARKWAY_SERVR_PORT", "1")

    found = said()

    assert wrong(found) == [("configuration", Level.PROBLEM)] * 3 + [
        ("configuration", Level.WARNING)
    ]
    assert all(each.advice for each in found if each.level is not Level.OK)
    assert any("did you mean server.port?" in each.advice for each in found)


def test_a_store_without_keys_and_accounts_is_a_warning(arkway, said):
    arkway("tenants", "create", "t")

    assert wrong(said()) == [("keys", Level.WARNING), ("accounts", Level.WARNING)]


def test_a_variable_that_is_not_set_here_is_a_problem_unless_the_gateway_has_it(arkway, said):
    arkway("keys", "create", "--name", "k")
    arkway(
        "accounts", "add", "a", "--dialect", "ark", "--base-url", "https://h", "--key-env", "NO_V"
    )

    (finding,) = [each for each in said() if each.level is Level.PROBLEM]

    assert finding.check == "account a"
    assert "NO_V is not set" in finding.text
    assert "accounts edit a --key-stdin" in finding.advice
    assert wrong(said(live=["a"])) == []


def test_models_without_price_or_account_are_warnings(arkway, said, monkeypatch):
    monkeypatch.setenv("V", "key")
    arkway("keys", "create", "--name", "k")
    arkway("accounts", "add", "a", "--dialect", "ark", "--base-url", "https://h", "--key-env", "V",
           "--model", "Doubao-pro-32k=x", "--only-listed-models")  # fmt: skip
    arkway("models", "add", "New", "--upstream-model", "n", "--context-tokens", "1000",
           "--max-output-tokens", "100")  # fmt: skip

    found = {each.check: each.text for each in said() if each.level is Level.WARNING}

    assert "has no price" in found["model New"]
    assert "served by no account" in found["model Doubao-1.5-pro-32k"]


def test_another_secret_and_a_damaged_file_are_problems(arkway, said, monkeypatch):
    arkway("keys", "create", "--name", "k")
    other_secret = "9f2c1b7e4d8a6053c1e7b2d94f60a8351c7e9b24"
    monkeypatch.setenv("ARKWAY_SECRET_KEY", other_secret)
    (other,) = [each for each in said() if each.level is Level.PROBLEM]
    (arkway.home / "store.db").write_bytes(b"SQLite format 3\0" + b"x" * 4096)
    damaged = [each for each in said() if each.level is Level.PROBLEM]

    assert "another secret" in other.text
    assert {each.check for each in damaged} == {"store"}
    for each in (other, *damaged):
        assert SECRET not in repr(each)
        assert other_secret not in repr(each)


def test_a_store_that_may_not_be_read(arkway, said):
    arkway("keys", "create", "--name", "k")
    (arkway.home / "store.db").unlink()
    (arkway.home / "store.db").mkdir()

    assert ("store", Level.PROBLEM) in wrong(said())


def test_looking_leaves_every_byte_as_it_was(arkway, said):
    arkway("keys", "create", "--name", "k")

    before = {path.name: path.read_bytes() for path in arkway.home.iterdir()}
    said()
    assert {path.name: path.read_bytes() for path in arkway.home.iterdir()} == before


def test_a_process_that_is_not_started_has_no_port():
    config = Config(control=Control(enabled=False))

    assert "control.port" in settings.ports(Config())
    assert "control.port" not in settings.ports(config)


def test_the_ports_are_those_of_every_section():
    assert {"server.port": 8080, "server.ops_port": 8082}.items() <= settings.ports(
        Config()
    ).items()
