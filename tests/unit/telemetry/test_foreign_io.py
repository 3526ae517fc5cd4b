import asyncio
import json
import logging
import sys
import threading
from io import StringIO

import pytest

from arkway.telemetry.foreign_io import adopt
from arkway.telemetry.log_io import Log

SECRET = "canary-text"


@pytest.fixture
def said(monkeypatch):
    """Adopt for one test; return what reads the lines that were written."""
    for owner, name in ((sys, "excepthook"), (threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    stream, root = StringIO(), logging.getLogger()
    before = list(root.handlers)
    root.handlers[:] = []  # pytest's, and what a gateway in this process has adopted
    adopt(Log("info", "json", StringIO()))
    adopt(Log("info", "json", stream))
    assert len(root.handlers) == 1, "the last call counts, alone"
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = before
    assert SECRET not in stream.getvalue()


def raising(*_):
    raise RuntimeError(SECRET)


def caught():
    with pytest.raises(RuntimeError) as error:
        raising()
    return error.value


def test_what_a_library_logs_says_who_and_where(said):
    logging.getLogger("uvicorn.error").warning("a request of %s", SECRET)
    logging.getLogger("asyncio").error("Task of %s was destroyed", SECRET)
    logging.getLogger("httpx").info(SECRET)

    own = "test_what_a_library_logs_says_who_and_where"
    found = [(line["level"], line["event"], line["by"]) for line in said()]
    assert found == [("warning", "library", "uvicorn.error"), ("error", "library", "asyncio")]
    assert all(line["where"].startswith(f"{own}:") for line in said())


def test_a_logged_exception_is_its_type_and_its_way(said):
    logging.getLogger("uvicorn.error").error("failed", exc_info=caught())

    (line,) = said()
    assert (line["event"], line["by"], line["kind"]) == (
        "unhandled", "uvicorn.error", "RuntimeError",
    )  # fmt: skip
    assert line["where"].startswith("raising:")


def test_a_callback_of_the_event_loop(said):
    async def loses_one():
        asyncio.get_running_loop().call_soon(raising, SECRET)
        await asyncio.sleep(0)

    asyncio.run(loses_one())

    assert [(line["by"], line["kind"]) for line in said()] == [("asyncio", "RuntimeError")]


def test_a_thread_a_finaliser_and_the_end_of_the_process(said):
    thread = threading.Thread(target=raising)
    thread.start()
    thread.join()
    told = type("Told", (), {"exc_value": caught()})
    sys.unraisablehook(told)
    sys.excepthook(RuntimeError, caught(), None)
    threading.excepthook(type("Ended", (), {"exc_value": None}))

    kinds = [(line["by"], line["kind"]) for line in said()]
    assert kinds == [
        ("threading", "RuntimeError"), ("python", "RuntimeError"), ("python", "RuntimeError"),
        ("threading", ""),
    ]  # fmt: skip


def test_an_interrupt_is_told_as_always(said, capsys):
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)

    assert "KeyboardInterrupt" in capsys.readouterr().err
    assert said() == []
