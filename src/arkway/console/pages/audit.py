"""The audit log: who changed what, and how it was before."""

from collections.abc import Mapping
from typing import Any

import msgspec

from arkway.console import cells, formats, forms
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.widgets import Form, Grid, box, button, empty, panel

ROWS = 50
_FILTERS = ("actor", "action", "noun", "noun_id")
NOUNS = ("key", "account", "model", "price", "tenant", "admin token", "admin session")
_MAX_PARTS = 8  # of a diff in a line


async def build(scene: Scene) -> None:
    """Build the page."""
    t = scene.t
    where = {name: scene.query[name][:200] for name in _FILTERS if scene.query.get(name)}
    page = await scene.do("list_audit", query={"limit": ROWS, **where})
    found = list(page["items"])
    with frame(scene, Place("audit", t("nav.audit"), t("audit.lead"))):
        nouns = [("", t("say.all")), *((each, t.word("noun", each)) for each in NOUNS)]
        fields = [
            forms.text(
                "actor", t("audit.actor"), where.get("actor", ""), placeholder="admin:first"
            ),
            forms.text("action", t("audit.action"), where.get("action", ""), placeholder="create"),
            forms.select("noun", t("audit.noun"), nouns, where.get("noun", "")),
            forms.text("noun_id", t("audit.noun_id"), where.get("noun_id", "")),
        ]
        form = Form(fields, layout="filters", submit=t("say.filter"))
        form.on_send(scene.filtering("/audit"))
        with panel(t("audit.list")) as body:
            if not found:
                empty(t("audit.none"), t("audit.none_lead"))
                return
            body.classes("flush", remove="body")
            grid = Grid(t("nav.audit"), _columns(scene), [_row(scene, each) for each in found])

            async def more() -> None:
                nonlocal page
                query = {"limit": ROWS, **where, "cursor": page["next_cursor"]}
                page = await scene.do("list_audit", query=query)
                found.extend(page["items"])
                grid.show([_row(scene, each) for each in found])
                foot.set_visibility(page["next_cursor"] is not None)

            with box("more") as foot:
                button(t("say.more"), scene.acting(more), "small")
            foot.set_visibility(page["next_cursor"] is not None)


def _columns(scene: Scene) -> list[dict[str, Any]]:
    names = ("when", "actor", "action", "what", "change")
    return [cells.column(name, scene.t(f"audit.{name}"), nowrap=name == "when") for name in names]


_TOLD = ("id", "created_unix_ms", "budget_nano")  # in other columns, or as another field
_NOTHING: tuple[object, ...] = ([], {}, None, "")


def _row(scene: Scene, found: dict[str, Any]) -> dict[str, Any]:
    noun = scene.t.word("noun", found["noun"])
    return cells.row(
        str(found["id"]),
        "",
        [
            cells.text(formats.moment(found["unix_ms"])),
            cells.text(found["actor"]),
            cells.tag(scene.t.word("action", found["action"])),
            cells.text(noun, str(found["noun_id"])),
            cells.text(change(found["before"], found["after"]), wrap=True),
        ],
    )


def change(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return a diff in a line: `budget: "5" → "10"`; of what is new, what it says of itself."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if not before:
        names = [name for name in names if name not in _TOLD and after[name] not in _NOTHING]
    parts = [
        f"{name}: {_shown(before[name])} → {_shown(after.get(name))}"
        if name in before
        else f"{name}: {_shown(after[name])}"
        for name in names[:_MAX_PARTS]
    ]
    return " · ".join(parts) + (" …" if len(names) > _MAX_PARTS else "")


def _shown(value: object) -> str:
    return msgspec.json.encode(value).decode()[:120]
