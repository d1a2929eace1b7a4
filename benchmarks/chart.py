"""The chart: one SVG, drawn by hand, readable on light and on dark pages."""

from __future__ import annotations

from html import escape
from typing import Any

from benchmarks import legacy
from benchmarks.database import DRIVERS
from benchmarks.goals import LIMITED

SHOWN = ("core", "naked", "core_objects", "core_name", "legacy", "orm")
PANELS = ("thousand", "join")
WIDTH, LABEL, BAR, GAP, HEAD = 760, 200, 20, 6, 34
FONT = "font-family: system-ui, -apple-system, 'Segoe UI', sans-serif"
STYLE = f"""
text {{ {FONT}; font-size: 13px; fill: #1f2328 }}
.title {{ font-size: 15px; font-weight: 600 }} .note {{ font-size: 12px; fill: #59636e }}
.bar {{ fill: #8c959f }} .naked {{ fill: #0969da }}
.axis {{ stroke: #59636e; stroke-dasharray: 3 3 }}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #e6edf3 }} .note {{ fill: #9198a1 }} .axis {{ stroke: #9198a1 }}
  .bar {{ fill: #6e7681 }} .naked {{ fill: #4493f8 }}
}}
"""


def chart(results: dict[str, Any]) -> str:
    """Return the SVG: time per read as a ratio to Core by position, a panel for each shape."""
    measured = results["drivers"]
    drivers = [driver for driver in LIMITED if driver in measured] or list(measured)
    panels = [
        (f"{shape['title']}, {DRIVERS[driver]}", bars)
        for name in PANELS
        for driver in drivers
        if (shape := measured[driver]["shapes"].get(name))
        and (bars := _bars(results, driver, name))
    ]
    notes = [
        f"shorter is faster; SQLAlchemy {results['environment']['sqlalchemy']},"
        f" {results['environment']['implementation']} {results['environment']['python']}"
    ]
    if results.get("legacy"):
        notes.append(
            f"{legacy.NAME}: another library, on SQLAlchemy 2.0, to Core in its own process"
        )
    title = "Time to read every attribute, as a ratio to SQLAlchemy Core read by position"
    return bars_chart(title, panels, notes)


Panel = tuple[str, list[tuple[str, str, float]]]
"""A title, and (name, title, ratio) of each bar."""


def bars_chart(title: str, panels: list[Panel], notes: list[str]) -> str:
    """Return the SVG of some panels; the bar named ``naked`` stands out."""
    longest = max((value for _, bars in panels for _, _, value in bars), default=1.0)
    scale = (WIDTH - LABEL - 70) / longest
    body: list[str] = []
    y = 34
    for heading, bars in panels:
        body += _panel(heading, bars, y, scale)
        y += HEAD + len(bars) * (BAR + GAP) + 14
    for note in notes:
        body.append(f'<text class="note" x="10" y="{y + 6}">{escape(note)}</text>')
        y += 18
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 6}"'
            f' width="{WIDTH}" height="{y + 6}" role="img" aria-label="{_spoken(panels)}">',
            f"<style>{STYLE}</style>",
            f'<text class="title" x="10" y="22">{escape(title)}</text>',
            *body,
            "</svg>",
            "",
        ]
    )


def _bars(results: dict[str, Any], driver: str, shape: str) -> list[tuple[str, str, float]]:
    """Return (name, title, ratio) of what is shown, shortest first."""
    runs: dict[str, Any] = {}
    for part in ("drivers", "legacy"):
        measured = results.get(part, {}).get(driver, {}).get("shapes", {}).get(shape, {})
        runs |= {n: run for n, run in measured.get("contenders", {}).items() if n not in runs}
    return [
        (name, runs[name]["title"], runs[name]["to_core"]["value"])
        for name in SHOWN
        if name in runs
    ]


def _panel(title: str, bars: list[tuple[str, str, float]], y: int, scale: float) -> list[str]:
    """Return the elements of one panel, its top at ``y``."""
    lines = [f'<text class="title" x="10" y="{y + 20}">{escape(title)}</text>']
    top = y + HEAD
    for i, (name, label, value) in enumerate(bars):
        at = top + i * (BAR + GAP)
        kind = "bar naked" if name == "naked" else "bar"
        lines += [
            f'<text x="{LABEL - 8}" y="{at + 15}" text-anchor="end">{escape(label)}</text>',
            f'<rect class="{kind}" x="{LABEL}" y="{at}" width="{value * scale:.1f}"'
            f' height="{BAR}" rx="2"/>',
            f'<text x="{LABEL + value * scale + 6:.1f}" y="{at + 15}">{value:.2f}</text>',
        ]
    one, bottom = LABEL + scale, top + len(bars) * (BAR + GAP) - GAP
    lines.append(
        f'<line class="axis" x1="{one:.1f}" y1="{top - 4}" x2="{one:.1f}" y2="{bottom + 4}"/>'
    )
    return lines


def _spoken(panels: list[tuple[str, list[tuple[str, str, float]]]]) -> str:
    """Return what a screen reader says in place of the picture."""
    said = (
        f"{title}: " + ", ".join(f"{label} {value:.2f}" for _, label, value in bars)
        for title, bars in panels
    )
    return escape("; ".join(said), quote=True)
