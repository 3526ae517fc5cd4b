import pytest

from arkway.control.config import Config, Upstream
from arkway.control.options import ServeOptions
from arkway.control.provision import provision

ACCOUNT = "[[accounts]]\nname = 'a'\ndialect = 'ark'\nbase_url = 'https://h'\n"


def provisioned(home, text, environ=None, running=None):
    (home / "arkway.toml").write_text(text)
    return provision(ServeOptions(home=home), environ or {}, running)


def test_a_good_configuration_comes_with_its_snapshot(tmp_path):
    found = provisioned(tmp_path, ACCOUNT + "key_env = 'K'", {"K": "sk-1"})

    assert found.config.accounts[0].name == "a"
    assert found.snapshot.accounts[0].id == "a"


def test_flags_reach_the_configuration(tmp_path):
    options = ServeOptions(home=tmp_path, overrides={"server.port": 1})

    assert provision(options, {}).config.server.port == 1


def test_missing_credentials_show_beside_the_problems_of_the_file(tmp_path):
    found = provisioned(tmp_path, "[server]\nport = -1\n" + ACCOUNT + "key_env = 'K'")

    assert [problem.path for problem in found.problems] == ["server.port", "accounts.a.key_env"]
    assert found.snapshot is None
    with pytest.raises(ValueError):
        _ = found.config


def test_the_files_behind_a_snapshot_are_stamped(tmp_path):
    (tmp_path / "secret").write_text("sk-1")

    found = provisioned(tmp_path, ACCOUNT + "key_file = 'secret'\nca_file = 'none'")

    assert [path.name for path in found.stamps] == ["arkway.toml", "secret", "none"]
    assert [stamp is None for stamp in found.stamps.values()] == [False, False, True]


def test_files_of_an_account_that_is_switched_off_are_not(tmp_path):
    found = provisioned(tmp_path, ACCOUNT + "key_file = 'secret'\nenabled = false")

    assert [path.name for path in found.stamps] == ["arkway.toml"]


def test_process_settings_of_a_running_gateway_stay_in_force(tmp_path):
    running = Config(upstream=Upstream(total_s=7.0))

    found = provisioned(tmp_path, "[upstream]\ntotal_s = 8", running=running)

    assert {model.clocks.total_s for model in found.snapshot.models.values()} == {7.0}
    assert found.config.upstream.total_s == 8.0
