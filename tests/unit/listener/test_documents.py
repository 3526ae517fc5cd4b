"""What is said without a key, to callers who wait, leave, or do not read."""

import pytest

from arkway.listener.documents import Asked, Document, send_document
from arkway.model.outcome import CallerGone
from support.listener_lab import answer, answers

PAGE = Document(200, b"content-type: text/plain\r\n", b"page")


class Pages:
    """Keeps what the test gives; whatever else is asked waits for the test."""

    def __init__(self):
        self.at_hand = {}
        self.waiting = []
        self.gone = 0

    def kept(self, asked):
        return self.at_hand.get(asked.path)

    def make(self, asked, told):
        self.waiting.append((asked, told))

    async def serve(self, exchange):
        try:
            await send_document(exchange, self, exchange.request.path.decode()[5:])
        except CallerGone:
            self.gone += 1


@pytest.fixture
def pages():
    return Pages()


@pytest.fixture
def lab(serving, pages):
    return serving(pages.serve)


def get(path, *lines, method=b"GET"):
    head = b"%b %b HTTP/1.1\r\nhost: h\r\n" % (method, path)
    return head + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def test_what_is_kept_is_sent_at_once(lab, pages):
    pages.at_hand["/a"] = PAGE
    said = answer(lab.ask(get(b"/docs/a")))

    assert (said.status, said.body) == (200, b"page")
    assert said.headers["content-type"] == "text/plain"
    assert said.headers["x-request-id"] == "id-1"
    assert "cache-control" not in said.headers, "the page's own headers say it"


def test_what_must_be_made_is_waited_for(lab, pages):
    it = lab.ask(get(b"/docs/a?q=1", b"accept: text/html", b'if-none-match: "x"'))
    assert answers(it) == []
    ((asked, told),) = pages.waiting
    assert asked == Asked("/a", "q=1", "text/html", '"x"')
    told(PAGE)
    lab.loop.turn()

    assert answer(it).body == b"page"


def test_what_is_made_at_once_is_sent_at_once(lab, pages):
    pages.make = lambda _asked, told: told(PAGE)

    assert answer(lab.ask(get(b"/docs/a"))).body == b"page"


def test_a_bug_behind_it_is_a_crash_of_this_exchange(lab, pages):
    lab.ask(get(b"/docs/a"))
    pages.waiting[0][1](ZeroDivisionError("bug"))

    assert [type(error) for error in lab.front.crashes] == [ZeroDivisionError]
    lab.front.crashes.clear()


def test_a_reader_who_leaves_is_forgotten(lab, pages):
    it = lab.ask(get(b"/docs/a"))
    it.end()
    lab.loop.turn()
    pages.waiting[0][1](PAGE)

    assert pages.gone == 1
    assert lab.front.crashes == []


def test_head_and_not_modified_have_no_body(lab, pages):
    pages.at_hand["/a"] = PAGE
    head = lab.ask(get(b"/docs/a", method=b"HEAD")).take()
    pages.at_hand["/a"] = Document(304, b"", b"")
    known = lab.ask(get(b"/docs/a")).take()

    assert b"content-length: 4\r\n" in head
    assert head.endswith(b"\r\n\r\n")
    assert known.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert b"content-length" not in known


def test_a_reader_who_does_not_read_gets_one_answer_and_no_more(lab, pages):
    pages.at_hand["/a"] = PAGE
    it = lab.connect()
    it.protocol.pause_writing()
    lab.ask(get(b"/docs/a") * 3, connection=it)
    assert answers(it) == []
    it.protocol.resume_writing()
    lab.loop.turn()

    assert [said.body for said in answers(it)] == [b"page"] * 3


def test_a_body_is_written_by_itself_so_that_it_is_not_copied(lab, pages):
    pages.at_hand["/a"] = PAGE
    it = lab.ask(get(b"/docs/a"))

    assert it.writes == 2


def test_the_root_leads_a_level_below(lab):
    assert answer(lab.ask(get(b"/docs"))).headers["location"] == "/docs/"
