"""Whatever a model does, is there an answer in time?"""

import asyncio

import pytest

from arkway.site.ask import Answer, Excerpt
from arkway.site.asking_io import MAX_WRITING, Writer
from arkway.site.sections import sections

(SECTION,) = sections("keys.md", "# Keys\n\nThe port is 8080.\n")
FOUND = Answer("Which port?", "The port is 8080.", (Excerpt(SECTION, "The port is 8080.", 1.0),))
NONE = Answer("Which zebra?", "", FOUND.excerpts)


def improved(write, answer=FOUND, limit_s: float = 5.0):
    return asyncio.run(Writer(write, limit_s).improve(answer))


def test_a_model_may_put_it_into_words():
    async def write(question, excerpts):
        assert (question, excerpts) == (FOUND.question, FOUND.excerpts)
        return "Port 8080."

    answer = improved(write)

    assert (answer.text, answer.written_by) == ("Port 8080.", "model")
    assert answer.excerpts == FOUND.excerpts


async def _invents(_question, _excerpts):
    return "Port 9999."


async def _fails(_question, _excerpts):
    raise ConnectionError("no account")


async def _hangs(_question, _excerpts):
    await asyncio.sleep(3600)


async def _says_nothing(_question, _excerpts):
    return None


@pytest.mark.parametrize("write", [None, _invents, _fails, _hangs, _says_nothing])
def test_else_the_quotation_stands(write):
    assert improved(write, limit_s=0.02) == FOUND


@pytest.mark.parametrize("answer", [NONE, None])
def test_where_the_pages_hold_no_answer_no_model_is_asked(answer):
    async def write(_question, _excerpts):
        raise AssertionError("asked")

    assert improved(write, answer) == answer


def test_few_answers_are_written_at_once():
    asked = 0

    async def write(_question, _excerpts):
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.02)
        return "Port 8080."

    async def many() -> list[Answer]:
        writer = Writer(write)
        answers = await asyncio.gather(*(writer.improve(FOUND) for _ in range(20)))
        later = await writer.improve(FOUND)
        return [*answers, later]

    answers = asyncio.run(many())

    assert [a.written_by for a in answers].count("model") == MAX_WRITING + 1 == asked
    assert answers[-1].written_by == "model", "places come free"


def test_a_reader_who_leaves_frees_the_place():
    async def leave() -> None:
        writer = Writer(_hangs)
        task = asyncio.create_task(writer.improve(FOUND))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert writer._writing == 0

    asyncio.run(leave())
