import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.wire.outbox import MAX_WAITING, Outbox
from support import strategies  # noqa: F401 - its profile


class Peer:
    """A connection that notes what was written to it, in calls and in bytes."""

    def __init__(self, log=None, name=b""):
        self.log = [] if log is None else log
        self.name = name
        self.calls = []
        self.write = self._write  # one object, as transports' users keep it
        self.on_write = None

    def _write(self, data):
        self.calls.append(data)
        self.log.append((self.name, data))
        if self.on_write is not None:
            self.on_write(data)

    @property
    def received(self):
        return b"".join(self.calls)


class Turn:
    """The loop's next turn."""

    def __init__(self):
        self.soon = []
        self.outbox = Outbox(self.soon.append)

    def end(self):
        soon, self.soon[:] = [*self.soon], []
        for callback in soon:
            callback()


def test_nothing_leaves_before_the_turn_ends():
    turn, peer = Turn(), Peer()

    turn.outbox.put(peer.write, b"a")

    assert peer.calls == []
    turn.end()
    assert peer.calls == [b"a"]


def test_writes_to_one_connection_in_a_row_become_one():
    turn, one, two = Turn(), Peer(), Peer()

    for peer, data in [(one, b"a"), (one, b"b"), (two, b"c"), (one, b"d")]:
        turn.outbox.put(peer.write, data)
    turn.end()

    assert one.calls == [b"ab", b"d"]
    assert two.calls == [b"c"]


def test_one_callback_a_turn_is_enough():
    turn, one, two = Turn(), Peer(), Peer()

    for _ in range(3):
        turn.outbox.put(one.write, b"a")
        turn.outbox.put(two.write, b"b")

    assert len(turn.soon) == 1


def test_an_early_flush_leaves_nothing_for_the_turns_end():
    turn, peer = Turn(), Peer()
    turn.outbox.put(peer.write, b"a")

    turn.outbox.flush()
    turn.end()
    turn.outbox.flush()

    assert peer.calls == [b"a"]


def test_few_writes_wait():
    turn, peers = Turn(), [Peer() for _ in range(MAX_WAITING + 1)]

    for peer in peers[:-1]:
        turn.outbox.put(peer.write, b"a")
    assert not any(peer.calls for peer in peers)
    turn.outbox.put(peers[-1].write, b"b")

    assert [peer.received for peer in peers] == [b"a"] * MAX_WAITING + [b""]
    turn.end()
    assert peers[-1].received == b"b"


@given(st.lists(st.tuples(st.integers(0, 25), st.binary(min_size=1, max_size=4)), max_size=80))
def test_each_connection_gets_its_bytes_in_order(puts):
    turn, peers = Turn(), [Peer() for _ in range(26)]

    for number, data in puts:
        turn.outbox.put(peers[number].write, data)
    turn.end()

    for number, peer in enumerate(peers):
        assert peer.received == b"".join(data for at, data in puts if at == number)


def test_a_closed_connection_does_not_keep_the_others_from_theirs():
    turn, peer = Turn(), Peer()

    def write_to_closed(data):
        raise RuntimeError("the handler is closed")

    turn.outbox.put(write_to_closed, b"a")
    turn.outbox.put(peer.write, b"b")
    turn.end()

    assert peer.calls == [b"b"]


def test_a_bug_is_not_swallowed():
    turn = Turn()

    def broken(data):
        raise TypeError("no bytes")

    turn.outbox.put(broken, b"a")
    with pytest.raises(TypeError):
        turn.end()


def test_after_a_bug_the_others_still_get_theirs():
    turn, peer = Turn(), Peer()

    def broken(data):
        raise TypeError("no bytes")

    turn.outbox.put(broken, b"a")
    with pytest.raises(TypeError):
        turn.end()
    turn.outbox.put(peer.write, b"b")
    turn.end()

    assert peer.calls == [b"b"]


def test_what_a_write_puts_leaves_too():
    turn, one, two = Turn(), Peer(), Peer()
    one.on_write = lambda data: turn.outbox.put(two.write, b"echo " + data)

    turn.outbox.put(one.write, b"a")
    turn.end()
    turn.end()

    assert two.calls == [b"echo a"]


@pytest.mark.parametrize("count", [1, MAX_WAITING, 2 * MAX_WAITING])
def test_a_write_that_puts_much_keeps_each_connections_order(count):
    turn, first, last = Turn(), Peer(), Peer()

    def write_much(data):
        turn.outbox.put(last.write, b"2")
        for _ in range(count):
            turn.outbox.put(Peer().write, b"x")

    first.on_write = write_much
    turn.outbox.put(first.write, b"1")
    turn.outbox.put(last.write, b"1")
    turn.end()
    turn.end()

    assert last.received == b"12"


def test_a_flush_within_a_write_leaves_the_rest_to_the_outer_one():
    turn, first, last = Turn(), Peer(), Peer()
    first.on_write = lambda data: turn.outbox.flush()

    turn.outbox.put(first.write, b"1")
    turn.outbox.put(last.write, b"1")
    turn.outbox.flush()

    assert last.received == b"1"
