"""What may the documentation cost? Pages are made once, questions have a budget."""

import asyncio
from itertools import count

import pytest

from arkway.listener.documents import Asked
from arkway.runtime.documents_io import BURST_S, MAX_WAITING, SHARE, Documentation
from arkway.site.pages import Site

TEXTS = {
    "README.md": "# Docs\n\nThe contents.\n\n## Use\n\n- [Keys](keys.md)\n",
    "keys.md": "# Keys\n\n## Rotate a key\n\nIt gets a new text within 24 hours.\n",
}
QUESTION = Asked("/keys.md", "ask=rotate+a+key", "", "")


def page(path, accept="", if_none_match="", query=""):
    return Asked(path, query, accept, if_none_match)


class Lab:
    """A site whose clock the test moves, and whose work takes as long as the test says."""

    def __init__(self, work_s=0.001):
        self.now_s = 1000.0
        work = count()
        self.docs = Documentation(Site(TEXTS), lambda: self.now_s, lambda: next(work) * work_s)

    async def ask(self, asked):
        told = asyncio.get_running_loop().create_future()
        self.docs.make(asked, told.set_result)
        return await told


def run(test, **options):
    async def whole():
        lab = Lab(**options)
        try:
            return await test(lab)
        finally:
            lab.docs.close()

    return asyncio.run(whole())


def test_a_page_is_made_once_and_kept_in_each_form():
    async def test(lab):
        asked = [page("/keys"), page("/keys", "text/markdown"), page("/"), page("/llms.txt")]
        assert [lab.docs.kept(each) for each in asked] == [None] * 4
        made = [await lab.ask(each) for each in asked]
        assert [lab.docs.kept(each) for each in asked] == made
        assert made[0].body.startswith(b"<!doctype html>")
        assert made[1].body == TEXTS["keys.md"].encode()

    run(test)


@pytest.mark.parametrize(
    "asked",
    [
        QUESTION,
        page("/search"),
        page("/search", query="q=x"),
        page("/nosuch"),
        page("/keys", query="x"),
    ],
)
def test_what_callers_can_vary_is_not_kept(asked):
    async def test(lab):
        await lab.ask(asked)
        assert lab.docs.kept(asked) is None
        assert lab.docs._kept == {}

    run(test)


def test_who_has_it_gets_no_body_whether_made_or_kept():
    async def test(lab):
        first = await lab.ask(page("/keys"))
        (etag,) = [
            line.partition(b": ")[2].decode()
            for line in first.headers.split(b"\r\n")
            if line.startswith(b"etag: ")
        ]
        again = lab.docs.kept(page("/keys", if_none_match=etag))
        assert (again.status, again.body, again.headers) == (304, b"", first.headers)
        assert lab.docs.kept(page("/keys", if_none_match='"x"')).status == 200
        answer = await lab.ask(QUESTION)
        assert answer.status == 200

    run(test)


def test_a_query_has_a_bound():
    async def test(lab):
        assert (await lab.ask(page("/search", query="q=" + "x" * 5000))).status == 414

    run(test)


def test_work_has_a_budget_that_comes_back():
    async def test(lab):
        for _ in range(6):  # 0.1 s each: the burst, passed by one at most
            assert (await lab.ask(QUESTION)).status == 200
        refused = await lab.ask(QUESTION)
        assert refused.status == 429
        assert b"retry-after: 3\r\n" in refused.headers
        lab.now_s += 3
        assert (await lab.ask(QUESTION)).status == 200
        assert (await lab.ask(QUESTION)).status == 429
        lab.now_s += 3600
        asked = 0
        while (await lab.ask(QUESTION)).status == 200:
            asked += 1
        assert asked <= 6, "an hour of rest is no licence"

    run(test, work_s=0.1)
    assert (SHARE, BURST_S) == (0.05, 0.5)


def test_few_wait_at_once():
    async def test(lab):
        answers = await asyncio.gather(*(lab.ask(QUESTION) for _ in range(MAX_WAITING + 4)))
        assert [a.status for a in answers].count(429) == 4
        assert (await lab.ask(QUESTION)).status == 200, "places come free"

    run(test)


def test_a_bug_is_told_and_the_place_comes_free(monkeypatch):
    async def test(lab):
        def broken(*_):
            raise ZeroDivisionError

        monkeypatch.setattr(lab.docs._site, "render", broken)
        assert isinstance(await lab.ask(QUESTION), ZeroDivisionError)
        assert lab.docs._waiting == 0

    run(test)
