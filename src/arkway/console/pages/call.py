"""One call: what happened when, in words, on a scale, in money, and in the ledger's own rows."""

import asyncio
from http import HTTPStatus
from typing import Any

from arkway.console import formats
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.views import calls as view
from arkway.console.widgets import Grid, Spans, Tiles, box, empty, panel, words
from arkway.control.admin.errors import AdminError

_LOOKS, _AGAIN_S = 5, 0.25  # a page is to open within a second, also when it is too early


async def build(scene: Scene) -> None:
    """Build the page."""
    t = scene.t
    found = await _found(scene, scene.part["call"])
    call, attempts = found["call"], found["attempts"]
    history = await scene.items("list_prices", model=call["model"], limit=200)
    prices = {each["version"]: each for each in history}
    key = await _key_name(scene, call["key"])

    above = ((t("nav.calls"), "/calls"),)
    with frame(scene, Place("calls", t("call.title"), call["request_id"], above)):
        Tiles(t("call.title"), _tiles(scene, call, key))
        with panel(t("call.timeline"), t("call.timeline_note")):
            Spans(t("call.timeline"), view.spans(t, attempts))
            _legend(scene)
        with box("cols"):
            with panel(t("call.story"), t("call.story_note"), "span7"):
                words("\n".join(found["story"]), "pre", "code wrap")
            with panel(t("call.bill"), t("call.bill_note"), "span5") as body:
                columns, rows = view.bill(t, attempts, prices)
                if rows:
                    body.classes("flush", remove="body")
                    Grid(t("call.bill"), columns, rows)
                else:
                    empty(t("call.no_bill"), t("call.no_bill_lead"))
        with panel(t("call.rows"), t("call.rows_note")):
            words(view.ledger_rows(attempts), "pre", "code").props["tabindex"] = "0"


async def _found(scene: Scene, request_id: str) -> dict[str, Any]:
    """Return the call; a new one is waited for, as the ledger's file is half a second behind.

    Errors:  AdminError.
    """
    for _ in range(_LOOKS - 1):
        try:
            return await scene.do("get_call", path={"call": request_id})
        except AdminError as refused:
            now_ms = scene.visitor.api.desk.now_ms()
            if refused.status != HTTPStatus.NOT_FOUND or not view.is_new(request_id, now_ms):
                raise
        await asyncio.sleep(_AGAIN_S)
    return await scene.do("get_call", path={"call": request_id})


_WORDS = ("calls.outcome", "calls.model", "calls.account")  # not figures


async def _key_name(scene: Scene, key: str) -> str:
    """Return what people call a key; its id, where it is none of ours."""
    try:
        return str((await scene.do("get_key", path={"key": key}))["name"])
    except AdminError as refused:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise
        return key


def _tiles(scene: Scene, call: dict[str, Any], key: str) -> list[dict[str, str]]:
    t = scene.t
    whole = call["uncached"] + call["cached"] + call["created"]
    affinity = t.word("affinity", call["affinity"]) if call["affinity"] else formats.NOTHING
    figures = (
        ("calls.outcome", t.word("outcome", call["outcome"]), call["code"]),
        ("calls.model", call["model"], t("call.by", key=key, tenant=call["tenant"])),
        ("calls.account", call["account"], affinity),
        (
            "calls.cached",
            formats.share(call["cached"] / whole) if whole else formats.NOTHING,
            t("call.of_input", n=formats.count(whole)),
        ),
        (
            "calls.first",
            formats.millis(call["first_token_ms"] or None),
            t("call.in_all", n=formats.millis(call["total_ms"])),
        ),
        (
            "calls.cost",
            formats.money(call["cost_nano"], call["currency"]),
            formats.moment(call["at_ms"]) + " UTC",
        ),
    )
    return [
        {"label": t(label), "value": value, "unit": "", "sub": sub, "tone": tone, "title": value}
        for label, value, sub in figures
        for tone in ["words" if label in _WORDS else ""]
    ]


def _legend(scene: Scene) -> None:
    with box("legend"):
        for name, colour in (("wait", "--c2"), ("answer", "--c1"), ("failed", "--bad")):
            with box("", "span"):
                box("", "i").style(f"background: var({colour})")
                words(scene.t(f"call.{name}"))
