"""The page on peers: its chart and its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.chart import Panel, bars_chart
from benchmarks.growing import into_page

OURS = "naked_sqla"


def write(results: dict[str, Any], assets: Path) -> None:
    """Write the chart, and the table into the page."""
    found = results.get("peers")
    if not found:
        return
    scenes = {title: times for title, times in found.items() if title != "versions"}
    panels: list[Panel] = [(title, _bars(times)) for title, times in scenes.items()]
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    drawn = bars_chart(
        "Time to read four values of each row, as a ratio to Core by position, on PostgreSQL",
        panels,
        ["shorter is faster; by the clock", versions],
    )
    (assets / "peers.svg").write_text(drawn)
    into_page("peers", f"{_table(scenes)}\n\nMeasured with {versions}.")


def _bars(times: dict[str, dict[str, float]]) -> list[tuple[str, str, float]]:
    bars = [
        ("naked" if name == OURS else name, name, found["to_core"]) for name, found in times.items()
    ]
    return sorted(bars, key=lambda bar: bar[2])


def _table(scenes: dict[str, Any]) -> str:
    lines = [f"| | {' | '.join(scenes)} |", f"|---|{'---|' * len(scenes)}"]
    for name in next(iter(scenes.values())):
        cells = []
        for times in scenes.values():
            text = f"{times[name]['to_core']:.2f} ({times[name]['cpu_to_core']:.2f})"
            cells.append(f"**{text}**" if name == OURS else text)
        shown = f"**{name}**" if name == OURS else name
        lines.append(f"| {shown} | {' | '.join(cells)} |")
    return "\n".join(lines)
