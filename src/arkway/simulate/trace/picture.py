"""What did the replay look like? Hit rate over time and each account's load, as SVG."""

from arkway.simulate.trace.result import Result

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 760, 200, 60, 40, 70
_COLOURS = ("#1b6ca8", "#d1495b", "#66a182", "#edae49", "#775b8f", "#8d6346")
_MOST_LINES = 16  # accounts drawn one by one; of more, each is a thin grey line
_MINUTES = 5  # that a point of the hit rate covers


def draw(title: str, results: list[Result]) -> str:
    """Return a picture of several results: hit rates of all, loads of the first."""
    first = results[0]
    height = 2 * (_HEIGHT + _GAP) + _TOP + 20 * len(results)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 90} {height}"',
        ' font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="20" font-size="15">{_escape(title)}</text>',
    ]
    rates = [(result.name, _hit_rate(result)) for result in results]
    parts += _chart(_TOP, "cached part of prompt tokens, 5 minutes each", rates, percent=True)
    loads = _loads(first)
    bottom = _TOP + _HEIGHT + _GAP
    parts += _chart(bottom, f"tokens a minute of each account, {first.name}", loads, percent=False)
    for at, result in enumerate(results):
        y = bottom + _HEIGHT + 45 + 20 * at
        text = (
            f"{result.name}: {result.hit_share_of_bound:.1%} of the bound, max/mean "
            f"{result.token_max_over_mean:.2f}, {result.provoked_429} provoked 429s"
        )
        parts.append(f'<rect x="{_LEFT}" y="{y - 9}" width="10" height="10" fill="{_colour(at)}"/>')
        parts.append(f'<text x="{_LEFT + 18}" y="{y}">{_escape(text)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _hit_rate(result: Result) -> list[tuple[float, float]]:
    sums: dict[int, list[int]] = {}
    for minute, it in result.minutes.items():
        both = sums.setdefault(minute // _MINUTES, [0, 0])
        both[0] += it.cached_tokens
        both[1] += it.input_tokens
    return [
        (at * _MINUTES + _MINUTES / 2, cached / max(whole, 1))
        for at, (cached, whole) in sorted(sums.items())
    ]


def _loads(result: Result) -> list[tuple[str, list[tuple[float, float]]]]:
    return [
        (name, [(float(minute), float(tokens)) for minute, tokens in sorted(by_minute.items())])
        for name, by_minute in result.tokens_by_account_minute.items()
    ]


def _chart(
    top: int, label: str, lines: list[tuple[str, list[tuple[float, float]]]], *, percent: bool
) -> list[str]:
    points = [point for _, line in lines for point in line]
    most_x = max((x for x, _ in points), default=1.0) or 1.0
    most_y = max((y for _, y in points), default=1.0) or 1.0
    parts = [
        f'<text x="{_LEFT}" y="{top - 4}" fill="#555555">{_escape(label)}</text>',
        f'<path d="M{_LEFT} {top}V{top + _HEIGHT}H{_LEFT + _WIDTH}" fill="none" stroke="#999999"/>',
    ]
    for part in (0.0, 0.5, 1.0):
        y = top + _HEIGHT * (1 - part)
        value = f"{most_y * part:.0%}" if percent else f"{most_y * part / 1000:.0f} k"
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{value}</text>')
        x = _LEFT + _WIDTH * part
        parts.append(
            f'<text x="{x:.0f}" y="{top + _HEIGHT + 16}" text-anchor="middle">'
            f"{most_x * part:.0f} min</text>"
        )
    for at, (_, line) in enumerate(lines):
        many = len(lines) > _MOST_LINES
        colour = "#888888" if many else _colour(at)
        path = " ".join(
            f"{_LEFT + _WIDTH * x / most_x:.1f},{top + _HEIGHT * (1 - y / most_y):.1f}"
            for x, y in line
        )
        width = 0.5 if many else 1.4
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        )
    return parts


def _colour(at: int) -> str:
    return _COLOURS[at % len(_COLOURS)]


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
