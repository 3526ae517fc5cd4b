"""The listening socket itself; what it does with connections is in test_connection_io.py."""

import asyncio
import json
import socket
import types

import pytest

from arkway.listener.reader import ReaderLimits
from arkway.listener.server_io import Listener, ListenerTimeouts
from arkway.model.errors import GatewayError, Overloaded
from arkway.wire.outbox import Outbox
from support.fakes import FakeLoop
from support.listener_lab import Answers, Front, ListenerLab, post


async def say_path(exchange):
    exchange.respond(200, exchange.request.path)


def real(front):
    return Listener(
        front,
        ReaderLimits(),
        ListenerTimeouts(),
        Outbox(asyncio.get_running_loop().call_soon),
        max_connections=10,
        max_buffered_body_bytes=1000,
    )


async def get(host, port):
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /hi HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    data = await reader.read()
    writer.close()
    await writer.wait_closed()
    return Answers(data).all[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_listener_listens_and_stops(host):
    async def main():
        listener = real(Front(say_path))
        try:
            port = await listener.open(host, 0, 10)
        except OSError:
            pytest.skip(f"no {host} on this machine")
        said = await get(host, port)
        listener.stop_accepting()
        with pytest.raises(OSError):
            await get(host, port)
        return said

    said = asyncio.run(main())
    assert (said.status, said.body) == (200, b"/hi")


def test_a_taken_port_is_an_error():
    async def main():
        listener = real(Front(say_path))
        with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError):
            await listener.open("127.0.0.1", other.getsockname()[1], 10)

    asyncio.run(main())


def test_a_listener_that_never_opened_can_be_stopped():
    async def main():
        real(Front(say_path)).stop_accepting()

    asyncio.run(main())


def test_a_refusal_is_a_whole_answer():
    with FakeLoop() as loop:
        lab = ListenerLab(loop, say_path)
        refusal = lab.listener.refusal(Overloaded("full", retry_after_s=1.5))

    (said,) = Answers(refusal).all
    assert said.is_whole
    assert said.status == 503
    assert said.headers["connection"] == "close"
    assert said.headers["x-request-id"] == "id-1"
    assert said.headers["retry-after"] == "2"
    assert said.headers["retry-after-ms"] == "1500"
    assert json.loads(said.body)["error"]["code"] == "overloaded"


class Waiting:
    """Answers nobody, and notes what it is thrown."""

    def __init__(self):
        self.errors = []

    async def __call__(self, exchange):
        try:
            await exchange.wait_for_body()
            await self.forever()
        except Exception as error:
            self.errors.append(type(error).__name__)
            if isinstance(error, GatewayError):
                exchange.fail(error)

    @staticmethod
    @types.coroutine
    def forever():
        while True:
            yield


def busy():
    return post(b"x" * 1000)


def test_a_door_counts_its_connections_and_bounds_them():
    with FakeLoop() as loop:
        lab = ListenerLab(loop, say_path, max_connections=2)
        first, _, third = (lab.connect() for _ in range(3))
        loop.turn()

        assert lab.listener.connections == 3
        assert Answers(third.take()).all[0].status == 503
        for gone in (first, third):
            gone.reset()
        assert lab.listener.connections == 1


def test_a_sweep_reaches_every_connection_and_sheds_what_is_too_much():
    serve = Waiting()
    with FakeLoop() as loop:
        lab = ListenerLab(loop, serve, max_buffered_body_bytes=1500)
        uploads = [lab.ask(busy()[:-at]) for at in (1, 100, 700)]
        idle = lab.connect()
        lab.listener.drain()

        lab.wait(0.5)

        assert idle.is_closing()
        assert [bool(it.take()) for it in uploads] == [True, False, False]
        assert serve.errors == ["Overloaded"]


def test_a_cut_reaches_every_answer_and_an_abort_every_connection():
    serve = Waiting()
    with FakeLoop() as loop:
        lab = ListenerLab(loop, serve)
        them = [lab.ask(busy()), lab.ask(busy()[:-1]), lab.connect()]

        lab.listener.cut_all(Overloaded("stopped"))

        assert [len(Answers(it.take()).all) for it in them] == [1, 1, 0]
        assert serve.errors == ["Overloaded", "Overloaded"]
        lab.listener.abort_all()
        loop.turn()
        assert all(it.is_closing() for it in them)
        assert lab.listener.connections == 0


def test_each_exchange_has_an_id_and_a_time_of_its_own():
    exchanges = []

    async def keep(exchange):
        exchanges.append((exchange.request_id, exchange.received_s))
        exchange.respond(200, b"{}")

    with FakeLoop() as loop:
        lab = ListenerLab(loop, keep)
        it = lab.ask(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        loop.now_s += 5
        lab.ask(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", connection=it)

    assert exchanges == [("id-1", 1000.0), ("id-2", 1005.0)]
