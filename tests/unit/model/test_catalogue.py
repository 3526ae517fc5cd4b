import dataclasses

import pytest

from arkway.model.catalogue import AccountSpec, Dialect, ModelSpec, Secret

TEXT = "ark-hunter2"


@pytest.mark.parametrize("show", [str, repr, "{}".format, "{!r:>5}".format, lambda s: f"{[s]}"])
def test_a_secret_never_shows(show):
    assert TEXT not in show(Secret(TEXT))
    assert "***" in show(Secret(TEXT))


def test_a_secret_does_not_show_through_its_account():
    account = AccountSpec("a", Dialect.ARK, "https://h", Secret(TEXT))

    assert TEXT not in f"{account}{account!r}{dataclasses.astuple(account)}"
    assert account.credential.reveal() == TEXT


def test_secrets_are_equal_by_their_text():
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret("other")
    assert Secret(TEXT) != TEXT
    assert len({Secret(TEXT), Secret(TEXT), Secret("")}) == 2
    assert Secret(TEXT)
    assert not Secret("")


def test_a_text_of_so_many_bytes_always_fits():
    model = ModelSpec("m", "m", 32_768, 12_288)

    assert model.always_fits_bytes == 20_480
    assert dataclasses.replace(model, context_tokens=12_289).always_fits_bytes == 1


def test_the_catalogue_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelSpec("m", "m", 2, 1).name = "n"
