import json

import pytest

from arkway.runtime.ops_io import MAX_REQUEST_BYTES, READ_TIMEOUT_S, OpsConnection
from support.listener_lab import answers
from support.strategies import one_by_one


def ask(loop, *pieces, ready=True):
    connection = loop.connect(OpsConnection(lambda: (ready, {"calls": 3})))
    connection.deliver(*pieces)
    return connection


def get(path, method=b"GET"):
    return b"%b %b HTTP/1.1\r\nhost: h\r\n\r\n" % (method, path)


@pytest.mark.parametrize(
    ("request_bytes", "ready", "status", "body"),
    [
        (get(b"/healthz"), True, 200, {"status": "alive"}),
        (get(b"/healthz"), False, 200, {"status": "alive"}),
        (get(b"/readyz"), True, 200, {"calls": 3}),
        (get(b"/readyz"), False, 503, {"calls": 3}),
        (get(b"/readyz?verbose=1"), True, 200, {"calls": 3}),
        (get(b"/readyz", b"POST"), True, 405, {"status": "use GET"}),
        (get(b"/"), True, 404, {"status": "unknown path", "paths": ["/healthz", "/readyz"]}),
        (get(b"/readyz/"), True, 404, {"status": "unknown path", "paths": ["/healthz", "/readyz"]}),
        (b"garbage\r\n\r\n", True, 400, {"status": "bad request"}),
        (b"\x16\x03\x01", True, 400, {"status": "bad request"}),
    ],
)
def test_the_table(loop, request_bytes, ready, status, body):
    for pieces in ([request_bytes], one_by_one(request_bytes)):
        connection = ask(loop, *pieces, ready=ready)
        (answer,) = answers(connection)
        assert (answer.status, json.loads(answer.body)) == (status, body)
        assert answer.headers["connection"] == "close"
        assert connection.is_closing()


def test_a_request_is_bounded(loop):
    connection = ask(loop, b"GET / HTTP/1.1\r\nx: ")

    connection.deliver(*[b"y" * 1000] * (MAX_REQUEST_BYTES // 1000 + 1))

    (answer,) = answers(connection)
    assert answer.status == 431


def test_an_upgrade_is_answered_plainly(loop):
    offer = b"connection: upgrade\r\nupgrade: h2c\r\n\r\n"

    (answer,) = answers(ask(loop, get(b"/healthz")[:-2] + offer))

    assert answer.status == 200


def test_only_one_request_is_answered(loop):
    assert len(answers(ask(loop, get(b"/healthz") * 2))) == 1


def test_nobody_waits_for_ever(loop):
    connection = ask(loop, b"GET /")
    (timer,) = loop.timers

    assert timer.at_s == loop.now_s + READ_TIMEOUT_S
    timer.callback()
    assert connection.was_aborted


def test_an_end_forgets_the_timer(loop):
    connection = ask(loop)

    connection.reset()

    assert loop.timers[0].is_cancelled


# Other pages.


def test_a_page_may_answer_later(loop):
    waiting = []
    connection = loop.connect(OpsConnection(lambda: (True, {}), {b"/page": waiting.append}))
    connection.deliver(get(b"/page?x=1") * 2)
    assert not connection.is_closing()

    (reply,) = waiting
    reply("text/plain; charset=utf-8", b"hello")
    reply("text/plain", b"again")

    (answer,) = answers(connection)
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert connection.is_closing()


def test_a_page_for_nobody_is_dropped(loop):
    waiting = []
    connection = loop.connect(OpsConnection(lambda: (True, {}), {b"/page": waiting.append}))
    connection.deliver(get(b"/page"))

    connection.reset()
    waiting[0]("text/plain", b"hello")

    assert connection.take() == b""


def test_pages_are_named_and_are_for_get_only(loop):
    def make():
        return loop.connect(OpsConnection(lambda: (True, {}), {b"/page": lambda reply: None}))

    unknown, wrong = make(), make()
    unknown.deliver(get(b"/nope"))
    wrong.deliver(get(b"/page", b"POST"))

    (answer,) = answers(unknown)
    assert json.loads(answer.body)["paths"] == ["/healthz", "/readyz", "/page"]
    assert answers(wrong)[0].status == 405


def act(loop, *pieces):
    """Deliver a request to a port with one action; return the connection and what was asked."""
    asked = []
    connection = loop.connect(
        OpsConnection(lambda: (True, {}), {b"/page": lambda reply: reply("text/plain", b"x")},
                      {b"/do": asked.append})
    )  # fmt: skip
    connection.deliver(*pieces)
    return connection, asked


def test_an_action_is_asked_for_once_and_may_answer_late(loop):
    request = (
        b"POST /do?a=1 HTTP/1.1\r\nhost: h\r\nX-Arkway-Proof: 1.ab\r\ncontent-length: 0\r\n\r\n"
    )
    connection, asked = act(loop, *one_by_one(request), request)

    assert [(each.target, each.proof) for each in asked] == [("/do?a=1", "1.ab")]
    loop.pass_time(READ_TIMEOUT_S + 1)
    loop.turn()
    assert not connection.is_closing()
    asked[0].answer(409, {"code": "x"})
    asked[0].answer(200, {})
    (answer,) = answers(connection)
    assert (answer.status, json.loads(answer.body)) == (409, {"code": "x"})


@pytest.mark.parametrize(("path", "status"), [(b"/do", 404), (b"/page", 200)])
def test_an_action_is_no_page(loop, path, status):
    connection, asked = act(loop, get(path))

    (answer,) = answers(connection)
    assert (answer.status, asked) == (status, [])


def test_an_action_whose_asker_has_left_is_answered_into_the_void(loop):
    connection, asked = act(loop, get(b"/do", b"POST"))
    connection.close()
    loop.turn()

    asked[0].answer(200, {})
