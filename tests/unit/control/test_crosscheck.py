import pytest
from msgspec.structs import replace

from arkway.control.config import BUILTIN_MODELS, Account, Config, Key, Limits, Server
from arkway.control.crosscheck import crosscheck

HASH = "sha256:" + "0" * 64
PRO, PRO_256K, LITE, OLD = BUILTIN_MODELS


def problems_of(config, **names):
    config = config if config.models else replace(config, models=BUILTIN_MODELS)
    return [str(p) for p in crosscheck(config, {"models": [], "accounts": [], "keys": []} | names)]


def account(**fields):
    return Account(name="a", dialect="ark", base_url="https://h", key_env="K", **fields)


def test_the_defaults_agree():
    assert problems_of(Config()) == []


@pytest.mark.parametrize(
    ("server", "is_fine"),
    [
        (Server(port=1, ops_port=2), True),
        (Server(port=1, ops_port=1), False),
        (Server(port=0, ops_port=0), True),
        (Server(host="10.0.0.1", port=1, ops_port=1), True),
        (Server(host="10.0.0.1", ops_host="0.0.0.0", port=1, ops_port=1), False),
        (Server(host="127.0.0.1", port=1, ops_port=1), False),
    ],
)
def test_two_listeners_need_two_ports(server, is_fine):
    expected = [] if is_fine else ["server.ops_port: must differ from server.port"]

    assert problems_of(Config(server=server)) == expected


def test_one_body_fits_among_all_bodies():
    limits = Limits(max_body_bytes=4096, max_buffered_body_bytes=2048)

    assert problems_of(Config(limits=limits)) == [
        "limits.max_buffered_body_bytes: must be at least limits.max_body_bytes"
    ]


@pytest.mark.parametrize("array", ["models", "accounts", "keys"])
def test_names_are_unique(array):
    assert problems_of(Config(), **{array: ["x", "y", "x", "x"]}) == [
        f"{array}.x: 3 entries have this name; names are unique"
    ]


@pytest.mark.parametrize(
    "aliases", [("x", "x"), (LITE.name,), (PRO.name,)], ids=["twice", "another", "itself"]
)
def test_an_alias_is_nobody_elses_name(aliases):
    models = (replace(PRO, aliases=aliases), LITE)

    assert problems_of(Config(models=models)) == [
        f'models."{PRO.name}".aliases: "{aliases[0]}" is already the name or alias of a model'
    ]


def test_two_models_with_one_alias_are_both_told():
    models = (replace(PRO, aliases=("x",)), replace(LITE, aliases=("x",)))

    assert len(problems_of(Config(models=models))) == 2


def test_accounts_and_keys_name_models_that_exist():
    config = Config(
        accounts=(account(models={"Doubao-pro-32": "ep-1"}),),
        keys=(Key(name="k", hash=HASH, models=("doubao-pro-32k",)),),
    )

    assert problems_of(config) == [
        'accounts.a.models: "Doubao-pro-32" is not a model here; did you mean Doubao-pro-32k?',
        'keys.k.models: "doubao-pro-32k" is not a model here; did you mean Doubao-pro-32k?',
    ]


def test_the_name_of_a_refused_model_is_known_all_the_same():
    assert problems_of(Config(accounts=(account(models={"new": "ep"}),)), models=["new"]) == []


def test_an_alias_will_do_for_a_key_but_not_for_an_account():
    config = Config(
        models=(replace(OLD, aliases=("old",)),),
        accounts=(account(models={"old": "ep-1"}),),
        keys=(Key(name="k", hash=HASH, models=("old",)),),
    )

    assert problems_of(config) == [
        'accounts.a.models: "old" is an alias; write its name, "Doubao-pro-32k"'
    ]


def test_one_hash_is_one_key():
    keys = (Key(name="a", hash=HASH), Key(name="b", hash=HASH))

    assert problems_of(Config(keys=keys)) == ["keys.b.hash: is also the hash of keys.a"]
