"""Calls: newest first, searched by id, key, account, outcome and time."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from arkway.console import forms
from arkway.console.live import Picture
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.views import calls as view
from arkway.console.widgets import Form, Grid, box, button, empty, panel, words

ROWS = 50
MAX_ROWS = 1000  # of a page in the browser; the search goes on with a later time
_NAMED = ("id", "key", "tenant", "model", "account", "outcome", "code")


async def build(scene: Scene) -> None:
    """Build the page."""
    t = scene.t
    keys = await scene.items("list_keys", limit=200, revoked=True)
    names = {each["id"]: each["name"] for each in keys}
    where = _asked(scene.query)
    page = await scene.do("list_calls", query={"limit": ROWS, **where})
    found: list[dict[str, Any]] = list(page["items"])

    with frame(scene, Place("calls", t("nav.calls"), t("calls.lead"))):
        await _filters(scene, keys)
        note = "" if where else t("calls.live")
        with panel(t("calls.list"), note) as body:
            body.classes("flush", remove="body")
            grid = Grid(t("nav.calls"), view.columns(t), _rows(scene, found, names))
            nothing = empty(
                t("calls.none"), t("calls.none_lead" if not where else "calls.no_match")
            ).parent_slot
            assert nothing is not None, "it was just made"
            said = nothing.parent
            with box("more") as foot:
                further = button(t("say.more"), lambda: None, "small")
                note_ = words("", "span")

            def show() -> None:
                grid.show(_rows(scene, found, names))
                is_more = page["next_cursor"] is not None and len(found) < MAX_ROWS
                foot.set_visibility(is_more)
                said.set_visibility(not found and not is_more)
                grid.set_visibility(bool(found))
                note_.text = t("calls.further") if is_more and where else ""

            async def more() -> None:
                nonlocal page
                asked = {"limit": ROWS, **where, "cursor": page["next_cursor"]}
                page = await scene.do("list_calls", query=asked)
                found.extend(page["items"])
                show()

            further.on("click", scene.acting(more))
            show()
    if not where:
        scene.live(lambda picture: _renew(picture, found, show))


def _renew(picture: Picture, found: list[dict[str, Any]], show: Any) -> None:
    """Put what is new at the top, and what has ended in its place."""
    fresh = {each["request_id"]: each for each in picture.calls}
    merged = [fresh.pop(each["request_id"], each) for each in found]
    newest = found[0]["request_id"] if found else ""
    added = [each for each in fresh.values() if each["request_id"] > newest]
    if added or merged != found:
        found[:] = (added + merged)[:MAX_ROWS]
        show()


def _rows(scene: Scene, found: list[dict[str, Any]], names: dict[str, str]) -> list[dict[str, Any]]:
    return [view.row(scene.t, call, names) for call in found]


def _asked(query: Mapping[str, str]) -> dict[str, Any]:
    """Return what the address asks for; the API checks it."""
    where: dict[str, Any] = {name: query[name][:200] for name in _NAMED if query.get(name)}
    if where.get("outcome") not in (None, *view.OUTCOMES):
        del where["outcome"]
    for name, wanted in (("since", "since_ms"), ("until", "until_ms")):
        moment = _moment(query.get(name, ""))
        if moment is not None:
            where[wanted] = moment
    return where


def _moment(text: str) -> int | None:
    """Return a time of UTC, as the browser's field writes it."""
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None


async def _filters(scene: Scene, keys: list[dict[str, Any]]) -> None:
    t, query = scene.t, scene.query
    models = await scene.items("list_models", limit=200)
    accounts = await scene.items("list_accounts", limit=200)
    every = ("", t("say.all"))
    outcomes = [(name, t.word("outcome", name)) for name in view.OUTCOMES]
    fields = [
        forms.text("id", t("calls.id"), query.get("id", ""), placeholder="019a…"),
        forms.select(
            "key",
            t("calls.key"),
            [every, *((each["id"], each["name"]) for each in keys)],
            query.get("key", ""),
        ),
        forms.select(
            "account",
            t("calls.account"),
            [every, *((each["name"],) * 2 for each in accounts)],
            query.get("account", ""),
        ),
        forms.select(
            "model",
            t("calls.model"),
            [every, *((each["name"],) * 2 for each in models)],
            query.get("model", ""),
        ),
        forms.select("outcome", t("calls.outcome"), [every, *outcomes], query.get("outcome", "")),
        forms.text(
            "code", t("calls.code"), query.get("code", ""), placeholder="rate_limit_exceeded"
        ),
        forms.text("since", t("calls.since"), query.get("since", ""), kind="datetime-local"),
        forms.text("until", t("calls.until"), query.get("until", ""), kind="datetime-local"),
    ]
    Form(fields, layout="filters", submit=t("say.search")).on_send(scene.filtering("/calls"))
