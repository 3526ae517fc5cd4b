"""What stands around every page? The navigation, the title, who is here, language and theme."""

from typing import NamedTuple

from nicegui import ui
from nicegui.element import Element

from arkway import __version__
from arkway.console.live import Picture
from arkway.console.look import THEMES
from arkway.console.scene import LOGIN, Scene
from arkway.console.texts import LANGUAGES, TAGS
from arkway.console.widgets import box, button, link, words
from arkway.control.admin.errors import AdminError

ASSETS = "/console"
# Groups of the navigation: the pages' names are texts and paths.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("watch", ("overview", "calls", "usage")),
    ("run", ("accounts", "keys", "models", "audit")),
    ("try", ("playground", "lab")),
    ("system", ("settings", "access")),
)
_READY = ("ready", "serving", "up")


class Place(NamedTuple):
    """Where a page stands."""

    name: str  # of the navigation
    title: str
    lead: str = ""
    above: tuple[tuple[str, str], ...] = ()  # text and path of the pages above it


def path_of(name: str) -> str:
    """Return the path of a page of the navigation."""
    return "/" if name == "overview" else f"/{name}"


def head(scene: Scene) -> None:
    """Load the style, and set theme and language before anything is drawn."""
    look = scene.visitor.look
    ui.add_head_html(
        f'<script src="{ASSETS}/console.js?{__version__}" data-theme="{look.theme}"'
        f' data-lang="{TAGS[look.language]}"></script>'
        f'<link rel="stylesheet" href="{ASSETS}/console.css?{__version__}">'
    )
    ui.dark_mode(value={"auto": None, "light": False, "dark": True}[look.theme])


def frame(scene: Scene, place: Place) -> Element:
    """Build what stands around a page; return what the page is built in."""
    t = scene.t
    head(scene)
    ui.page_title(f"{place.title} · Arkway")
    link(t("nav.skip"), "#main", "skip")
    scene.repeat()
    with box("shell"):
        _side(scene, place)
        main = box("main", "main", id="main", tabindex="-1")
        with main:
            with box("top"):
                with box("title"):
                    if place.above:
                        with box("crumb", "nav", aria_label=t("nav.above")):
                            for text, path in place.above:
                                link(text, path)
                                words(" / ")
                    words(place.title, "h1")
                    if place.lead:
                        words(place.lead, "p")
                _tools(scene)
            return box("stack")


def _side(scene: Scene, place: Place) -> None:
    t = scene.t
    with box("side"):
        with box("brand", "a", href="/", aria_label=t("nav.home")):
            box("", "i", aria_hidden="true")
            words("Arkway")
        with box("nav", "nav", aria_label=t("nav.main")):
            for group, names in GROUPS:
                with box():
                    words(t(f"nav.{group}"), "div", "group")
                    with box("", "ul"):
                        for name in names:
                            with box("", "li"):
                                shown = link(t(f"nav.{name}"), path_of(name))
                                if name == place.name:
                                    shown.props["aria-current"] = "page"
        with box("foot"):
            words(f"Arkway {__version__}", "div")
            link(t("nav.docs"), "/docs/")


def _tools(scene: Scene) -> None:
    t, look = scene.t, scene.visitor.look
    with box("tools"):
        state = words("", "span", "dot")
        state.props["role"] = "status"
        _show_state(scene, state, scene.feed.picture)
        scene.live(lambda picture: _show_state(scene, state, picture))
        other = next(each for each in LANGUAGES if each != look.language)
        _prefer(LANGUAGES[other], (other, look.theme)).props["lang"] = TAGS[other]
        theme = THEMES[(THEMES.index(look.theme) + 1) % len(THEMES)]
        _prefer(t(f"theme.{look.theme}"), (look.language, theme), t("theme.change"))
        token = scene.visitor.principal.token
        words(f"{token.name} · {t.word('role', token.role.value)}", "span", "tag")
        button(t("nav.logout"), scene.acting(lambda: _log_out(scene)), "quiet small")


def _prefer(text: str, wanted: tuple[str, str], label: str = "") -> Element:
    """Return a button that sets language and theme. Shapes: wanted: from closed lists."""
    made = button(text, lambda: None, "quiet small")
    if label:
        made.props["aria-label"] = f"{label}: {text}"
    made.on("click", js_handler=f"() => arkwayPrefer('{wanted[0]}', '{wanted[1]}')")
    return made


def _show_state(scene: Scene, shown: Element, picture: Picture) -> None:
    now = picture.now
    if now.source == "none":
        text, tone = scene.t("state.asking"), ""
    elif now.state in _READY:
        text, tone = scene.t("state.ready"), "good"
    else:
        text, tone = scene.t.word("state", now.state.replace(" ", "_")), "bad"
    if shown.text != text:  # type: ignore[attr-defined]  # Words
        shown.text = text  # type: ignore[attr-defined]
        shown.classes(remove="good bad", add=tone)


async def _log_out(scene: Scene) -> None:
    try:
        await scene.do("end_session")
    except AdminError as refused:
        if refused.status != 401:
            raise
    scene.go(LOGIN)
