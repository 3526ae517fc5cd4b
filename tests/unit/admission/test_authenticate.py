from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission.authenticate import authenticate
from arkway.model.call import RawRequest
from arkway.model.catalogue import KeySpec, Snapshot
from arkway.model.errors import InvalidApiKey, KeyDisabled, MissingApiKey
from support import strategies  # noqa: F401 - its profile

GOOD, OFF = b"sk-" + b"g" * 48, b"sk-" + b"o" * 48
KEYS = {
    sha256(text).digest(): KeySpec(sha256(text).digest(), name, "t", enabled=name != "off")
    for text, name in ((GOOD, "good"), (OFF, "off"), (b"k" * 8, "short"), (b"k" * 256, "long"))
}
SNAPSHOT = Snapshot({}, (), KEYS)


def ask(authorization, repeated=()):
    request = RawRequest(b"GET", b"/", authorization, repeated=frozenset(repeated))
    return authenticate(request, SNAPSHOT)


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER ", b"bEaReR "])
@pytest.mark.parametrize(
    ("key", "name"), [(GOOD, "good"), (b"k" * 8, "short"), (b"k" * 256, "long")]
)
def test_a_key_says_who_asks(scheme, key, name):
    assert ask(scheme + key).key.name == name


@pytest.mark.parametrize(
    "authorization",
    [
        b"",
        b"Bearer",
        b"Bearer:" + GOOD,
        b"Bearer\t" + GOOD,
        b" Bearer " + GOOD,
        b"Basic " + GOOD,
        b"Token " + GOOD,
        GOOD,
        b"\xff" * 10,
    ],
)
def test_no_bearer_credential_is_a_missing_key(authorization):
    with pytest.raises(MissingApiKey):
        ask(authorization)


@pytest.mark.parametrize(
    "credential",
    [
        b"",
        b" ",
        b"k" * 7,
        b"k" * 257,
        b"k" * 1_000_000,
        b" " + GOOD,
        GOOD + b" ",
        GOOD + b"\n",
        GOOD + b", " + GOOD,
        GOOD + b"\0",
        GOOD.upper(),
        GOOD[:-1],
        b"'" + GOOD + b"'",
        "ключ-ключ".encode(),
        b"%00" * 10,
        b"../../../etc/passwd",
        b"sk-" + b"x" * 48,
        sha256(GOOD).digest(),
        sha256(GOOD).hexdigest().encode(),
    ],
)
def test_a_credential_that_nobody_holds_is_refused_in_the_same_words(credential):
    with pytest.raises(InvalidApiKey) as refusal:
        ask(b"Bearer " + credential)

    assert str(refusal.value) == "Incorrect API key provided."


def test_a_disabled_key_says_so():
    with pytest.raises(KeyDisabled):
        ask(b"Bearer " + OFF)


def test_two_credentials_are_refused_even_if_one_is_good():
    with pytest.raises(InvalidApiKey, match="More than one"):
        ask(b"Bearer " + GOOD, ["authorization"])

    assert ask(b"Bearer " + GOOD, ["content-type"]).key.name == "good"


@given(st.binary(max_size=300))
def test_noise_reaches_nothing(noise):
    for authorization in (noise, b"Bearer " + noise):
        with pytest.raises((MissingApiKey, InvalidApiKey)) as refusal:
            ask(authorization)
        assert refusal.value.status == 401
        assert len(noise) < 3 or noise.decode("latin-1") not in str(refusal.value)


def test_a_malformed_credential_is_not_even_hashed(monkeypatch):
    monkeypatch.setattr("arkway.admission.authenticate.sha256", None)

    with pytest.raises(InvalidApiKey):
        ask(b"Bearer " + b"a" * 10_000_000)
