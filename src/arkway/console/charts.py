"""What does a chart show? Options for ECharts, made of values. Pure.

Colours are the style's variables, so a chart follows the theme by itself (it is drawn as SVG).
Names that people chose are values in these documents, never keys: NiceGUI evaluates keys that
begin with a colon. Tooltips are drawn by ECharts as text, not as HTML.
"""

from collections.abc import Sequence
from typing import Any

COLOURS = tuple(f"var(--c{number})" for number in range(1, 6))
_TEXT, _LINE, _PANEL = "var(--faint)", "var(--line)", "var(--panel)"
_FAMILY = "system-ui, sans-serif"  # ECharts measures it: a real one
_FONT = {"color": _TEXT, "fontSize": 11, "fontFamily": _FAMILY}
Series = tuple[str, Sequence[float | None]]


def bars(labels: Sequence[str], series: Sequence[Series]) -> dict[str, Any]:
    """Return stacked bars."""
    made = [
        {
            "name": name,
            "type": "bar",
            "stack": "all",
            "data": list(values),
            "itemStyle": {"color": COLOURS[at % len(COLOURS)]},
            "barMaxWidth": 34,
            "barCategoryGap": "28%",
            "emphasis": {"disabled": True},
        }
        for at, (name, values) in enumerate(series)
    ]
    return _frame(labels, made, gap=True)


def lines(labels: Sequence[str], series: Sequence[Series], *, area: bool = False) -> dict[str, Any]:
    """Return lines; `area`: the first is filled."""
    made = [_line(name, values, at, area and at == 0) for at, (name, values) in enumerate(series)]
    return _frame(labels, made, gap=False)


def burn(
    labels: Sequence[str], spent: Sequence[float | None], budget: float, names: tuple[str, str]
) -> dict[str, Any]:
    """Return what is left of a budget, by day, beside an even pace; names: of these."""
    steps = max(len(labels) - 1, 1)
    even = [round(budget * (1 - at / steps), 6) for at in range(len(labels))]
    left = [None if each is None else round(budget - each, 6) for each in spent]
    made = [_line(names[0], left, 0, True), _line(names[1], even, 1, False)]
    made[1]["lineStyle"] = {"width": 1.5, "type": "dashed", "color": _TEXT}
    made[1]["itemStyle"] = {"color": _TEXT}
    return _frame(labels, made, gap=False)


def _line(name: str, values: Sequence[float | None], at: int, is_area: bool) -> dict[str, Any]:
    colour = COLOURS[at % len(COLOURS)]
    made: dict[str, Any] = {
        "name": name,
        "type": "line",
        "data": list(values),
        "showSymbol": len(values) < 2,
        "connectNulls": False,
        "lineStyle": {"width": 2, "color": colour},
        "itemStyle": {"color": colour},
        "emphasis": {"disabled": True},
    }
    if is_area:
        made["areaStyle"] = {"color": colour, "opacity": 0.12}
    return made


def _frame(labels: Sequence[str], series: list[dict[str, Any]], *, gap: bool) -> dict[str, Any]:
    return {
        "animation": False,
        "grid": _edges(is_many=len(series) > 1, gap=gap),
        "legend": {
            "show": len(series) > 1,
            "top": 0,
            "left": 0,
            "itemWidth": 10,
            "itemHeight": 10,
            "icon": "roundRect",
            "textStyle": {**_FONT, "fontSize": 12, "color": "var(--soft)"},
            "inactiveColor": "var(--line-strong)",
            "type": "scroll",
        },
        "tooltip": {
            "trigger": "axis",
            "renderMode": "richText",
            "backgroundColor": _PANEL,
            "borderColor": _LINE,
            "textStyle": {"color": "var(--text)", "fontSize": 12, "fontFamily": _FAMILY},
            "axisPointer": {"type": "shadow" if gap else "line", "shadowStyle": {"opacity": 0.08}},
            "confine": True,
        },
        "xAxis": {
            "type": "category",
            "data": list(labels),
            "boundaryGap": gap,
            "axisLine": {"lineStyle": {"color": _LINE}},
            "axisTick": {"show": False},
            "axisLabel": {
                **_FONT,
                "hideOverlap": True,
                "alignMinLabel": None if gap else "left",  # else it sticks out, and is cut
            },
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            "splitNumber": 4,
            "splitLine": {"lineStyle": {"color": _LINE}},
            "axisLabel": _FONT,
        },
        "series": series,
    }


def _edges(*, is_many: bool, gap: bool) -> dict[str, Any]:
    """Return how far a chart stands from its box; a legend needs room above."""
    # Half a time of day: a line's last label is centred on its point, and would be cut.
    right = 8 if gap else 26
    return {
        "left": 4,
        "right": right,
        "top": 34 if is_many else 12,
        "bottom": 2,
        "containLabel": True,
    }
