"""Who writes the answer, and how long may that take? A model if one is there, else the quotation.

Whatever goes wrong with the model (slow, busy, broken, off the excerpts), the reader gets the
quotation, which was there before the model was asked.
"""

import asyncio

import msgspec

from arkway.site.ask import Answer
from arkway.site.written import WriteAnswer, checked

WRITE_LIMIT_S = 10.0  # a reader waits for a page, not for a paper
MAX_WRITING = 4  # answers being written at once; each is a call that is paid for


class Writer:
    """Asks a model to put an answer into words."""

    def __init__(self, write: WriteAnswer | None, limit_s: float = WRITE_LIMIT_S) -> None:
        self._write = write
        self._limit_s = limit_s
        self._writing = 0

    async def improve(self, answer: Answer | None) -> Answer | None:
        """Return the answer in a model's words if they may stand, else as it is.

        Where the pages hold no answer no model is asked: it could only invent one.
        """
        if self._write is None or answer is None or not answer.is_found:
            return answer
        if self._writing >= MAX_WRITING:
            return answer
        self._writing += 1
        try:
            async with asyncio.timeout(self._limit_s):
                written = await self._write(answer.question, answer.excerpts)
        except Exception:  # noqa: BLE001  whatever a model's client raises, a quotation is at hand
            return answer
        finally:
            self._writing -= 1
        text = checked(written, answer.excerpts)
        if text is None:
            return answer
        return msgspec.structs.replace(answer, text=text, written_by="model")
