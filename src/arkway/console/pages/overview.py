"""The overview: how it goes, now and today."""

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from arkway.console import formats
from arkway.console.live import Picture
from arkway.console.pages.keys import used_by_key
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.views import calls as calls_view
from arkway.console.views import keys as keys_view
from arkway.console.views import overview as view
from arkway.console.widgets import Grid, Tiles, box, chart, link, panel, words

Documents = Sequence[dict[str, Any]]


class _Page:
    """What the page shows, and what it was built with."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.t = scene.t
        self.accounts: Documents = ()
        self.keys: Documents = ()
        self.spent: list[tuple[str, float]] = []
        self.today: Documents = ()
        self.prices: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}
        self.attention: list[tuple[str, str, str, str]] | None = None

    async def load(self) -> None:
        """Read what changes slowly; the rest comes from the feed."""
        scene, picture = self.scene, self.scene.feed.picture
        self.accounts = await scene.items("list_accounts", limit=200)
        self.keys = await scene.items("list_keys", limit=200, revoked=True)
        if any(each["budget_nano"] for each in self.keys):
            self.spent = keys_view.nearly_spent(self.keys, await used_by_key(scene))
        self.names = {each["id"]: each["name"] for each in self.keys}
        priced = await scene.items("list_prices", limit=200)
        self.prices = {each["model"]: each for each in priced}
        day = formats.day(scene.visitor.api.desk.now_ms())
        self.today = await scene.items("list_usage", by="model,account", since=day, limit=2000)
        if not picture.calls:
            picture.calls = await scene.items("list_calls", limit=view.RECENT_CALLS)

    def build(self) -> None:
        """Make what is shown."""
        t, picture = self.t, self.scene.feed.picture
        self.now = Tiles(t("overview.now"), view.now_tiles(t, picture.now))
        self.banners = box("banners")
        with box("cols"):
            self.rate = self._chart("calls_chart", view.rate_chart)
            self.tokens = self._chart("tokens_chart", view.token_chart)
            self.first = self._chart("first_chart", view.first_token_chart)
            with panel(t("overview.error_list"), t("overview.last_minute"), "span3") as body:
                body.classes("flush", remove="body")
                self.errors = Grid(t("overview.error_list"), view.error_columns(t), [])
                self.none = words(t("overview.no_errors"), "p", "empty")
        self.day = Tiles(t("overview.this_day"), self._of_today(self.today))
        with panel(t("overview.newest"), t("overview.newest_note")) as body:
            body.classes("flush", remove="body")
            rows = view.call_rows(t, picture, self.names)
            self.newest = Grid(
                t("overview.newest"), calls_view.columns(t), rows, none=t("overview.no_calls")
            )
            with box("more"):
                link(t("overview.all_calls"), "/calls")

    def _chart(self, name: str, options: Any) -> ui.echart:
        label = self.t(f"overview.{name}")
        with panel(label, self.t("overview.last_minutes"), "span3"):
            return chart(options(self.t, list(self.scene.feed.picture.points)), label)

    def _of_today(self, today: Documents) -> list[dict[str, str]]:
        serving = len([each for each in self.accounts if each["enabled"]])
        return view.today_tiles(self.t, today, self.prices, serving)

    def show(self, new: Picture) -> None:
        """Show what is new."""
        t, points = self.t, list(new.points)
        self.now.show(view.now_tiles(t, new.now))
        for made, options in (
            (self.rate, view.rate_chart(t, points)),
            (self.tokens, view.token_chart(t, points)),
            (self.first, view.first_token_chart(t, points)),
        ):
            made.options.update({"xAxis": options["xAxis"], "series": options["series"]})
            made.update()
        self.day.show(self._of_today(new.today or self.today))
        self.newest.show(view.call_rows(t, new, self.names))
        rows = view.error_rows(t, new.errors)
        self.errors.show(rows)
        self.errors.set_visibility(bool(rows))
        self.none.set_visibility(not rows)
        self._attend(view.attention(t, new.now, self.accounts, self.keys, self.spent))

    def _attend(self, wanted: list[tuple[str, str, str, str]]) -> None:
        if self.attention == wanted:
            return
        self.attention = wanted
        self.banners.clear()
        with self.banners:
            for tone, title, detail, path in wanted:
                with box(f"banner {tone}", role="status"):
                    words(title, "b")
                    words(detail)
                    if path:
                        link(self.t("attention.look"), path)


async def build(scene: Scene) -> None:
    """Build the page."""
    page = _Page(scene)
    await page.load()
    with frame(scene, Place("overview", scene.t("nav.overview"), scene.t("overview.lead"))):
        page.build()
    page.show(scene.feed.picture)
    scene.live(page.show)
