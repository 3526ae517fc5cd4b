"""What are pages made of? Plain HTML elements, and our own few Vue components.

All text reaches the browser as text: elements take it as `textContent`, components interpolate it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from arkway.console.cells import Column, Row

Handler = Callable[..., Any]
Field = dict[str, Any]


class Grid(Element, component="assets/grid.js"):
    """A table of cells."""

    def __init__(
        self,
        label: str,
        columns: list[Column],
        rows: list[Row],
        acts: str = "",
        none: str = "",
    ) -> None:
        """Shapes: acts: the heading of the buttons; none: what is said where there is no line."""
        super().__init__()
        self.props["label"] = label
        self.props["columns"] = columns
        self.props["rows"] = rows
        self.props["actsLabel"] = acts
        self.props["noneLabel"] = none

    def show(self, rows: list[Row]) -> None:
        """Show other lines."""
        if rows != self.props["rows"]:
            self.props["rows"] = rows
            self.update()

    def on_act(self, handler: Callable[[str, str], Any]) -> None:
        """Call `handler` with a line's id and the name of the button that was pressed."""

        async def handle(event: Any) -> None:
            found = event.args
            if isinstance(found, dict):
                result = handler(str(found.get("row", "")), str(found.get("act", "")))
                if result is not None:
                    await result

        self.on("act", handle)


class Tiles(Element, component="assets/tiles.js"):
    """Figures side by side: {label, value, unit, sub, tone, title}."""

    def __init__(self, label: str, items: list[dict[str, str]]) -> None:
        super().__init__()
        self.props["label"] = label
        self.props["items"] = items

    def show(self, items: list[dict[str, str]]) -> None:
        """Show other figures."""
        if items != self.props["items"]:
            self.props["items"] = items
            self.update()


class Form(Element, component="assets/form.js"):
    """Fields; `assets/form.js` has what one is made of."""

    def __init__(
        self, fields: list[Field], *, submit: str = "", cancel: str = "", layout: str = "form"
    ) -> None:
        super().__init__()
        self.props["fields"] = fields
        self.props["submitLabel"] = submit
        self.props["cancelLabel"] = cancel
        self.props["layout"] = layout

    def on_send(self, handler: Callable[[dict[str, Any]], Any]) -> None:
        """Call `handler` with the values."""

        async def handle(event: Any) -> None:
            if isinstance(event.args, dict):
                result = handler(event.args)
                if result is not None:
                    await result

        self.on("send", handle)

    def say_wrong(self, problems: Mapping[str, str]) -> None:
        """Show what is wrong beside each field."""
        self.props["wrong"] = dict(problems)
        self.update()


class Modal(Element, component="assets/modal.js"):
    """A dialog that is open as long as it exists."""

    def __init__(
        self, title: str, lead: str = "", *, small: bool = False, then: Handler | None = None
    ) -> None:
        super().__init__()
        self.props["title"] = title
        self.props["lead"] = lead
        self.props["isSmall"] = small

        async def closed() -> None:
            self.delete()
            if then is not None and (result := then()) is not None:
                await result

        self.on("closed", closed)


class Secret(Element, component="assets/secret.js"):
    """A text that is shown once."""

    def __init__(self, text: str, copy: str, copied: str) -> None:
        super().__init__()
        self.props["text"] = text
        self.props["copyLabel"] = copy
        self.props["copiedLabel"] = copied


class Spans(Element, component="assets/spans.js"):
    """When did what happen?"""

    def __init__(self, label: str, rows: list[dict[str, Any]]) -> None:
        super().__init__()
        self.props["label"] = label
        self.props["rows"] = rows


class File(Element, component="assets/file.js"):
    """A file that is sent to `url` when it is chosen."""

    def __init__(self, label: str, url: str, **more: object) -> None:
        super().__init__()
        self.props["label"] = label
        self.props["url"] = url
        for name, value in more.items():
            self.props[name] = value


class Stage(Element, component="assets/stage.js"):
    """Knows whether the page is looked at."""

    def __init__(self, on_seen: Callable[[bool], None]) -> None:
        super().__init__()
        self.on("seen", lambda event: on_seen(event.args is True))


class Words(TextElement):
    """An element with a text."""

    def __init__(self, text: str, tag: str = "span", classes: str = "") -> None:
        super().__init__(tag=tag, text=text)
        if classes:
            self.classes(classes)


def box(classes: str = "", tag: str = "div", **attributes: str) -> Element:
    """Return an element that holds others."""
    made = Element(tag)
    if classes:
        made.classes(classes)
    for name, value in attributes.items():
        made.props[name.replace("_", "-")] = value
    return made


def words(text: str, tag: str = "span", classes: str = "") -> Words:
    """Return an element with a text."""
    return Words(text, tag, classes)


def button(text: str, handler: Handler, classes: str = "") -> Words:
    """Return a button."""
    made = Words(text, "button", f"btn {classes}")
    made.props["type"] = "button"
    made.on("click", handler)
    return made


def link(text: str, href: str, classes: str = "") -> Words:
    """Return a link to a page of ours. Shapes: href: made by us, its parts quoted."""
    made = Words(text, "a", classes)
    made.props["href"] = href
    return made


def panel(title: str, note: str = "", classes: str = "") -> Element:
    """Return a panel's body; what is to stand in it is made within."""
    with box(f"panel {classes}", "section", aria_label=title):
        with box("", "header"):
            words(title, "h2")
            if note:
                words(note, "span", "note")
        return box("body")


def pairs(found: Iterable[tuple[str, str]]) -> None:
    """Make a list of names and values."""
    with box("pairs", "dl"):
        for name, value in found:
            words(name, "dt")
            words(value, "dd")


def empty(title: str, lead: str) -> Element:
    """Return what stands where there is nothing yet; buttons go within."""
    with box("empty"):
        words(title, "strong")
        words(lead, "p")
        return box("row")


def banner(title: str, detail: str, tone: str = "") -> None:
    """Make a line that wants to be seen."""
    with box(f"banner {tone}", role="status"):
        words(title, "b")
        words(detail)


def chart(options: dict[str, Any], label: str, classes: str = "") -> ui.echart:
    """Return a chart. Shapes: options: of `charts`, where user-set names are values, not keys."""
    made = ui.echart(options, renderer="svg").classes(f"chart {classes}")
    made.props["role"] = "img"
    made.props["aria-label"] = label
    return made
