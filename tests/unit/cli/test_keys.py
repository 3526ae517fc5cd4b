import json

from arkway.control.keys import hash_of
from arkway.control.load import load


def test_the_line_scripts_rely_on(arkway):
    status, out, err = arkway("keys", "create", "--name", "bench", "--json")

    made = json.loads(out)
    (key,) = load(arkway.home, None, {}).config.keys
    assert (status, err, out.count("\n")) == (0, "", 1)
    assert made["key"].startswith("sk-")
    assert made["hash"] == key.hash == hash_of(made["key"])
    assert (made["name"], made["tenant"], made["models"]) == ("bench", "default", [])


def test_only_the_key_goes_to_standard_output(arkway):
    _, out, err = arkway("keys", "create", "--name", "ci")

    assert out.startswith("sk-")
    assert len(out) == len("sk-") + 48 + 1
    assert "only time" in err
    assert out.strip() not in err


def test_the_key_is_kept_nowhere(arkway):
    _, out, _ = arkway("keys", "create", "--name", "ci")

    assert all(out.strip() not in file.read_text() for file in arkway.home.iterdir())


def test_tenant_and_models_are_kept(arkway):
    arkway(
        *("keys", "create", "--name", "a b", "--tenant", "t"),
        *("--model", "Doubao-pro-32k", "--model", "Doubao-1.5-pro-32k"),
    )

    (key,) = load(arkway.home, None, {}).config.keys
    assert (key.name, key.tenant) == ("a b", "t")
    assert key.models == ("Doubao-pro-32k", "Doubao-1.5-pro-32k")


def test_what_breaks_a_rule_is_refused(arkway):
    arkway("keys", "create", "--name", "a")

    assert arkway("keys", "create", "--name", "a") == (2, "", "arkway: keys.a: exists already\n")
    status, _, err = arkway("keys", "create", "--name", "b", "--model", "Doubao-pro-32")
    assert status == 2
    assert "did you mean Doubao-pro-32k?" in err


def test_keys_go_into_the_named_file(arkway, tmp_path):
    named = tmp_path / "named.toml"

    arkway("keys", "create", "--name", "a", "--config", named)

    assert 'name = "a"' in named.read_text()
    assert not (arkway.home / "arkway.toml").exists()


def test_the_list_shows_names_and_the_beginning_of_hashes(arkway):
    arkway("keys", "create", "--name", "[bold]a[/bold]")

    status, out, _ = arkway("keys", "list")

    (key,) = load(arkway.home, None, {}).config.keys
    assert status == 0
    assert "[bold]a[/bold]" in out
    assert key.hash[:19] in out
    assert key.hash not in out


def test_the_list_is_data_too(arkway):
    arkway("keys", "create", "--name", "a")

    _, out, _ = arkway("keys", "list", "--json")

    (entry,) = json.loads(out)
    assert entry.keys() == {"name", "tenant", "enabled", "models", "hash"}


def test_a_list_of_nothing_is_empty_data(arkway):
    assert arkway("keys", "list", "--json") == (0, "[]\n", "")


def test_a_broken_configuration_lists_nothing(arkway):
    arkway.home.mkdir()
    (arkway.home / "arkway.toml").write_text("[sever]\n[lgo]\n")

    status, out, err = arkway("keys", "list")

    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "arkway: sever: unknown section; did you mean server?",
        "arkway: lgo: unknown section; did you mean log?",
    ]
