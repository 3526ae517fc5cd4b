"""The endings matrix of docs/ledger.md, cell by cell: what the upstream counts, and how it ends."""

import json
from pathlib import Path

import pytest

from arkway.ledger.entry import UsageSource
from arkway.model.outcome import Ending
from support.pipeline_lab import DONE, account, chunk, completion

PAGE = Path(__file__).parents[3] / "docs" / "ledger.md"
TEXT = "some text of an answer"
FULL = {
    "prompt_tokens": 30,
    "completion_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
# Shape: (usage of the whole answer, whether every chunk of a stream has it, the five classes).
SHAPES = {
    "with details": (FULL, False, (20, 10, 0, 7, 5)),
    "totals only": ({"prompt_tokens": 30, "completion_tokens": 12}, False, (30, 0, 0, 12, 0)),
    "zeros": ({"prompt_tokens": 0, "completion_tokens": 0}, False, (0, 0, 0, 0, 0)),
    "on every chunk": (FULL, True, (20, 10, 0, 7, 5)),
    "null or none": (None, False, None),
    "impossible": (FULL | {"prompt_tokens_details": {"cached_tokens": 31}}, False, None),
}


def events(usage, is_running):
    """Return the events of a stream: two of text, the finish, and the counts."""
    more = {"usage": usage} if is_running or usage is None else {}
    text = [chunk(TEXT, **more), chunk(TEXT, **more), chunk(finish="stop", **more)]
    counts = b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
    return [*text, *([] if usage is None else [counts])]


def completed(lab, it, usage, is_running, stream):
    if stream:
        lab.last.data(*events(usage, is_running), DONE)
    else:
        lab.last.answer(completion(TEXT * 2, told=usage or {}))


def breaks_off(lab, it, usage, is_running, stream):
    if stream:
        lab.last.data(*events(usage, is_running)[:1])
    else:
        lab.last.begin(b"application/json")
    lab.last.fail(Ending.AMBIGUOUS)


def leaves_at_once(lab, it, usage, is_running, stream):
    it.reset()


def leaves_after_the_head(lab, it, usage, is_running, stream):
    lab.last.begin(b"text/event-stream" if stream else b"application/json")
    it.reset()


def leaves_in_the_middle(lab, it, usage, is_running, stream):
    lab.last.data(*events(usage, is_running)[:2])
    it.reset()


def leaves_before_the_counts(lab, it, usage, is_running, stream):
    lab.last.data(*events(usage, is_running)[:3])
    it.reset()


ENDINGS = {
    "completed": completed,
    "upstream breaks off": breaks_off,
    "caller leaves at once": leaves_at_once,
    "caller leaves after the head": leaves_after_the_head,
    "caller leaves in the middle": leaves_in_the_middle,
    "caller leaves before the counts": leaves_before_the_counts,
}
DELIVERED = {  # bytes of text that the caller has, of a stream
    "completed": 2 * len(TEXT),
    "upstream breaks off": len(TEXT),
    "caller leaves in the middle": 2 * len(TEXT),
    "caller leaves before the counts": 2 * len(TEXT),
}


def table():
    part = PAGE.read_text().split("### The endings, one by one")[1].split("\n#")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("|")
    ]
    titles, _, *body = rows
    for ending, form, *cells in body:
        for shape, cell in zip(titles[2:], cells, strict=True):
            yield ending, form, shape, cell


CELLS = list(table())


def test_the_table_is_whole():
    wanted = {
        (ending, form, shape)
        for ending in ENDINGS
        for form in ("plain", "stream")
        for shape in SHAPES
    }
    assert {cell[:3] for cell in CELLS} == wanted
    assert len(CELLS) == 72


@pytest.mark.parametrize(("ending", "form", "shape", "cell"), CELLS)
def test_each_cell_is_what_is_booked(planes, ending, form, shape, cell):
    stream = form == "stream"
    if cell == "-":
        assert not stream  # a plain answer comes whole, or not
        return
    usage, is_running, classes = SHAPES[shape]
    lab = planes(account("a"))
    it = lab.call(stream=stream)
    ENDINGS[ending](lab, it, usage, is_running, stream)
    lab.loop.turn()

    (end,) = lab.plane.booked
    assert (end.source if end.kind == "settle" else end.kind) == cell
    booked = (end.uncached, end.cached, end.created, end.output, end.reasoning)
    if end.source is UsageSource.UPSTREAM:
        assert booked == classes, "as the upstream counted, zeros too"
    elif end.source is UsageSource.ESTIMATE:
        assert end.uncached > 0, "an accepted prompt is owed"
        assert (end.output > 0) is (DELIVERED.get(ending, 0) > 0)
        if stream:
            assert end.delivered_bytes == DELIVERED.get(ending, 0)
    else:
        assert booked == (0, 0, 0, 0, 0)
        assert end.cost_nano == 0
