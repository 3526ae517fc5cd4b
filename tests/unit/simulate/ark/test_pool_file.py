import tomllib

from arkway.simulate.ark.pool_file import entries, environment, toml, variable_of, write_secret
from arkway.simulate.ark.settings import settings_of
from arkway.store.entries import Account
from arkway.store.schema import read_entry

SETTINGS = settings_of(
    {
        "accounts": [
            {
                "name": "a-1",
                "key": "secret-a",
                "limits": {"requests_per_min": 5, "in_flight": 2},
                "model_limits": {"doubao-pro-32k-241215": {"tokens_per_min": 9}},
                "not_open": ["doubao-1-5-pro-256k-250115"],
            },
            {"name": "b", "key": "secret-b"},
        ]
    }
)
TABLES = entries(SETTINGS, {"a-1": "http://127.0.0.1:1/api/v3", "b": "http://127.0.0.1:2/api/v3"})


def test_a_table_for_each_account():
    first, second = TABLES

    assert first["base_url"] == "http://127.0.0.1:1/api/v3"
    assert (first["requests_per_min"], first["in_flight"]) == (5, 2)
    assert "tokens_per_min" not in first
    assert first["model_limits"] == {"Doubao-pro-32k": {"tokens_per_min": 9}}
    assert first["only_listed_models"] is True
    assert "Doubao-1.5-pro-256k" not in first["models"]
    assert set(second["models"]) == {model.name for model in SETTINGS.models}
    assert "only_listed_models" not in second


def test_it_is_toml_that_the_gateway_takes_and_holds_no_key():
    text = toml(TABLES)

    assert tomllib.loads(text) == {"accounts": TABLES}
    assert "secret" not in text
    problems = []
    names = [read_entry(Account, table, None, problems).name for table in TABLES]
    assert (names, problems) == (["a-1", "b"], [])


def test_keys_are_lines_of_an_environment_that_others_cannot_read(tmp_path):
    text = environment(SETTINGS.every_account())
    write_secret(tmp_path / "env", text)
    write_secret(tmp_path / "env", text)

    assert text == f"{variable_of('a-1')}=secret-a\nSIM_KEY_B=secret-b\n"
    assert (tmp_path / "env").read_text() == text
    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["env"]
