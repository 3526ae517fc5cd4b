"""How does the data plane serve the documentation to anyone, at no cost to calls?

A page is made once, in a thread, and kept as bytes: from then on it costs the loop a look-up.
Questions, searches and addresses without a page are new each time, and whoever can reach the port
can send them. So one thread makes them, few wait for it, and all of it together takes at most SHARE
of a processor; who comes when that is used up is told when to come again. No model is asked here:
an answer is a quotation.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from arkway.listener.documents import Asked, Document
from arkway.site.pages import TEXT, Page, Site, wants
from arkway.site.pages import site as installed_site
from arkway.site.rules import HEADERS, MAX_QUERY_BYTES, TOO_LONG, headers_of, is_known
from arkway.wire.http import header_lines

# Of one processor, and the most that is used at once, unit: s of it. A question takes 2 to 7 ms, a
# search 6 to 20 ms: a hundred at once, then ten a second.
SHARE, BURST_S = 0.05, 0.5
MAX_WAITING = 16  # 0.1 s of questions
_NOT_KEPT = "/search"


class _Made(msgspec.Struct, frozen=True):
    """A page, ready to be sent."""

    page: Page
    etag: str
    headers: bytes

    def document(self, if_none_match: str) -> Document:
        """Return it as an answer; without its body where the asker has it."""
        if self.page.status == 200 and if_none_match and is_known(self.etag, if_none_match):
            return Document(304, self.headers, b"")
        return Document(self.page.status, self.headers, self.page.body)


class Documentation:
    """The site behind the public listener. Made and used on the loop; `close` when that ends.

    Cost:  0.3 s to make. The number of addresses bounds what is kept: about 4 MiB.
    Errors:  FileNotFoundError when this installation has no documentation.
    """

    def __init__(
        self,
        site: Site | None = None,
        clock: Callable[[], float] = time.monotonic,
        work_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._site = site or installed_site()
        self._clock, self._work_clock = clock, work_clock
        self._loop = asyncio.get_running_loop()
        self._worker = ThreadPoolExecutor(1, "documentation")
        self._kept: dict[tuple[str, bool], _Made] = {}  # by path and whether Markdown is wanted
        self._waiting = 0
        self._paid_until_s = 0.0  # when the work done so far is within SHARE

    def kept(self, asked: Asked) -> Document | None:
        """Return a page that was made before."""
        if asked.query:  # it may hold a question
            return None
        made = self._kept.get(_key(asked))
        return None if made is None else made.document(asked.if_none_match)

    def make(self, asked: Asked, told: Callable[[Document | Exception], None]) -> None:
        """Make a page in the thread; refuse where that would be too much work."""
        wait_s = self._paid_until_s - self._clock() - BURST_S / SHARE
        if wait_s > 0 or self._waiting >= MAX_WAITING:
            told(_refusal(max(1, int(wait_s) + 1)))
            return
        self._waiting += 1

        def on_loop(future: Future[tuple[_Made, float]]) -> None:
            self._waiting -= 1
            if (error := future.exception()) is not None:
                assert isinstance(error, Exception), "a thread of ours is not cancelled"
                told(error)
                return
            made, work_s = future.result()
            self._paid_until_s = max(self._paid_until_s, self._clock()) + work_s / SHARE
            if made.page.status == 200 and not asked.query and asked.path != _NOT_KEPT:
                self._kept[_key(asked)] = made
            told(made.document(asked.if_none_match))

        def in_thread(future: Future[tuple[_Made, float]]) -> None:
            if not future.cancelled():  # by `close`: nobody is left to tell
                self._loop.call_soon_threadsafe(on_loop, future)

        self._worker.submit(self._work, asked).add_done_callback(in_thread)

    def close(self) -> None:
        """Make nothing more."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _work(self, asked: Asked) -> tuple[_Made, float]:
        began_s = self._work_clock()
        if len(asked.query) > MAX_QUERY_BYTES:
            page = TOO_LONG
        else:
            found = self._site.render(asked.path, asked.query, asked.accept)
            page = found or self._site.missing(asked.path)
        headers = headers_of(page)
        lines = header_lines({"content-type": page.content_type, **headers})
        return _Made(page, headers["etag"], lines), self._work_clock() - began_s


def _key(asked: Asked) -> tuple[str, bool]:
    return asked.path, wants(asked.accept, "markdown")


def _refusal(after_s: int) -> Document:
    text = f"Too many questions and searches at once; try again in {after_s} s.\n"
    lines = {"content-type": TEXT, **HEADERS, "cache-control": "no-store"}
    return Document(429, header_lines({**lines, "retry-after": str(after_s)}), text.encode())
