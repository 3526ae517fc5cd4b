"""API keys: the list, and making one."""

from typing import Any

from arkway.console import formats, forms
from arkway.console.pages import key_forms
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.views import keys as view
from arkway.console.widgets import Form, Grid, box, button, empty, panel, words
from arkway.store.admin_tokens import Role

ROWS = 50


async def used_by_key(scene: Scene) -> dict[str, dict[str, Any]]:
    """Return what every key has used in each period: four sums, however many keys."""
    today = formats.day(scene.visitor.api.desk.now_ms())
    found: dict[str, dict[str, Any]] = {}
    for period in (*view.PERIODS, "days"):
        since = view.since(period, today)
        lines = await scene.items("list_usage", by="key", since=since, limit=2000)
        found[period] = dict(view.by_key(lines))
    return found


class _Page:
    """The list, and what its buttons do."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.query = _query(scene)
        self.used: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.cursor: str | None = None

    async def load(self) -> None:
        """Read one more page."""
        query = self.query if self.cursor is None else {**self.query, "cursor": self.cursor}
        page = await self.scene.do("list_keys", query=query)
        self.keys.update({each["id"]: each for each in page["items"]})
        self.cursor = page["next_cursor"]

    def rows(self) -> list[dict[str, object]]:
        """Return what the table shows."""
        now_s = self.scene.visitor.api.desk.now_ms() / 1000
        acts = self.scene.may(Role.OPERATOR)
        return [
            view.row(self.scene.t, key, self.used, now_s, acts=acts) for key in self.keys.values()
        ]

    async def again(self) -> None:
        """Show the page as it is now."""
        self.scene.go(self.scene.path)

    async def act(self, key_id: str, name: str) -> None:
        """Do what a button of a line says."""
        key = self.keys.get(key_id)
        if key is None:
            return
        if name == "edit":
            await key_forms.edit(self.scene, key, self.again)
        elif name == "rotate":
            key_forms.rotate(self.scene, key, self.again)
        elif name == "revoke":
            key_forms.revoke(self.scene, key, self.again)

    def build(self) -> None:
        """Make the list."""
        t = self.scene.t
        grid = Grid(t("nav.keys"), view.columns(t), self.rows(), t("say.actions"))
        grid.on_act(self.scene.acting(self.act))

        async def more() -> None:
            await self.load()
            grid.show(self.rows())
            foot.set_visibility(self.cursor is not None)

        with box("more") as foot:
            button(t("say.more"), self.scene.acting(more), "small")
        foot.set_visibility(self.cursor is not None)


async def build(scene: Scene) -> None:
    """Build the page."""
    t = scene.t
    tenants = [each["name"] for each in await scene.items("list_tenants", limit=200)]
    page = _Page(scene)
    await page.load()
    page.used = await used_by_key(scene)
    with frame(scene, Place("keys", t("nav.keys"), t("keys.lead"))):
        with box("row"):
            if scene.may(Role.OPERATOR):
                make = scene.acting(lambda: key_forms.edit(scene, None, page.again))
                button(t("keys.create"), make, "main-act")
                button(t("keys.add_tenant"), lambda: key_forms.add_tenant(scene, page.again))
            else:
                words(t("say.view_only"), "span", "faint")
        _filters(scene, tenants)
        with panel(t("keys.list"), t("keys.count", n=len(page.keys))) as body:
            body.classes("flush", remove="body")
            if page.keys:
                page.build()
            else:
                empty(t("keys.none"), t("keys.none_lead"))


def _query(scene: Scene) -> dict[str, Any]:
    query: dict[str, Any] = {"limit": ROWS, "revoked": scene.query.get("revoked") == "1"}
    query.update({name: scene.query[name] for name in ("tenant", "name") if scene.query.get(name)})
    return query


def _filters(scene: Scene, tenants: list[str]) -> None:
    t = scene.t
    options = [("", t("say.all")), *((each, each) for each in tenants)]
    fields = [
        forms.text("name", t("keys.name"), scene.query.get("name", "")),
        forms.select("tenant", t("keys.tenant"), options, scene.query.get("tenant", "")),
        forms.check("revoked", t("keys.with_revoked"), value=scene.query.get("revoked") == "1"),
    ]
    form = Form(fields, layout="filters", submit=t("say.filter"))
    form.on_send(scene.filtering("/keys"))
