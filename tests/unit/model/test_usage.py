import pytest

from arkway.model.usage import Usage


@pytest.mark.parametrize(
    "usage",
    [
        Usage(),
        Usage(1, 1, 0, 0),
        Usage(5, 4, 3, 2),
        Usage(5, 4, 3, 2, 1),
        Usage(10**12, 0, 10**12, 10**12),
    ],
)
def test_what_can_be(usage):
    assert usage.is_possible()


@pytest.mark.parametrize(
    "usage",
    [
        Usage(-1),
        Usage(1, 2),
        Usage(1, -1),
        Usage(1, 0, -1),
        Usage(1, 0, 1, -1),
        Usage(1, 0, 1, 2),
        Usage(2, 1, 0, 0, 2),
    ],
)
def test_what_cannot_be(usage):
    assert not usage.is_possible()
