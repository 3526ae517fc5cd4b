import io
import json
import re

import pytest

from arkway.model.catalogue import Secret
from arkway.telemetry.log_io import LEVELS, Log

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def written(*events, level="info", style="json"):
    stream = io.StringIO()
    log = Log(level, style, stream)
    for severity, name, fields in events:
        log.event(severity, name, **fields)
    return stream.getvalue().splitlines()


def test_an_event_is_one_line_of_json():
    (line,) = written(("info", "ready", {"port": 8080, "ok": True, "x": None, "text": "é\n"}))

    event = json.loads(line)
    assert STAMP.fullmatch(event.pop("time"))
    assert event == {
        "level": "info",
        "event": "ready",
        "port": 8080,
        "ok": True,
        "x": None,
        "text": "é\n",
    }


def test_an_event_is_one_line_of_text():
    fields = {"port": 8080, "empty": "", "spaced": "a b", "broken": "a\nb", "account": "fast"}

    (line,) = written(("warning", "ready", fields), style="text")

    stamp, rest = line.split(" ", 1)
    assert STAMP.fullmatch(stamp)
    assert rest == "warning ready port=8080 empty='' spaced='a b' broken='a\\nb' account=fast"


def test_an_event_without_fields_ends_with_its_name():
    (line,) = written(("info", "ready", {}), style="text")

    assert line.endswith(" info    ready")


@pytest.mark.parametrize("threshold", LEVELS)
def test_only_what_is_grave_enough_is_written(threshold):
    names = [
        json.loads(line)["event"]
        for line in written(*[(n, n, {}) for n in LEVELS], level=threshold)
    ]
    log = Log(threshold, "json", io.StringIO())

    assert names == [name for name in LEVELS if LEVELS[name] >= LEVELS[threshold]]
    assert [name for name in LEVELS if log.logs(name)] == names


def test_a_secret_does_not_show():
    (line,) = written(("info", "x", {"key": Secret("hunter2")}), style="text")

    assert line.endswith("key=***")


@pytest.mark.parametrize("error", [OSError("disk full"), BrokenPipeError(), ValueError("closed")])
def test_what_cannot_be_written_is_dropped(error):
    class Broken(io.StringIO):
        def write(self, text):
            raise error

    Log("info", "json", Broken()).event("info", "x")


def test_the_default_is_standard_error(capsys):
    Log("info", "text").event("info", "hello")

    out, err = capsys.readouterr()
    assert out == ""
    assert "hello" in err
