"""The dialog in which an account is tested."""

from typing import Any

from arkway.console import forms
from arkway.console.scene import Scene
from arkway.console.views import calls, faults
from arkway.console.widgets import Form, Modal, box, link, pairs, words


async def trial(scene: Scene, account: str) -> None:
    """Open it. Nothing is sent before its button is pressed."""
    t = scene.t
    models = await scene.items("list_models", limit=200)
    names = [(str(each["name"]), str(each["name"])) for each in models if each["is_served"]]
    with scene.client.content:
        dialog = Modal(t("accounts.test_of", name=account), t("accounts.test_lead"), small=True)
    with dialog:
        choice = forms.select(
            "model",
            t("accounts.test_model"),
            [("", t("accounts.test_cheapest")), *names],
            wide=True,
        )
        form = Form([choice], submit=t("accounts.test"), cancel=t("say.close"))
        told = box("told", aria_live="polite")
    form.on("cancel", dialog.delete)

    waiting: list[str] = []  # for the answer; a second press does nothing then

    async def send(values: dict[str, Any]) -> None:
        if waiting:
            return
        waiting.append(account)
        told.clear()
        with told:
            words(t("accounts.testing"), "p", "faint")
        try:
            body = {"model": forms.taken(values, "model")}
            found = await scene.do("test_account", path={"account": account}, body=body)
        finally:
            waiting.clear()
            if not told.is_deleted:
                told.clear()
        if not told.is_deleted:  # the dialog may have been closed meanwhile
            with told:
                _tell(scene, found)

    form.on_send(scene.acting(send, form))


def _tell(scene: Scene, found: dict[str, Any]) -> None:
    headline, todo, tone = faults.verdict(scene.t, found)
    with box(f"verdict {tone}"):
        words(headline, "strong", f"dot {tone}")
        words(todo, "p")
    pairs(faults.pairs(scene.t, found))
    link(scene.t("accounts.test_story"), calls.path_of(found["request_id"]))
