"""How does a model word an answer of the documentation? By a call like anybody's, with a key.

The key is an API key that the operator made for it. So its tenant, its models, its limits and its
budget hold for these calls, the ledger has each of them, and revoking it ends them. Everything that
goes wrong leaves the reader with the quotation; the log says so once, until it works again.
`site.asking_io.Writer` bounds how many calls run at once, `site.written` judges what comes back.
"""

import asyncio
import http.client
import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from arkway.control.admin.operation import Desk
from arkway.control.reach import dialled
from arkway.site.ask import Excerpt
from arkway.site.asking_io import WRITE_LIMIT_S
from arkway.site.written import WriteAnswer, messages
from arkway.store import accounts
from arkway.telemetry.log_io import Log

MAX_ANSWER_TOKENS = 600  # 120 words are asked for, and code is long
MAX_ANSWER_BYTES = 64 * 1024  # of the whole JSON; that many tokens are 4 KiB
MAX_KEY_BYTES = 512
_is_key = re.compile(r"[!-~]{8,256}").fullmatch
_STAND_IN = "local"  # `x-arkway-upstream` of the embedded model's answers


class _Failed(Exception):
    """There is no answer; the text is for the log, and holds neither key nor question."""


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message


class _Answer(msgspec.Struct):
    choices: list[_Choice]


def docs_writer(desk: Desk, log: Log) -> WriteAnswer | None:
    """Return who words answers; None where the operator wants quotations."""
    return _DocsWriter(desk, log).write if desk.config.control.docs_model else None


class _DocsWriter:
    def __init__(self, desk: Desk, log: Log) -> None:
        self._desk, self._log = desk, log
        self._is_failing = False

    async def write(self, question: str, excerpts: Sequence[Excerpt]) -> str | None:
        """Return a model's answer from the excerpts; None where there is none to be had."""
        try:
            text = await asyncio.to_thread(self._call, messages(question, excerpts))
        except _Failed as failed:
            if not self._is_failing:
                self._log.event("warning", "docs_model", state="failing", reason=str(failed))
            self._is_failing = True
            return None
        if self._is_failing:
            self._log.event("info", "docs_model", state="working", reason="")
        self._is_failing = False
        return text

    def _call(self, said: list[dict[str, str]]) -> str | None:
        """Make the call, unless only the stand-in could answer it."""
        with self._desk.reading() as connection:
            if not any(each.account.enabled for each in accounts.list_all(connection)):
                return None
        control, server = self._desk.config.control, self._desk.config.server
        body = {
            "model": control.docs_model,
            "messages": said,
            "max_tokens": MAX_ANSWER_TOKENS,
            "temperature": 0,
        }
        headers = {
            "Authorization": f"Bearer {_key(Path(control.docs_key_file))}",
            "Content-Type": "application/json",
            # The gateway gives up when the reader's page has: nothing is paid for in vain.
            "x-stainless-read-timeout": f"{WRITE_LIMIT_S:g}",
        }
        wire = http.client.HTTPConnection(dialled(server.host), server.port, timeout=WRITE_LIMIT_S)
        try:
            with closing(wire):
                wire.request("POST", "/v1/chat/completions", msgspec.json.encode(body), headers)
                answer = wire.getresponse()
                return _text(answer.status, answer.headers, answer.read(MAX_ANSWER_BYTES))
        except (OSError, http.client.HTTPException) as error:
            raise _Failed(f"the gateway does not answer: {type(error).__name__}") from None


def _key(file: Path) -> str:
    """Return the key in a file; read for each call, so that a new one needs no restart."""
    try:
        with file.open("rb") as opened:
            key = opened.read(MAX_KEY_BYTES).decode("ascii").strip()
    except OSError as error:
        raise _Failed(f"control.docs_key_file: {error.strerror or error}") from None
    except UnicodeDecodeError:
        key = ""
    if not _is_key(key):
        raise _Failed("control.docs_key_file: holds no API key")
    return key


def _text(status: int, headers: Any, body: bytes) -> str | None:
    """Return what a model said; None if it was the stand-in."""
    if status != http.HTTPStatus.OK:
        code = re.search(rb'"code":"(\w{1,64})"', body)
        raise _Failed(f"{status} {code[1].decode() if code else ''}".rstrip())
    if headers.get("x-arkway-upstream") == _STAND_IN:
        return None
    try:
        return msgspec.json.decode(body, type=_Answer).choices[0].message.content
    except (msgspec.DecodeError, IndexError):
        raise _Failed("the answer is none") from None
