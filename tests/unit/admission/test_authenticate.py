from hashlib import sha256
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.admission.authenticate import authenticate, check_not_expired, is_revoked
from arkway.model.call import RawRequest
from arkway.model.catalogue import KeySpec, Snapshot
from arkway.model.errors import (
    InvalidApiKey,
    IpNotAllowed,
    KeyDisabled,
    KeyExpired,
    MissingApiKey,
)
from arkway.model.key_digest import key_digest
from support import strategies  # noqa: F401 - its profile

SECRET = b"s" * 32
GOOD, OFF = b"sk-" + b"g" * 48, b"sk-" + b"o" * 48
SHORT, LONG = b"sk-" + b"k" * 5, b"sk-" + b"k" * 253
NOW_S = 1_000_000


def key(text, name, **fields):
    digest = key_digest(SECRET, text)
    return {digest: KeySpec(digest, name, "t", **fields)}


SNAPSHOT = Snapshot(
    {},
    (),
    key(GOOD, "good") | key(OFF, "off", enabled=False) | key(SHORT, "short") | key(LONG, "long"),
    SECRET,
)


def ask(authorization, repeated=(), snapshot=SNAPSHOT, now_s=NOW_S, peer="192.0.2.1"):
    request = RawRequest(b"GET", b"/", authorization, repeated=frozenset(repeated), peer=peer)
    return authenticate(request, snapshot, now_s)


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER ", b"bEaReR "])
@pytest.mark.parametrize(("key", "name"), [(GOOD, "good"), (SHORT, "short"), (LONG, "long")])
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
        SHORT[:-1],
        LONG + b"k",
        b"pk-" + GOOD[3:],
        GOOD[3:],
        b"' OR '1'='1",
        b"sk-' OR '1'='1' --",
        b"sk-aaaaaa; DROP TABLE api_keys",
        b"sk-" + "９".encode() * 16,
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
    monkeypatch.setattr("arkway.admission.authenticate.key_digest", None)

    with pytest.raises(InvalidApiKey):
        ask(b"Bearer sk-" + b"a" * 10_000_000)


def test_a_digest_is_of_the_gateways_own_secret():
    stolen = Snapshot({}, (), SNAPSHOT.keys, b"another secret")

    with pytest.raises(InvalidApiKey):
        ask(b"Bearer " + GOOD, snapshot=stolen)
    assert SECRET.decode() not in repr(SNAPSHOT)


@pytest.mark.parametrize(
    ("expires_s", "is_good"), [(None, True), (NOW_S + 1, True), (NOW_S, False), (0, False)]
)
def test_a_key_ends_with_its_time(expires_s, is_good):
    snapshot = Snapshot({}, (), key(GOOD, "k", expires_unix_s=expires_s), SECRET)

    if is_good:
        check_not_expired(ask(b"Bearer " + GOOD, snapshot=snapshot).key, NOW_S)
        return
    with pytest.raises(KeyExpired):
        ask(b"Bearer " + GOOD, snapshot=snapshot)
    caller = ask(b"Bearer " + GOOD, snapshot=snapshot, now_s=-1)  # recognised from before
    with pytest.raises(KeyExpired):
        check_not_expired(caller.key, NOW_S)


@pytest.mark.parametrize(
    ("allowed", "denied", "peer", "is_good"),
    [
        (["10.0.0.0/8"], [], "10.1.2.3", True),
        (["10.0.0.0/8"], [], "11.1.2.3", False),
        (["10.0.0.0/8"], [], "::ffff:10.1.2.3", True),
        (["2001:db8::/32"], [], "2001:db8::1", True),
        (["2001:db8::/32"], [], "10.1.2.3", False),
        (["2001:db8::/32", "10.0.0.0/8"], [], "10.1.2.3", True),
        ([], ["10.0.0.0/8"], "10.1.2.3", False),
        ([], ["10.0.0.0/8"], "11.1.2.3", True),
        (["10.0.0.0/8"], ["10.1.0.0/16"], "10.1.2.3", False),
        (["10.0.0.0/8"], ["10.1.0.0/16"], "10.2.2.3", True),
        (["0.0.0.0/0", "::/0"], [], "", False),
        ([], ["10.0.0.0/8"], "", False),
        (["fe80::/10"], [], "fe80::1%eth0", True),
        ([], [], "", True),
    ],
)
def test_a_key_is_used_from_its_networks(allowed, denied, peer, is_good):
    networks = {
        "allowed_networks": tuple(map(ip_network, allowed)),
        "denied_networks": tuple(map(ip_network, denied)),
    }
    snapshot = Snapshot({}, (), key(GOOD, "k", **networks), SECRET)

    if is_good:
        assert ask(b"Bearer " + GOOD, snapshot=snapshot, peer=peer).key.name == "k"
        return
    with pytest.raises(IpNotAllowed) as refusal:
        ask(b"Bearer " + GOOD, snapshot=snapshot, peer=peer)
    assert refusal.value.status == 403
    assert peer == "" or peer not in str(refusal.value)


def test_a_key_that_is_gone_is_revoked():
    caller = ask(b"Bearer " + GOOD)

    assert not is_revoked(caller.key, SNAPSHOT)
    assert is_revoked(caller.key, Snapshot({}, (), {}, SECRET))
