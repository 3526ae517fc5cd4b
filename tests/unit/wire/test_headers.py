import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.wire import headers
from arkway.wire.headers import LayoutTable
from support import strategies  # noqa: F401 - its profile

WANTED = ("content-type", "host", "x-a")


def picked(table, lines):
    layout = table.find(tuple(name for name, _ in lines))
    values = layout.pick([*(value for _, value in lines), b""])
    return dict(zip(WANTED, values, strict=True)), layout


@pytest.mark.parametrize(
    ("lines", "values", "present", "repeated"),
    [
        ([], {}, set(), set()),
        ([(b"Host", b"h")], {"host": b"h"}, {"host"}, set()),
        ([(b"other", b"1"), (b"X-A", b"2")], {"x-a": b"2"}, {"x-a"}, set()),
        ([(b"host", b"")], {}, {"host"}, set()),
        ([(b"host", b"1"), (b"HOST", b"2")], {"host": b"2"}, {"host"}, {"host"}),
        ([(b"other", b"1"), (b"other", b"2")], {}, set(), set()),
        ([(b"\xe9\xff", b"1"), (b"x-a", b"2")], {"x-a": b"2"}, {"x-a"}, set()),
    ],
)
def test_values_are_picked_by_name(lines, values, present, repeated):
    found, layout = picked(LayoutTable(WANTED), lines)

    assert found == dict.fromkeys(WANTED, b"") | values
    assert layout.present == present
    assert layout.repeated == repeated


names = st.sampled_from([b"host", b"Host", b"HOST", b"x-a", b"X-a", b"Content-Type", b"via", b"te"])
messages = st.lists(st.lists(st.tuples(names, st.binary(max_size=3)), max_size=5), max_size=8)


@given(messages)
def test_a_known_layout_gives_what_a_fresh_look_gives(messages):
    table = LayoutTable(WANTED)
    for lines in messages:
        found, layout = picked(table, lines)
        last = {name.decode().lower(): value for name, value in lines}

        assert found == {name: last.get(name, b"") for name in WANTED}
        assert layout.present == set(last) & set(WANTED)
        assert layout is table.find(tuple(name for name, _ in lines))


@pytest.mark.parametrize(
    "names",
    [(b"host", *(b"n%d" % number for number in range(40))), (b"host", b"n" * 1021)],
    ids=["many", "long"],
)
def test_a_large_layout_is_answered_and_not_kept(names):
    table = LayoutTable(WANTED)

    assert table.find(names) is not table.find(names)
    assert table.find(names[:-1]) is table.find(names[:-1])


def test_a_flood_of_layouts_is_answered_and_not_kept(monkeypatch):
    monkeypatch.setattr(headers, "MAX_LAYOUTS", 2)
    table = LayoutTable(WANTED)
    names = [(b"host", b"n%d" % number) for number in range(5)]

    layouts = [table.find(name) for name in names]

    kept = [table.find(names[at]) is layouts[at] for at in (4, 3, 0, 1, 2)]
    assert kept == [True, True, False, False, False]
    assert all(layout.pick([b"h", b"", b""]) == (b"", b"h", b"") for layout in layouts)


def test_one_wanted_name_is_not_a_table():
    with pytest.raises(AssertionError, match="itemgetter"):
        LayoutTable(("host",))
