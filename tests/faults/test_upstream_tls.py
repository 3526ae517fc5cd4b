"""Is an upstream's identity checked before anything is said to it? TLS with verification."""

import socket
import time

import pytest

from support.answers import reply
from support.gateway import Gateway, accounts
from support.upstream import Upstream

tls = pytest.importorskip("support.tls", exc_type=ImportError, reason="needs cryptography")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return tls.Authority(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_whose_authority_is_trusted(authority, stream):
    with Upstream(tls=authority.server_context()) as upstream:
        trusted = accounts(upstream, ca_file=str(authority.ca_file))
        with Gateway({"accounts": trusted}) as gateway:
            answer = gateway.chat(upstream.plan(reply("over TLS")), stream=stream)
            again = gateway.chat(upstream.plan(reply("kept alive")))

    assert b"over TLS" in answer.body
    assert b"kept alive" in again.body
    assert upstream.connections_made == 1


CERTIFICATES = {
    "unknown authority": (False, "127.0.0.1", False),
    "another name": (True, "elsewhere.test", False),
    "expired": (True, "127.0.0.1", True),
}


@pytest.mark.parametrize(("trusted", "name", "expired"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_an_upstream_that_cannot_prove_itself_gets_nothing(authority, trusted, name, expired):
    """Above all not the credential."""
    with Upstream(tls=authority.server_context(name, expired=expired)) as upstream:
        more = {"ca_file": str(authority.ca_file)} if trusted else {}
        with Gateway({"accounts": accounts(upstream, **more)}) as gateway:
            answer = gateway.chat("secret")

    assert answer.status == 502
    assert answer.error["code"] == "upstream_error"
    assert upstream.log == []


def test_a_tls_upstream_that_never_finishes_its_handshake_runs_out_of_clock_1():
    """A plain TCP server that says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        account = {
            "name": "mute",
            "dialect": "openai",
            "base_url": f"https://127.0.0.1:{mute.getsockname()[1]}/v1",
        }
        settings = {"accounts": [account], "upstream": {"connect_s": 0.3}}
        with Gateway(settings) as gateway:
            started_s = time.monotonic()
            answer = gateway.chat("hello?")

    assert answer.error["code"] in ("upstream_timeout", "upstream_error")
    assert time.monotonic() - started_s < 3
