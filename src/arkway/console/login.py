"""What is shown to somebody who has not logged in? One form, without NiceGUI.

Nobody who is not known costs a session of the console's machinery. The form posts the token to the
admin API, whose answer sets the cookie.
"""

import html
from pathlib import Path
from urllib.parse import urlsplit

from arkway import __version__
from arkway.console.look import Look
from arkway.console.texts import LANGUAGES, TAGS, Texts

_PAGE = Path(__file__).with_name("assets") / "login.html"


def page(look: Look, target: str, why: str) -> str:
    """Return the page. Shapes: target: where to go on, as `safe_target` made it."""
    t = Texts(look.language)
    other = next(each for each in LANGUAGES if each != look.language)
    values = {
        "version": __version__,
        "lang": TAGS[look.language],
        "theme": look.theme,
        "language": look.language,
        "other": other,
        "other_name": LANGUAGES[other],
        "other_tag": TAGS[other],
        "target": target,
        "notice": t("login.ended") if why == "ended" else "",
        **{
            name: t(f"login.{name}")
            for name in ("title", "lead", "token", "hint", "submit", "failed", "offline")
        },
    }
    text = _PAGE.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", html.escape(value))
    return text


def notice(look: Look, title: str, detail: str) -> str:
    """Return a page that says one thing."""
    t = Texts(look.language)
    return (
        f'<!doctype html><html lang="{TAGS[look.language]}"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)} · Arkway</title>"
        f'<script src="/console/console.js?{__version__}" data-theme="{look.theme}"'
        f' data-lang="{TAGS[look.language]}"></script>'
        f'<link rel="stylesheet" href="/console/console.css?{__version__}"></head>'
        f'<body><main class="login"><div><h1>{html.escape(title)}</h1><p>{html.escape(detail)}</p>'
        f'<p><a href="/">{html.escape(t("nav.home"))}</a></p></div></main></body></html>'
    )


def safe_target(wanted: str) -> str:
    """Return where to go after the login: a path of ours, whatever the address said."""
    parts = urlsplit(wanted[:1024])
    is_ours = not parts.scheme and not parts.netloc and wanted.startswith("/")
    is_plain = "\\" not in wanted and not wanted.startswith("//") and wanted.isprintable()
    return wanted[:1024] if is_ours and is_plain else "/"
