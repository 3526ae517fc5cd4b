"""Accounts: how full and how well they are; add, edit, drain, enable, remove."""

from typing import Any

from arkway.console import formats, forms
from arkway.console.live import Picture
from arkway.console.pages.trial import trial
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.views import accounts as view
from arkway.console.views import faults
from arkway.console.widgets import Form, Grid, Modal, box, button, empty, panel, words
from arkway.store.admin_tokens import Role

Documents = list[dict[str, Any]]


class _Page:
    """What the page knows."""

    def __init__(self, scene: Scene, accounts: Documents, today: Documents) -> None:
        self.scene = scene
        self.accounts = accounts
        self.today = today
        self.grid: Grid | None = None
        self.errors: Grid | None = None

    def rows(self) -> list[dict[str, object]]:
        scene = self.scene
        offered = ["test", "drain", "enable"] if scene.may(Role.OPERATOR) else []
        offered += ["edit", "remove"] if scene.may(Role.ADMIN) else []
        now = scene.feed.picture.now
        return view.rows(scene.t, self.accounts, now, self.today, offered)

    def show(self, picture: Picture) -> None:
        if self.grid is not None:
            self.today = picture.today or self.today
            self.grid.show(self.rows())
        if self.errors is not None:
            self.errors.show(faults.rows(self.scene.t, picture.now))

    async def reload(self) -> None:
        self.accounts = await self.scene.items("list_accounts", limit=200)
        if self.grid is None or not self.accounts:
            self.scene.go("/accounts")
        else:
            self.grid.show(self.rows())

    async def act(self, name: str, act: str) -> None:
        account = next((each for each in self.accounts if each["name"] == name), None)
        if account is None:
            return
        if act == "edit":
            self.edit(account)
        elif act == "test":
            await trial(self.scene, name)
        elif act == "remove":
            self.remove(name)
        elif act in ("drain", "enable"):
            await self.scene.do(f"{act}_account", path={"account": name})
            self.scene.say(self.scene.t(f"accounts.did_{act}", name=name))
            await self.reload()

    def edit(self, account: dict[str, Any] | None) -> None:
        t = self.scene.t
        title = (
            t("accounts.add") if account is None else t("accounts.edit_of", name=account["name"])
        )
        with self.scene.client.content:
            dialog = Modal(title, t("accounts.form_lead"))
        with dialog:
            form = Form(view.fields(t, account), submit=t("say.save"), cancel=t("say.cancel"))
        form.on("cancel", dialog.delete)

        async def send(values: dict[str, Any]) -> None:
            body = view.body(values)
            if account is None:
                await self.scene.do("create_account", body=body)
                self.scene.say(t("accounts.added", name=body.get("name", "")))
            else:
                change = forms.changed(body, account)
                if change:
                    await self.scene.do(
                        "edit_account", path={"account": account["name"]}, body=change
                    )
                self.scene.say(t("say.saved"))
            dialog.delete()
            await self.reload()

        form.on_send(self.scene.acting(send, form))

    def remove(self, name: str) -> None:
        t = self.scene.t
        with self.scene.client.content:
            dialog = Modal(
                t("accounts.remove_of", name=name), t("accounts.remove_lead"), small=True
            )

        async def do() -> None:
            await self.scene.do("remove_account", path={"account": name})
            dialog.delete()
            self.scene.say(t("accounts.removed", name=name))
            await self.reload()

        with dialog, box("foot"):
            button(t("say.cancel"), dialog.delete)
            button(t("accounts.remove"), self.scene.acting(do), "main-act danger")


async def build(scene: Scene) -> None:
    """Build the page."""
    t = scene.t
    day = formats.day(scene.visitor.api.desk.now_ms())
    found = await scene.items("list_accounts", limit=200)
    today = await scene.items("list_usage", by="account", since=day, limit=2000)
    page = _Page(scene, found, today)
    with frame(scene, Place("accounts", t("nav.accounts"), t("accounts.lead"))):
        with box("row"):
            if scene.may(Role.ADMIN):
                button(t("accounts.add"), lambda: page.edit(None), "main-act")
            else:
                words(t("say.view_only"), "span", "faint")
        with panel(t("accounts.list"), t("accounts.today_note")) as body:
            body.classes("flush", remove="body")
            if found:
                page.grid = Grid(t("nav.accounts"), view.columns(t), page.rows(), t("say.actions"))
                page.grid.on_act(scene.acting(page.act))
            else:
                with empty(t("accounts.none"), t("accounts.none_lead")):
                    pass
        with panel(t("accounts.errors_list"), t("accounts.errors_note")) as body:
            body.classes("flush", remove="body")
            now = scene.feed.picture.now
            page.errors = Grid(
                t("accounts.errors_list"), faults.columns(t), faults.rows(t, now),
                none=t("accounts.no_errors"),
            )  # fmt: skip
    scene.live(page.show)
