import ssl

import pytest

from arkway.control.config import BUILTIN_MODELS, Config, Upstream
from arkway.control.files_io import FileText
from arkway.control.snapshot import build
from arkway.model.catalogue import AccountLimits, Clocks, Dialect, KeySpec, Price, Secret
from arkway.store.entries import Account, Limits, Model
from arkway.store.read_io import StoredAccount, StoreView

PRICE = Price(9, "CNY", 1, 1, 1)
PRICES = {
    model.name: Price(number, "CNY", 3, 2, 4) for number, model in enumerate(BUILTIN_MODELS, 1)
}


def account(name="a", credential=None, problem="", **fields):
    usual = {"dialect": "ark", "base_url": "https://h"}
    return StoredAccount(Account(name=name, **usual | fields), credential, problem)


def local(**fields):
    return account(base_url="http://127.0.0.1:1/v1", **fields)


def built(*accounts, environ=None, files=None, config=Config(), **parts):
    def read_file(path):
        found = (files or {}).get(str(path))
        if found is None:
            raise FileNotFoundError(2, "No such file or directory")
        return found

    view = StoreView(**{"accounts": accounts, "prices": PRICES} | parts)
    return build(config, view, b"key secret", environ or {}, read_file)


def lines(problems):
    return [str(problem) for problem in problems]


def test_an_account_comes_out_with_its_credential():
    found = built(
        account(key_env="K", models={"Doubao-pro-32k": "ep-1"}, weight=3), environ={"K": " sk-1\n"}
    )

    (spec,) = found.snapshot.accounts
    assert (spec.id, spec.dialect, spec.base_url) == ("a", Dialect.ARK, "https://h")
    assert spec.credential == Secret("sk-1")
    assert (spec.models, spec.weight) == ({"Doubao-pro-32k": "ep-1"}, 3)
    assert found.problems == found.warnings == ()


@pytest.mark.parametrize("environ", [{}, {"K": ""}, {"K": " \n"}])
def test_a_missing_credential_refuses_the_configuration(environ):
    found = built(account(key_env="K"), environ=environ)

    assert found.snapshot.accounts == ()
    assert lines(found.problems) == ["accounts.a.key_env: K is not set in the environment"]


def test_on_this_machine_a_missing_credential_is_only_a_warning():
    found = built(local(key_env="K"))

    assert found.snapshot.accounts[0].credential == Secret("")
    assert lines(found.warnings) == [
        (
            "accounts.a.key_env: K is not set in the environment; "
            "none is sent, as the server is on this machine"
        )
    ]


def test_on_this_machine_no_credential_needs_no_word():
    found = built(local())

    assert found.problems == found.warnings == ()


@pytest.mark.parametrize("text", ["sk 1", "sk\n1", "sk\r\nX-Evil: 1", "schlüssel", "x" * 8001])
def test_what_no_header_can_carry_is_no_credential(text):
    found = built(account(key_env="K"), environ={"K": text})

    (problem,) = lines(found.problems)
    assert problem.startswith("accounts.a.key_env: leads to no credential")
    assert text not in problem


def test_a_credential_in_clear_text_to_another_machine_is_a_warning():
    far = account(base_url="http://10.0.0.1", key_env="K")
    near = local(key_env="K")

    assert lines(built(far, environ={"K": "k"}).warnings) == [
        "accounts.a.base_url: sends its credential unencrypted; use https://"
    ]
    assert built(near, environ={"K": "k"}).warnings == ()


def test_an_account_that_is_switched_off_is_left_alone():
    found = built(account(key_env="K", enabled=False))

    assert found.snapshot.accounts == ()
    assert found.problems == ()


def test_all_missing_credentials_come_at_once():
    found = built(
        account(key_env="K"), account("b", problem="does not open"), account("c", ca_file="/c")
    )

    assert [problem.path for problem in found.problems] == [
        "accounts.a.key_env",
        "accounts.b.credential",
        "accounts.c.ca_file",
    ]


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nxx\n", "héllo"])
def test_authorities_must_be_certificates(text):
    found = built(local(ca_file="/c"), files={"/c": FileText(text, is_shared=True)})

    assert [problem.path for problem in found.problems] == ["accounts.a.ca_file"]


