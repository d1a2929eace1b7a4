"""A chart of lines: the cost of a unit, by how many there are; readable on light and dark pages."""

from __future__ import annotations

import math
from html import escape

FONT = "font-family: system-ui, -apple-system, 'Segoe UI', sans-serif"
STYLE = f"""
text {{ {FONT}; font-size: 12px; fill: #1f2328 }}
.title {{ font-size: 14px; font-weight: 600 }} .note {{ fill: #59636e }}
.grid {{ stroke: #d1d9e0 }} path {{ fill: none; stroke-width: 2 }}
.core {{ stroke: #59636e; stroke-dasharray: 5 4 }} .naked {{ stroke: #0969da }}
.orm {{ stroke: #bc4c00 }} .hand {{ stroke: #8250df; stroke-dasharray: 2 3 }}
text.core, text.hand, text.naked, text.orm {{ stroke: none; font-weight: 600 }}
text.core {{ fill: #59636e }} text.naked {{ fill: #0969da }} text.orm {{ fill: #bc4c00 }}
text.hand {{ fill: #8250df }} circle {{ stroke: none }} circle.hand {{ fill: #8250df }}
circle.core {{ fill: #59636e }} circle.naked {{ fill: #0969da }} circle.orm {{ fill: #bc4c00 }}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #e6edf3 }} .note, text.core {{ fill: #9198a1 }} .grid {{ stroke: #3d444d }}
  .core {{ stroke: #9198a1 }} .naked {{ stroke: #4493f8 }} .orm {{ stroke: #f0883e }}
  .hand {{ stroke: #a371f7 }} text.hand, circle.hand {{ fill: #a371f7 }}
  text.naked, circle.naked {{ fill: #4493f8 }} text.orm, circle.orm {{ fill: #f0883e }}
  circle.core {{ fill: #9198a1 }}
}}
"""
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 430, 230, 56, 116, 52, 34

Lines = dict[str, list[tuple[int, float]]]
"""For each contender, the sizes and the seconds for each unit."""


def lines_chart(title: str, unit: str, panels: dict[str, Lines], names: dict[str, str]) -> str:
    """The SVG: a panel for each driver, both axes logarithmic."""
    width = WIDTH * len(panels)
    body = [f'<text class="title" x="10" y="18">{escape(title)}</text>']
    for i, (driver, lines) in enumerate(panels.items()):
        body.append(f'<g transform="translate({i * WIDTH} 0)">')
        body += _panel(driver, unit, lines, names)
        body.append("</g>")
    spoken = "; ".join(
        f"{driver}, {names[name]}: " + ", ".join(f"{x}: {_time(y)}" for x, y in points)
        for driver, lines in panels.items()
        for name, points in lines.items()
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}"'
            f' width="{width}" height="{HEIGHT}" role="img"'
            f' aria-label="{escape(f"{title}. {spoken}", quote=True)}">',
            f"<style>{STYLE}</style>",
            *body,
            "</svg>",
            "",
        ]
    )


def _panel(driver: str, unit: str, lines: Lines, names: dict[str, str]) -> list[str]:
    points = [point for line in lines.values() for point in line]
    least, most = min(x for x, _ in points), max(x for x, _ in points)
    low = math.floor(math.log10(min(y for _, y in points)))
    high = math.ceil(math.log10(max(y for _, y in points)))

    def across(x: int) -> float:
        share = (math.log(x) - math.log(least)) / (math.log(most) - math.log(least))
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def down(y: float) -> float:
        share = (math.log10(y) - low) / (high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    body = [f'<text class="note" x="{LEFT}" y="40">{escape(driver)}, by {unit}</text>']
    for power in range(low, high + 1):
        y = down(10.0**power)
        body.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="note" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{_time(10.0**power)}</text>"
        )
    sizes = sorted({x for x, _ in points})
    below, beside = HEIGHT - BOTTOM + 16, WIDTH - RIGHT + 8
    under = f'y="{below}" text-anchor="middle"'
    body += [f'<text class="note" x="{across(x):.1f}" {under}>{_short(x)}</text>' for x in sizes]
    ends = sorted((down(line[-1][1]), name) for name, line in lines.items())
    at = 0.0
    for end, name in ends:
        # labels that would lie on each other are moved apart
        at = max(end + 4, at + 14)
        body.append(f'<text class="{name}" x="{beside}" y="{at:.1f}">{escape(names[name])}</text>')
    for name, line in lines.items():
        path = " L".join(f"{across(x):.1f} {down(y):.1f}" for x, y in line)
        body.append(f'<path class="{name}" d="M{path}"/>')
        body += [
            f'<circle class="{name}" cx="{across(x):.1f}" cy="{down(y):.1f}" r="2.5"/>'
            for x, y in line
        ]
    return body


def _time(seconds: float) -> str:
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= scale * 0.9999:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _short(number: int) -> str:
    if number >= 1_000_000:
        return f"{number // 1_000_000}M"
    return f"{number // 1000}k" if number >= 1000 else str(number)
