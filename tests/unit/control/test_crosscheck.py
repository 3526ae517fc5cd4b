import pytest

from arkway.control.config import Config, Control, Limits, Server
from arkway.control.crosscheck import crosscheck


def problems_of(config):
    return [str(problem) for problem in crosscheck(config)]


@pytest.mark.parametrize(
    ("control", "problem"),
    [
        (Control(docs_model="m", docs_key_file="/k"), None),
        (Control(docs_model="m"), "control.docs_key_file: is needed with control.docs_model"),
        (Control(docs_key_file="/k"), "control.docs_model: is needed with control.docs_key_file"),
    ],
)
def test_a_model_that_answers_needs_a_key_and_a_key_a_model(control, problem):
    assert problems_of(Config(control=control)) == ([problem] if problem else [])


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


@pytest.mark.parametrize(("together", "is_fine"), [(2048, True), (2047, False)])
def test_one_body_fits_into_the_memory_of_all(together, is_fine):
    limits = Limits(max_body_bytes=2048, max_buffered_body_bytes=together)
    path = "limits.max_buffered_body_bytes"
    expected = [] if is_fine else [f"{path}: must be at least limits.max_body_bytes"]

    assert problems_of(Config(limits=limits)) == expected
