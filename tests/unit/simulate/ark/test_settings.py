import pytest

from arkway.simulate.ark.settings import (
    SettingsError,
    merged,
    read,
    rule_of,
    settings_of,
)


def test_accounts_are_made_up_to_the_number():
    accounts = settings_of(
        {"number_of_accounts": 3, "accounts": [{"name": "mine", "key": "k"}]}
    ).every_account()

    assert [account.name for account in accounts] == ["mine", "ark-2", "ark-3"]
    assert accounts[0].key == "k"
    assert [account.account_id for account in accounts] == [
        "2100000001", "2100000002", "2100000003",
    ]  # fmt: skip
    assert len({account.key for account in accounts}) == 3
    assert len({name for account in accounts for name in account.endpoints}) == 12


def test_made_keys_and_endpoints_follow_the_seed():
    one, same, other = (settings_of({"seed": seed}).every_account()[0] for seed in (1, 1, 2))

    assert (one.key, one.endpoints) == (same.key, same.endpoints)
    assert one.key != other.key
    assert set(one.endpoints).isdisjoint(other.endpoints)


def test_ports_follow_the_first():
    raw = {"own_ports": True, "port": 9_000, "number_of_accounts": 2}

    assert [account.port for account in settings_of(raw).every_account()] == [9_000, 9_001]


def test_flags_win_table_by_table():
    below = {"timing": {"tokens_per_s": 5, "first_token_s": 1}, "faults": [1], "seed": 1}

    assert merged(below, {"timing": {"tokens_per_s": 9}, "faults": []}) == {
        "timing": {"tokens_per_s": 9, "first_token_s": 1}, "faults": [], "seed": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"nope": 1}, "nope"),
        ({"number_of_accounts": 0}, "number_of_accounts: must be `int` >= 1"),
        ({"accounts": [{"name": "UP"}]}, "accounts[0].name: must be "),
        ({"accounts": [{"name": "a"}, {"name": "a"}]}, "`name` must be unique"),
        ({"accounts": [{"name": "a", "key": "k"}, {"name": "b", "key": "k"}]}, "`key` must be"),
        ({"accounts": [{"name": "a", "not_open": ["gpt"]}]}, "'gpt'"),
        ({"accounts": [{"name": "a", "endpoints": {"ep-1": "gpt"}}]}, "'gpt'"),
        ({"answers": {"min_tokens": 9, "max_tokens": 3}}, "min_tokens"),
        ({"faults": [{"kind": "cut", "accounts": ["x"]}]}, "'x'"),
        ({"faults": [{"kind": "refuse", "accounts": ["ark-1"]}]}, "own_ports"),
        ({"faults": [{"kind": "refuse", "probability": 0.5}]}, "account and time"),
        ({"models": []}, "models: must be "),
        ({"speed": 0}, "speed: must be "),
    ],
)
def test_settings_that_cannot_be_are_named(raw, says):
    with pytest.raises(SettingsError) as caught:
        settings_of(raw)

    assert says in str(caught.value)
    assert "key: k" not in str(caught.value)


def test_files(tmp_path):
    toml, json, bad = tmp_path / "a.toml", tmp_path / "a.json", tmp_path / "b.toml"
    toml.write_text('seed = 3\n[[faults]]\nkind = "cut"\n')
    json.write_text('{"seed": 3, "faults": [{"kind": "cut"}]}')
    bad.write_text("seed = = 3")

    assert read(toml) == read(json)
    with pytest.raises(SettingsError, match=r"b\.toml"):
        read(bad)
    json.write_text("[]")
    with pytest.raises(SettingsError, match="object"):
        read(json)


def test_a_rule_in_one_line():
    rule = rule_of(["stall", "accounts=a,b", "after_tokens=2", "stream=true", "for_s=0.5"])

    assert (rule["kind"], rule["accounts"], rule["stream"]) == ("stall", ("a", "b"), True)
    assert (rule["after_tokens"], rule["for_s"]) == (2, 0.5)


@pytest.mark.parametrize("words", [[], ["nope"], ["cut", "x"], ["cut", "every=x"]])
def test_a_rule_that_cannot_be(words):
    with pytest.raises(SettingsError, match="faults"):
        rule_of(words)
