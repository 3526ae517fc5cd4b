import pytest

from arkway.control.entry_rules import entry_problems


def account(**fields):
    raw = {"base_url": "https://h", "key_env": "K"} | fields
    raw = {key: value for key, value in raw.items() if value is not None}
    return [str(p) for p in entry_problems("accounts", "accounts.a", raw, raw)]


def test_an_account_with_one_credential_is_fine():
    assert account() == []
    assert account(key_env=None, key_file="f") == []


def test_two_credentials_are_one_too_many():
    assert account(key_file="f") == ["accounts.a: has both key_env and key_file; keep one"]


def test_no_credential_is_fine_on_this_machine_only():
    assert account(key_env=None) == [
        "accounts.a: has no credential; name it with key_env or key_file"
    ]
    assert account(key_env=None, base_url="http://127.0.0.1:1") == []


def test_only_listed_models_needs_a_list():
    assert account(only_listed_models=True) == [
        "accounts.a.only_listed_models: needs an entry in `models`"
    ]
    assert account(only_listed_models=True, models={"a": "b"}) == []


def test_authorities_are_for_https():
    assert account(ca_file="f", base_url="http://localhost") == [
        "accounts.a.ca_file: needs an https:// base_url"
    ]
    assert account(ca_file="f") == []


def test_a_refused_field_is_not_taken_for_a_missing_one():
    raw = {
        "base_url": "https://h",
        "key_env": "sk-1",
        "only_listed_models": True,
        "models": {"": 1},
    }

    assert entry_problems("accounts", "a", raw, {"base_url": "https://h"}) == []
    assert entry_problems("accounts", "a", {}, {}) == []


@pytest.mark.parametrize(("most", "count"), [(100, 0), (101, 1)])
def test_an_answer_fits_into_the_context(most, count):
    values = {"context_tokens": 100, "max_output_tokens": most}

    assert len(entry_problems("models", "models.m", values, values)) == count


def test_keys_agree_with_themselves():
    assert entry_problems("keys", "keys.k", {}, {}) == []
