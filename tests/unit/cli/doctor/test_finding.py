import pytest

from arkway.cli.doctor.finding import is_sound, ok, problem, size, warning


def test_warnings_are_sound_and_problems_are_not():
    assert is_sound([ok("a", "b"), warning("a", "b", "c")])
    assert not is_sound([ok("a", "b"), problem("a", "b", "c")])


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 bytes"), (1024, "1.0 KiB"), (1536 * 1024, "1.5 MiB"), (1 << 30, "1.0 GiB"),
     (1 << 52, "4096.0 TiB")],
)  # fmt: skip
def test_sizes_are_for_people(count, expected):
    assert size(count) == expected
