"""The one loop that asks the gateway for all pages: how often, and when not at all."""

import asyncio
from types import SimpleNamespace

import pytest

pytest.importorskip("httpx")

from arkway.console import feed_io
from arkway.console.feed_io import Feed, Subscriber

STATUS = b'{"state": "ready", "rates": {"calls_per_s": 2.5}}'


class Ops:
    """An ops port that counts what it is asked."""

    def __init__(self, pages):
        self.pages = pages
        self.asked = []

    async def serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1].decode()
        self.asked.append(path)
        body = self.pages.get(path)
        status = b"404 X" if body is None else b"200 X"
        body = body or b""
        writer.write(
            b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )
        await writer.drain()
        writer.close()


class Api:
    """What the feed needs of an `AdminApi`."""

    def __init__(self, port):
        server = SimpleNamespace(ops_host="0.0.0.0", ops_port=port)
        self.desk = SimpleNamespace(config=SimpleNamespace(server=server), now_ms=lambda: 10**12)
        self.asked = []

    def perform(self, by, operation, ask):
        assert by == "somebody"
        self.asked.append(operation)
        return {"items": []}


def subscriber(shown, *, is_in=True, left=None):
    visitor = SimpleNamespace(principal="somebody", is_still_in=lambda: is_in)
    return Subscriber(visitor, shown.append, lambda: left.append(1) if left is not None else None)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(feed_io, "EVERY_S", 0.02)
    from arkway.console import visitor

    visitor._threads.clear()  # of another loop
    yield
    visitor._threads.clear()


def run(pages, work):
    async def all_of_it():
        ops = Ops(pages)
        server = await asyncio.start_server(ops.serve, "127.0.0.1", 0)
        api = Api(server.sockets[0].getsockname()[1])
        feed = Feed(api)
        try:
            await work(feed, ops, api)
        finally:
            await feed.close()
            server.close()

    asyncio.run(all_of_it())


async def until(holds):
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


def test_ten_pages_ask_as_one(quick):
    async def work(feed, ops, api):
        shown = [[] for _ in range(10)]
        for each in shown:
            feed.subscribe(subscriber(each))
        await until(lambda: min(map(len, shown)) >= 5)
        asked = ops.asked.count("/status")
        assert asked <= max(map(len, shown)) + 1
        assert shown[0][-1].now.calls_per_s == 2.5
        assert api.asked.count("list_usage") < api.asked.count("list_calls") < asked

    run({"/status": STATUS}, work)


def test_nothing_is_asked_while_nobody_looks(quick):
    async def work(feed, ops, api):
        shown = []
        one = subscriber(shown)
        feed.subscribe(one)
        await until(lambda: len(shown) >= 2)
        one.is_seen = False
        await asyncio.sleep(0.15)
        asked, there = len(ops.asked), len(shown)
        await asyncio.sleep(0.2)
        assert (len(ops.asked), len(shown)) == (asked, there)
        one.is_seen = True
        feed.wake()
        await until(lambda: len(shown) > there)
        feed.unsubscribe(one)
        await asyncio.sleep(0.15)
        asked = len(ops.asked)
        await asyncio.sleep(0.2)
        assert len(ops.asked) == asked

    run({"/status": STATUS}, work)


def test_a_gateway_without_a_status_or_without_a_voice_is_shown_as_such(quick):
    async def without_status(feed, ops, api):
        shown = []
        feed.subscribe(subscriber(shown))
        await until(lambda: shown)
        assert (shown[0].now.source, shown[0].now.state) == ("calls", "draining")

    async def silent(feed, ops, api):
        feed._ops = "http://127.0.0.1:1"
        shown = []
        feed.subscribe(subscriber(shown))
        await until(lambda: shown)
        assert shown[0].now.state == "unreachable"

    run({"/readyz": b'{"status": "draining"}'}, without_status)
    run({"/readyz": b"not json"}, silent)


def test_who_is_logged_out_is_shown_out(quick):
    async def work(feed, ops, api):
        shown, left = [], []
        feed.subscribe(subscriber(shown, is_in=False, left=left))
        await until(lambda: left)
        assert shown == []

    run({"/status": STATUS}, work)


def test_a_page_too_many_is_not_live(quick):
    async def work(feed, ops, api):
        for _ in range(feed_io.MAX_SUBSCRIBERS + 5):
            feed.subscribe(subscriber([]))
        assert len(feed._subscribers) == feed_io.MAX_SUBSCRIBERS

    run({"/status": STATUS}, work)
