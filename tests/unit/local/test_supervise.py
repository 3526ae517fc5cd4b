"""Children are real processes that run `fake_child.py`, so restarts and signals are real."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvloop

from arkway.local import backoff, child, supervise
from arkway.local.supervise import LocalModels
from arkway.local.weights import LocalModelError

FAKE_CHILD = Path(__file__).with_name("fake_child.py")
WAIT_S = 10.0  # for what takes milliseconds on an idle machine


class Lab:
    """Fake local models, the events they logged, and the processes they left behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[tuple[str, dict]] = []

    def models(self, mode: str, count: int = 1) -> LocalModels:
        command = [sys.executable, str(FAKE_CHILD), mode, str(self.folder)]
        return LocalModels(Path(), count=count, log=self._log, command=command)

    def _log(self, event: str, fields: dict) -> None:
        self.events.append((event, fields))

    async def event(self, index: int) -> tuple[str, dict]:
        """Wait for the event with this index in the order of their coming."""
        await until(lambda: len(self.events) > index)
        return self.events[index]

    def pids(self) -> list[int]:
        return [int(path.name) for path in self.folder.iterdir() if path.name.isdigit()]

    def running(self) -> list[int]:
        return [pid for pid in self.pids() if is_running(pid)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return status != "Z"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setattr(backoff, "FIRST_WAIT_S", 0.01)
    lab = Lab(tmp_path)
    yield lab
    assert lab.running() == []


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request):
    return request.param


def accepts(base_url: str) -> bool:
    url = urlsplit(base_url)
    with socket.socket() as probe:
        return probe.connect_ex((url.hostname, url.port)) == 0


def test_every_server_answers_at_an_address_of_its_own(lab, run):
    async def main():
        models = lab.models("serve", count=2)
        await models.start()
        urls = models.base_urls
        answered = [accepts(url) for url in urls]
        await models.stop()
        return urls, answered

    urls, answered = run(main())

    assert answered == [True, True]
    assert len(set(urls)) == 2
    assert all(url.startswith("http://127.0.0.1:") and url.endswith("/v1") for url in urls)
    assert sorted(fields["server"] for _, fields in lab.events) == [0, 1]


def test_a_killed_child_is_replaced_at_the_same_address(lab, run):
    async def main():
        models = lab.models("serve")
        await models.start()
        before = models.base_urls
        os.kill(lab.events[0][1]["pid"], signal.SIGKILL)
        await lab.event(2)
        after, answered = models.base_urls, accepts(before[0])
        await models.stop()
        return before, after, answered

    before, after, answered = run(main())

    assert before == after
    assert answered
    names = [name for name, _ in lab.events]
    assert names == ["local_model_ready", "local_model_down", "local_model_ready"]
    assert lab.events[1][1] == {"server": 0, "reason": "killed by SIGKILL", "restart_in_s": 0.01}
    assert lab.events[0][1]["pid"] != lab.events[2][1]["pid"]


@pytest.mark.slow
def test_a_child_that_cannot_start_again_is_tried_with_growing_waits(lab, run):
    async def main():
        models = lab.models("serve_if_first")
        await models.start()
        os.kill(lab.events[0][1]["pid"], signal.SIGKILL)
        await lab.event(3)
        await models.stop()

    run(main())

    downs = [fields for name, fields in lab.events if name == "local_model_down"]
    assert [down["restart_in_s"] for down in downs[:3]] == [0.01, 0.02, 0.04]
    assert "no such luck" in downs[1]["reason"]


def test_if_one_of_two_cannot_start_none_is_left(lab, run):
    with pytest.raises(LocalModelError, match="no such luck"):
        run(lab.models("serve_if_first", count=2).start())

    assert len(lab.pids()) == 2


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("refuse", "cannot start: no such luck$"),
        ("crash", "cannot start: killed by SIGKILL: load: bad tensor$"),
        ("raise_error", "cannot start: exited with status 1: RuntimeError: a bug in the child$"),
    ],
)
def test_the_cause_of_a_failed_start_is_one_line(lab, mode, words):
    with pytest.raises(LocalModelError, match=words) as failure:
        uvloop.run(lab.models(mode).start())

    assert "\n" not in str(failure.value)


def test_a_child_that_says_nothing_is_given_up(lab, monkeypatch):
    monkeypatch.setattr(child, "START_TIMEOUT_S", 0.2)

    with pytest.raises(LocalModelError, match="did not answer within"):
        uvloop.run(lab.models("say_nothing").start())


def test_a_child_that_breaks_the_protocol_is_a_bug_and_is_ended(lab):
    with pytest.raises(AssertionError, match="not an announcement"):
        uvloop.run(lab.models("babble").start())

    assert len(lab.pids()) == 1


def test_a_cancelled_start_leaves_no_child(lab, run):
    async def main():
        start = asyncio.create_task(lab.models("say_nothing", count=2).start())
        await until(lambda: len(lab.pids()) == 2)
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        return start.cancelled(), lab.running()

    assert run(main()) == (True, [])


@pytest.mark.slow
def test_a_child_that_does_not_go_is_killed_after_the_grace(lab, run, monkeypatch):
    monkeypatch.setattr(supervise, "STOP_GRACE_S", 0.2)

    async def main():
        models = lab.models("resist")
        await models.start()
        began_s = time.monotonic()
        await models.stop()
        return time.monotonic() - began_s

    assert 0.2 <= run(main()) < WAIT_S


def test_stop_may_come_first_last_and_twice(lab, run):
    async def main():
        models = lab.models("serve")
        await models.stop()
        await models.start()
        await models.stop()
        await models.stop()
        return lab.running()

    assert run(main()) == []


def test_a_key_press_at_the_terminal_does_not_reach_a_child(lab, run):
    async def main():
        models = lab.models("serve")
        await models.start()
        pid = lab.events[0][1]["pid"]
        session = os.getsid(pid)
        await models.stop()
        return pid, session

    pid, session = run(main())

    assert session == pid


@pytest.mark.slow
def test_no_child_outlives_a_killed_gateway(lab):
    code = (
        "import asyncio, sys, uvloop; from pathlib import Path\n"
        "from arkway.local.supervise import LocalModels\n"
        "async def main():\n"
        "    models = LocalModels(Path(), log=lambda *_: None, command=sys.argv[1:])\n"
        "    await models.start()\n"
        "    print('ready', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "uvloop.run(main())\n"
    )
    child_command = [sys.executable, str(FAKE_CHILD), "serve", str(lab.folder)]
    with subprocess.Popen(
        [sys.executable, "-c", code, *child_command], stdout=subprocess.PIPE
    ) as gateway:
        assert gateway.stdout.readline() == b"ready\n"
        running_before = lab.running()
        gateway.kill()

    deadline_s = time.monotonic() + WAIT_S
    while lab.running() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert len(running_before) == 2
    assert lab.running() == []
