import socket

import pytest

from arkway.control.reach import dialled


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("a.example", "a.example"),
    ],
)
def test_a_listener_is_reached_by_the_loopback_of_its_family(host, reached):
    assert dialled(host) == reached


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_it_does_reach_it(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        door = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with door:
        socket.create_connection((dialled(host), door.getsockname()[1]), timeout=5).close()
