"""The gateways that conformance tests share: one process a module, ordinary settings."""

from collections.abc import Iterator

import pytest

from support.answers import reply
from support.lab import Lab, open_lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A gateway over one OpenAI-compatible account."""
    with open_lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def ark_lab() -> Iterator[Lab]:
    """A gateway over one Ark account, whose default answers have Ark's shape."""
    with open_lab(dialect="ark", upstream={"default": reply(shape="ark")}) as lab:
        yield lab


@pytest.fixture(params=["openai", "ark"], scope="module")
def shaped(request: pytest.FixtureRequest) -> tuple[Lab, str]:
    """Each dialect in turn, with the shape of its answers."""
    return request.getfixturevalue("lab" if request.param == "openai" else "ark_lab"), request.param
