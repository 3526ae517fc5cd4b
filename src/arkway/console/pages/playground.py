"""The playground: a conversation with any model, every parameter, and what each turn cost."""

import secrets
import time
from typing import Any
from urllib.parse import quote

from arkway.console import forms
from arkway.console.playground_io import Failed, Piece, call, url_of
from arkway.console.scene import Scene
from arkway.console.shell import Place, frame
from arkway.console.views import playground as view
from arkway.console.widgets import Form, Words, box, button, link, panel, words

_SCROLL = "document.querySelector('.talk').scrollTop = 1e9"
SHOW_EVERY_S = 0.1  # a page is told of a text ten times a second, however many tokens came
_TOOLS = {"curl": view.curl, "python": view.python, "node": view.node, "go": view.go}


class _Talk:
    """One conversation in one page."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.url = url_of(scene.visitor.api.desk.config.server)
        self.messages: list[view.Message] = []
        self.values: dict[str, Any] = {}
        self.tool = "curl"
        self.is_busy = False
        self.is_stopped = False
        self.turns: Any = None
        self.buttons: dict[str, Words] = {}
        self.code: Words | None = None
        self.send: Form | None = None

    async def say(self, values: dict[str, Any]) -> None:
        """Send one more turn."""
        t = self.scene.t
        key, typed = str(values.get("key") or "").strip(), str(values.get("message") or "")
        text = typed.strip()
        if self.is_busy or not text:
            return
        if not key:
            self.scene.say(t("play.no_key"), "warn")
            return
        if len(self.messages) >= 2 * view.MAX_TURNS:
            self.scene.say(t("play.too_long"), "warn")
            return
        # Only who is still logged in may use this process to reach the gateway.
        await self.scene.do("get_session")
        messages = [*self.messages, {"role": "user", "content": text}]
        try:
            body = view.request(self.values, messages)
        except view.BadValue as wrong:
            self.scene.say(t("play.bad", field=wrong.field, what=str(wrong)), "bad")
            return
        self.is_busy, self.is_stopped = True, False
        self.show_code(body)
        with self.turns:
            words(text, "div", "turn user")
            turn = box("turn assistant")
        self.scroll()
        try:
            self.retype(typed, "")
            answer = await self._read(key, body, turn)
            self.messages = [*messages, {"role": "assistant", "content": answer}]
        except Failed as failed:
            self.retype("", typed)
            turn.classes("error", remove="assistant")
            with turn:
                words(str(failed), "div")
                if request_id := failed.headers.get("x-request-id"):
                    words(request_id, "div", "meta mono")
        finally:
            self.is_busy = False

    def retype(self, old: str, new: str) -> None:
        """Put `new` into the box of the next message, if it still holds `old`."""
        if self.send is not None:
            self.send.run_method("replace_value", "message", old, new)

    async def _read(self, key: str, body: dict[str, Any], turn: Any) -> str:
        t, begun_s = self.scene.t, time.monotonic()
        conversation = str(self.values.get("conversation") or "")
        whole, first_ms, shown_s = Piece(), 0, begun_s
        with turn:
            thought = words("", "div", "thinking")
            thought.set_visibility(False)
            text = words("…", "div")
            meta = words(t("play.waiting"), "div", "meta")
        async for piece in call(self.url, key, conversation, body):
            if self.is_stopped:
                break
            _add(whole, piece)
            now_s = time.monotonic()
            if not first_ms and (piece.text or piece.thought):
                first_ms = int((now_s - begun_s) * 1000)
            if now_s - shown_s >= SHOW_EVERY_S:
                shown_s = now_s
                _show(whole, text, thought)
                self.scroll()
        _show(whole, text, thought)
        took = (first_ms if body.get("stream") else 0, int((time.monotonic() - begun_s) * 1000))
        self.scroll()
        meta.text = view.summary(t, whole.usage, whole.headers, took)
        with turn:
            request_id = whole.headers.get("x-request-id", "")
            if request_id:
                link(t("play.story"), f"/calls/{quote(request_id, safe='')}", "meta")
        return whole.text

    def scroll(self) -> None:
        """Show the end of the conversation."""
        self.scene.client.run_javascript(_SCROLL)

    def show_code(self, body: dict[str, Any]) -> None:
        """Show the same call for a tool."""
        conversation = str(self.values.get("conversation") or "")
        if self.code is not None:
            self.code.text = _TOOLS[self.tool](self.url, body, conversation)

    def renew_code(self) -> None:
        """Show the next call as the form has it."""
        try:
            asked = [*self.messages, {"role": "user", "content": "Hello!"}]
            self.show_code(view.request(self.values, asked))
        except view.BadValue:
            return

    def choose(self, tool: str) -> None:
        """Show another tool."""
        self.tool = tool
        for name, shown in self.buttons.items():
            shown.props["aria-pressed"] = "true" if name == tool else "false"
            shown.update()
        self.renew_code()

    def begin_anew(self) -> None:
        """Forget the conversation."""
        self.messages = []
        self.turns.clear()

    def stop(self) -> None:
        """Read no further."""
        self.is_stopped = True


def _add(whole: Piece, piece: Piece) -> None:
    whole.text += piece.text
    whole.thought += piece.thought
    whole.tools += piece.tools
    whole.usage = piece.usage or whole.usage
    whole.finish = piece.finish or whole.finish
    whole.headers = piece.headers or whole.headers


def _show(whole: Piece, text: Words, thought: Words) -> None:
    text.text = (whole.text + ("\n" + whole.tools if whole.tools else "")) or "…"
    thought.text = whole.thought
    thought.set_visibility(bool(whole.thought))


async def build(scene: Scene) -> None:
    """Build the page."""
    t = scene.t
    listed = await scene.items("list_models", limit=200)
    models = [each["name"] for each in listed if each["is_served"]]
    talk = _Talk(scene)
    conversation = f"play-{secrets.token_hex(4)}"
    with frame(scene, Place("playground", t("nav.playground"), t("play.lead"))), box("cols"):
        with box("span8 stack"):
            _conversation(scene, talk, conversation)
            _same_call(scene, talk)
        with panel(t("play.params"), t("play.params_note"), "span4"):
            fields = view.fields(t, models, conversation)
            form = Form(fields, layout="params")
            form.props["moreLabel"] = t("play.more")
            form.props["sendsChanges"] = True
            talk.values = {field["name"]: field["value"] for field in fields}

            def changed(values: dict[str, Any]) -> None:
                talk.values = values
                talk.renew_code()

            form.on_send(changed)
    talk.renew_code()


def _conversation(scene: Scene, talk: _Talk, name: str) -> None:
    t = scene.t
    with panel(t("play.talk"), name):
        talk.turns = box(
            "talk",
            role="log",
            aria_live="polite",
            tabindex="0",
            aria_label=t("play.talk"),
            data_empty=t("play.empty"),
        )
        talk.send = Form(
            [
                forms.text(
                    "key", t("play.key"), kind="password", wide=True,
                    hint=t("play.key_hint"), placeholder="sk-…",
                ),
                forms.lines(
                    "message", t("play.message"), wide=True, placeholder=t("play.placeholder")
                ),
            ],
            submit=t("play.send"),
        )  # fmt: skip
        talk.send.on_send(scene.acting(talk.say))
        with box("row"):
            button(t("play.stop_it"), talk.stop, "small")
            button(t("play.anew"), talk.begin_anew, "small quiet")


def _same_call(scene: Scene, talk: _Talk) -> None:
    t = scene.t
    with panel(t("play.same"), t("play.same_note")):
        with box("row"), box("seg", role="group", aria_label=t("play.same")):
            for tool, name in (
                ("curl", "curl"),
                ("python", "Python"),
                ("node", "Node"),
                ("go", "Go"),
            ):
                talk.buttons[tool] = button(name, lambda tool=tool: talk.choose(tool), "small")
        talk.code = words("", "pre", "code")
        talk.code.props["tabindex"] = "0"
        talk.code.style("margin-top: 10px")
    talk.choose("curl")
