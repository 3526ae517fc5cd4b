"""Usage: any range up to a year, by day, model, key, tenant and account; and as CSV."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response, StreamingResponse

from arkway.console import forms
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.views import usage as view
from arkway.console.visitor import Visitor
from arkway.console.widgets import Form, Grid, Tiles, box, button, chart, empty, link, panel
from arkway.control.admin.errors import AdminError

ROWS = 200
MAX_EXPORTED = 200_000  # lines: a year of 500 lines a day; more is asked for in parts
_PAGE = 2000
_FILTERS = ("model", "key", "tenant", "account")


async def build(scene: Scene) -> None:
    """Build the page."""
    t = scene.t
    asked = _asked(scene.query, view.today(scene.visitor.api.desk.now_ms()))
    where, by = asked["where"], asked["by"]
    keys = await scene.items("list_keys", limit=200, revoked=True)
    names = {each["id"]: each["name"] for each in keys}
    days = await scene.items("list_usage", by="day", limit=_PAGE, **where)
    query = {"by": ",".join(by), "limit": ROWS, **where}
    page = await scene.do("list_usage", query=query)
    lines = list(page["items"])

    with frame(scene, Place("usage", t("nav.usage"), t("usage.lead"))):
        _ranges(scene, asked)
        await _filters(scene, asked, keys)
        Tiles(
            t("nav.usage"),
            view.sum_tiles(t, days, t("usage.range", a=where["since"], b=where["until"])),
        )
        if not lines:
            with panel(t("usage.table")):
                empty(t("usage.none"), t("usage.none_lead"))
            return
        with box("cols"):
            with panel(t("usage.tokens_by_day"), t("usage.classes"), "span6"):
                chart(view.token_chart(t, days), t("usage.tokens_by_day"))
            with panel(t("usage.cost_by_day"), "", "span3"):
                chart(view.cost_chart(t, days), t("usage.cost_by_day"))
            with panel(t("usage.hit_by_day"), "", "span3"):
                chart(view.hit_chart(t, days), t("usage.hit_by_day"))
        with panel(t("usage.table")) as body:
            body.classes("flush", remove="body")
            with box("more"):
                exported = {"by": query["by"], **where}
                link(t("usage.csv"), f"/export/usage.csv?{urlencode(exported)}", "btn small").props[
                    "download"
                ] = True
            grid = Grid(t("usage.table"), view.columns(t, by), view.rows(lines, by, names))

            async def more() -> None:
                nonlocal page
                page = await scene.do("list_usage", query={**query, "cursor": page["next_cursor"]})
                lines.extend(page["items"])
                grid.show(view.rows(lines, by, names))
                foot.set_visibility(page["next_cursor"] is not None)

            with box("more") as foot:
                button(t("say.more"), scene.acting(more), "small")
            foot.set_visibility(page["next_cursor"] is not None)


def _asked(query: Mapping[str, str], today: str) -> dict[str, Any]:
    """Return what the address asks for; nonsense counts as unsaid."""
    by = [name for name in query.get("by", "").split(",") if name in view.DIMENSIONS]
    since, until = query.get("since", ""), query.get("until", "")
    if query.get("range") in view.RANGES:
        since, until = view.since_of(query["range"], today), today
    first, last = view.days_between(since, until, today)
    where = {name: query[name][:200] for name in _FILTERS if query.get(name)}
    return {
        "by": by or ["model"],
        "where": {"since": first, "until": last, **where},
        "today": today,
    }


def _ranges(scene: Scene, asked: dict[str, Any]) -> None:
    t, where = scene.t, asked["where"]
    rest = {
        **{name: where[name] for name in _FILTERS if name in where},
        "by": ",".join(asked["by"]),
    }
    with box("row"), box("seg", role="group", aria_label=t("usage.ranges")):
        for name in view.RANGES:
            is_on = (view.since_of(name, asked["today"]), asked["today"]) == (
                where["since"],
                where["until"],
            )
            shown = link(
                t(f"range.{name}"), f"/usage?{urlencode({**rest, 'range': name})}", "btn small"
            )
            shown.props["aria-current"] = "true" if is_on else "false"
            if is_on:
                shown.style("background: var(--accent-soft); color: var(--accent)")


async def _filters(scene: Scene, asked: dict[str, Any], keys: list[dict[str, Any]]) -> None:
    t, where = scene.t, asked["where"]
    models = await scene.items("list_models", limit=200)
    accounts = await scene.items("list_accounts", limit=200)
    tenants = await scene.items("list_tenants", limit=200)
    every = ("", t("say.all"))
    groups = [
        "model",
        "key",
        "tenant",
        "account",
        "day",
        "day,model",
        "tenant,key",
        "tenant,model",
        "account,model",
    ]
    chosen = ",".join(asked["by"])
    if chosen not in groups:
        groups.append(chosen)
    shown = [(each, " + ".join(t(f"by.{part}") for part in each.split(","))) for each in groups]
    named = {
        "model": [(each["name"], each["name"]) for each in models],
        "key": [(each["id"], each["name"]) for each in keys],
        "tenant": [(each["name"], each["name"]) for each in tenants],
        "account": [(each["name"], each["name"]) for each in accounts],
    }
    fields = [
        forms.select("by", t("usage.by"), shown, chosen),
        forms.text("since", t("usage.since"), where["since"], kind="date"),
        forms.text("until", t("usage.until"), where["until"], kind="date"),
        *(
            forms.select(name, t(f"by.{name}"), [every, *options], where.get(name, ""))
            for name, options in named.items()
        ),
    ]
    Form(fields, layout="filters", submit=t("say.filter")).on_send(scene.filtering("/usage"))


async def export(visitor: Visitor, query: dict[str, str]) -> Response:
    """Return usage as a file. The first page is read before the answer begins."""
    asked = _asked(query, view.today(visitor.api.desk.now_ms()))
    wanted = {"by": ",".join(asked["by"]), "limit": _PAGE, **asked["where"]}
    try:
        keys = await visitor.do("list_keys", query={"limit": 200, "revoked": True})
        first = await visitor.do("list_usage", query=wanted)
    except AdminError as refused:
        return JSONResponse(refused.document(""), refused.status)
    names = {each["id"]: each["name"] for each in keys["items"]}

    async def lines() -> AsyncIterator[str]:
        yield view.csv_head()
        page, sent = first, 0
        while True:
            sent += len(page["items"])
            yield view.csv_lines(page["items"], names)
            if page["next_cursor"] is None or sent >= MAX_EXPORTED:
                return
            page = await visitor.do("list_usage", query={**wanted, "cursor": page["next_cursor"]})

    since, until = asked["where"]["since"], asked["where"]["until"]
    name = f"usage-{since}-{until}.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)