def test_authorities_that_are_certificates_are_taken_by_path():
    authorities = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not authorities:
        pytest.skip("this machine has no certificate to try")
    pem = ssl.DER_cert_to_PEM_cert(authorities[0])

    commented = f"# Főtanúsítvány\n{pem}"
    found = built(local(ca_file="/c"), files={"/c": FileText(commented, is_shared=True)})

    assert found.snapshot.accounts[0].ca_file == "/c"
    assert found.warnings == ()  # certificates are public


def test_models_are_found_by_name_and_by_alias():
    model = Model(
        name="m", upstream_model="u", context_tokens=9, max_output_tokens=9, aliases=("x", "y")
    )

    models = built(models=(model,), prices={"m": PRICE}).snapshot.models

    assert models.keys() == {"m", "x", "y"}
    assert models["x"] is models["m"]


def test_a_models_own_clocks_win_over_the_usual_ones():
    model = Model(name="m", upstream_model="u", context_tokens=9, max_output_tokens=9, total_s=7.0)

    found = built(
        models=(model,), prices={"m": PRICE}, config=Config(upstream=Upstream(connect_s=1.0))
    )

    assert found.snapshot.models["m"].clocks == Clocks(connect_s=1.0, total_s=7.0)


def test_the_usual_clocks_are_those_of_the_catalogue():
    assert built().snapshot.models["Doubao-pro-32k"].clocks == Clocks()


def test_a_model_that_nobody_serves_is_a_warning():
    only = local(models={"Doubao-pro-32k": "x"}, only_listed_models=True)

    assert lines(built(only).warnings) == [
        f'models."{name}": is served by no account'
        for name in ("Doubao-1.5-pro-32k", "Doubao-1.5-pro-256k", "Doubao-1.5-lite-32k")
    ]


def test_no_path_of_a_credential_shows_it():
    found = built(account(key_env="K"), environ={"K": "hunter2"})

    assert "hunter2" not in repr(found)
    assert "hunter2" not in repr(FileText("hunter2", is_shared=False))


def test_a_sealed_credential_is_used_and_one_that_does_not_open_is_not():
    found = built(account(credential="sk-1"), account("b", "", problem="does not open"))

    assert [spec.credential for spec in found.snapshot.accounts] == [Secret("sk-1")]
    assert lines(found.problems) == [
        "accounts.b.credential: does not open; give it again: `arkway accounts edit`"
    ]
    assert "sk-1" not in repr(found)


def test_the_keys_are_those_of_the_view():
    keys = {b"d": KeySpec(b"d", "k", "t")}

    found = built(keys=keys, revision=7, changed_unix_ms=9).snapshot

    assert found.keys is keys
    assert (found.key_secret, found.revision, found.changed_unix_ms) == (b"key secret", 7, 9)


def test_a_model_without_a_price_is_not_served():
    prices = {name: price for name, price in PRICES.items() if name != "Doubao-pro-32k"}

    found = built(prices=prices)

    assert found.snapshot.models.keys() == prices.keys()
    assert found.snapshot.models["Doubao-1.5-pro-32k"].price is PRICES["Doubao-1.5-pro-32k"]
    assert lines(found.warnings) == [
        "models.Doubao-pro-32k: has no price, so it is not served; `arkway prices set` gives it one"
    ]


def test_a_model_that_is_switched_off_is_not_served_and_not_missed():
    off = Model(name="m", upstream_model="u", context_tokens=9, max_output_tokens=9, enabled=False)

    found = built(models=(off,), prices={"m": PRICE})

    assert (found.snapshot.models, found.warnings) == ({}, ())


def test_limits_and_draining_come_along():
    (spec,) = built(
        local(
            requests_per_min=1,
            in_flight=2,
            model_limits={"Doubao-pro-32k": Limits(tokens_per_min=3)},
            is_draining=True,
        )
    ).snapshot.accounts

    assert spec.limits == AccountLimits(1, None, 2)
    assert spec.model_limits == {"Doubao-pro-32k": AccountLimits(None, 3, None)}
    assert spec.is_draining
