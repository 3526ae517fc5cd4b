import ssl

import pytest

from arkway.control.config import BUILTIN_MODELS, Account, Config, Key, Model, Upstream
from arkway.control.files_io import FileText
from arkway.control.snapshot import build
from arkway.model.catalogue import Clocks, Dialect, Secret

HASH = "sha256:" + "ab" * 32


def account(name="a", **fields):
    usual = {"dialect": "ark", "base_url": "https://h"}
    return Account(name=name, **usual | fields)


def local(**fields):
    return account(base_url="http://127.0.0.1:1/v1", **fields)


def built(*accounts, environ=None, files=None, **parts):
    def read_file(path):
        found = (files or {}).get(str(path))
        if found is None:
            raise FileNotFoundError(2, "No such file or directory")
        return found

    config = Config(**{"models": BUILTIN_MODELS, "accounts": accounts} | parts)
    return build(config, environ or {}, read_file)


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


def test_a_credential_comes_from_a_file_without_the_blanks_around_it():
    found = built(account(key_file="/s"), files={"/s": FileText("\n sk-1 \n", is_shared=False)})

    assert found.snapshot.accounts[0].credential == Secret("sk-1")
    assert found.warnings == ()


def test_a_file_that_others_can_read_is_a_warning():
    found = built(account(key_file="/s"), files={"/s": FileText("sk-1", is_shared=True)})

    assert found.snapshot is not None
    assert lines(found.warnings) == [
        "accounts.a.key_file: others may read the file; chmod 600 makes it private"
    ]


@pytest.mark.parametrize("environ", [{}, {"K": ""}, {"K": " \n"}])
def test_a_missing_credential_refuses_the_configuration(environ):
    found = built(account(key_env="K"), environ=environ)

    assert found.snapshot is None
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


@pytest.mark.parametrize("make", [account, local])
def test_a_file_that_is_not_there_refuses_everywhere(make):
    assert lines(built(make(key_file="/s")).problems) == [
        "accounts.a.key_file: cannot be read: No such file or directory"
    ]


def test_an_empty_file_is_no_credential():
    found = built(account(key_file="/s"), files={"/s": FileText("\n", is_shared=False)})

    assert lines(found.problems) == ["accounts.a.key_file: the file is empty"]


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
    found = built(account(key_env="K"), account("b", key_file="/s"), account("c", ca_file="/c"))

    assert [problem.path for problem in found.problems] == [
        "accounts.a.key_env",
        "accounts.b.key_file",
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

    models = built(models=(model,)).snapshot.models

    assert models.keys() == {"m", "x", "y"}
    assert models["x"] is models["m"]


def test_a_models_own_clocks_win_over_the_usual_ones():
    model = Model(name="m", upstream_model="u", context_tokens=9, max_output_tokens=9, total_s=7.0)

    found = built(models=(model,), upstream=Upstream(connect_s=1.0))

    assert found.snapshot.models["m"].clocks == Clocks(connect_s=1.0, total_s=7.0)


def test_the_usual_clocks_are_those_of_the_catalogue():
    assert built().snapshot.models["Doubao-pro-32k"].clocks == Clocks()


def test_keys_are_found_by_hash():
    key = Key(name="k", hash=HASH, tenant="t", enabled=False)

    (spec,) = built(keys=(key,)).snapshot.keys.values()

    assert built(keys=(key,)).snapshot.keys == {b"\xab" * 32: spec}
    assert (spec.name, spec.tenant, spec.enabled, spec.models) == ("k", "t", False, None)


def test_aliases_in_an_allow_list_mean_their_models():
    model = Model(
        name="m", upstream_model="u", context_tokens=9, max_output_tokens=9, aliases=("x",)
    )
    key = Key(name="k", hash=HASH, models=("x",))

    (spec,) = built(models=(model,), keys=(key,)).snapshot.keys.values()

    assert spec.models == {"m"}


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
