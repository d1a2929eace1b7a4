"""The page on growth: its charts, its tables, and what grows faster than Core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.database import DRIVERS
from benchmarks.growth import AXES, NAMES
from benchmarks.lines import lines_chart

GROWING = ("sqlite", "asyncpg")
LARGEST, LARGEST_BY_OPTION = 100_000, 1_000_000
"""Rows without ``--large``, and with it."""
PAGE = Path(__file__).parents[1] / "docs" / "growth.md"
BEGIN, END = "<!-- {} -->", "<!-- end of {} -->"
NOISE = 1.15
"""A ratio to Core that rises by less, from 100 rows to the largest, is not told from noise."""
SETTLED = {"rows": 1000, "columns": 10}
"""From where a size is compared: below, the statement costs more than what is in it."""


def write(results: dict[str, Any], assets: Path) -> None:
    """Write the charts, and the tables into the page."""
    found = results.get("growth")
    if not found:
        return
    for axis, (title, unit, one) in AXES.items():
        panels = {DRIVERS[driver]: lines[axis] for driver, lines in found.items()}
        drawn = lines_chart(f"{title}: processor time for each {one}", unit, panels, NAMES)
        (assets / f"growth-{axis}.svg").write_text(drawn)
        into_page(f"growth {axis}", _table(axis, found))
    into_page("growth verdict", "\n".join(_verdict(found)))


def into_page(name: str, text: str, page: Path = PAGE) -> None:
    """Write what was measured between its two marks."""
    begin, end = BEGIN.format(name), END.format(name)
    head, rest = page.read_text().split(begin)
    page.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}")


def _table(axis: str, found: dict[str, Any]) -> str:
    _, unit, one = AXES[axis]
    heads = [f"{DRIVERS[driver]}, {NAMES[name]}" for driver in found for name in NAMES]
    lines = [
        f"| {unit} | {' | '.join(heads)} |",
        f"|---|{'---|' * len(heads)}",
    ]
    sizes = [size for size, _ in next(iter(found.values()))[axis]["core"]]
    for i, size in enumerate(sizes):
        cells = [_cell(found[d][axis], n, i) for d in found for n in NAMES]
        lines.append(f"| {size:,} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"Microseconds for each {one}; in brackets the ratio to Core."])


def _cell(lines: dict[str, Any], name: str, i: int) -> str:
    cost, core = lines[name][i][1], lines["core"][i][1]
    text = f"{cost * 1e6:.3g}"
    if name == "core":
        return text
    text = f"{text} ({cost / core:.2f})"
    return f"**{text}**" if name == "naked" else text


def _verdict(found: dict[str, Any]) -> list[str]:
    """What grows faster than Core, and than objects that are made of its rows, in sentences."""
    lines: list[str] = []
    for other, of, ratio in (
        ("core", "Core", "Core"),
        ("hand", "objects made by hand of Core's rows", "them"),
    ):
        faster = [*_faster(found, other, ratio)]
        if faster:
            lines += [f"Our share of the cost of {of} grows here:", "", *faster, ""]
        else:
            lines += [f"Nothing of ours grows faster than {of}.", ""]
    return lines[:-1]


def _faster(found: dict[str, Any], other: str, name: str) -> Iterator[str]:
    for driver, axes in found.items():
        for axis, lines in axes.items():
            ratios = [
                (size, ours / theirs)
                for (size, ours), (_, theirs) in zip(lines["naked"], lines[other], strict=True)
                if size >= SETTLED.get(axis, 1)
            ]
            (least, first), (most, last) = ratios[0], ratios[-1]
            if last > first * NOISE:
                yield (
                    f"- {AXES[axis][0]}, {DRIVERS[driver]}: the ratio to {name} rises from"
                    f" {first:.2f} at {least:,} to {last:.2f} at {most:,}."
                )
