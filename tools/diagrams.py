"""Draw the diagrams of the docs: ``python -m tools.diagrams`` makes an SVG of each text.

A line of ``docs/diagrams/NAME.txt`` is a box with its column and row, or an arrow with its label:

    plan 2 0
    plan -> hydrator: prints code

``--check`` writes nothing, and fails when a picture is not what its text says.
"""

from __future__ import annotations

import argparse
import re
import sys
from html import escape
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "diagrams"
BOX = re.compile(r"^(?P<name>.+?) (?P<column>\d+) (?P<row>\d+)$")
ARROW = re.compile(r"^(?P<start>.+?) -> (?P<end>.+?)(?:: (?P<label>.+))?$")

WIDTH, HEIGHT = 130, 40
ACROSS, DOWN = 210, 90
MARGIN = 20

# The colours follow the reader's system: a picture can't see the switch of the page around it.
STYLE = """
  text { font: 14px system-ui, sans-serif; text-anchor: middle; fill: #263238; }
  .label { font-size: 11px; fill: #546e7a; }
  rect { fill: #e0f2f1; stroke: #00796b; }
  line { stroke: #546e7a; }
  #head path { fill: #546e7a; }
  @media (prefers-color-scheme: dark) {
    text { fill: #eceff1; }
    .label { fill: #b0bec5; }
    rect { fill: #1d3b38; stroke: #4db6ac; }
    line { stroke: #b0bec5; }
    #head path { fill: #b0bec5; }
  }
"""


def draw(text: str) -> str:
    """Draw the boxes and arrows of a text; gives the SVG."""
    boxes: dict[str, tuple[int, int]] = {}
    arrows: list[tuple[str, str, str]] = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if arrow := ARROW.match(line):
            arrows.append((arrow["start"], arrow["end"], arrow["label"] or ""))
        elif box := BOX.match(line):
            boxes[box["name"]] = (int(box["column"]), int(box["row"]))
        else:
            raise ValueError(f"neither a box nor an arrow: {line!r}")
    width = 2 * MARGIN + WIDTH + ACROSS * max(column for column, _ in boxes.values())
    height = 2 * MARGIN + HEIGHT + DOWN * max(row for _, row in boxes.values())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<style>{STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z"/></marker></defs>',
        *(part for arrow in arrows for part in _arrow(boxes, *arrow)),
        *(part for name in boxes for part in _box(name, *boxes[name])),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _corner(column: int, row: int) -> tuple[int, int]:
    return MARGIN + column * ACROSS, MARGIN + row * DOWN


def _box(name: str, column: int, row: int) -> list[str]:
    x, y = _corner(column, row)
    return [
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        f'<text x="{x + WIDTH // 2}" y="{y + HEIGHT // 2 + 5}">{escape(name)}</text>',
    ]


def _arrow(boxes: dict[str, tuple[int, int]], start: str, end: str, label: str) -> list[str]:
    x1, y1 = _corner(*boxes[start])
    x2, y2 = _corner(*boxes[end])
    if boxes[start][0] == boxes[end][0]:
        # two arrows between the boxes of a column lie side by side
        aside = 25 if y2 > y1 else -25
        x1, x2 = x1 + WIDTH // 2 + aside, x2 + WIDTH // 2 + aside
        y1, y2 = (y1 + HEIGHT, y2) if y2 > y1 else (y1, y2 + HEIGHT)
        place = (x1 + 50, (y1 + y2) // 2 + 4)
    else:
        x1, y1, y2 = x1 + WIDTH, y1 + HEIGHT // 2, y2 + HEIGHT // 2
        # beside the line, on the side that it rises or falls to
        beside = -6 if y1 == y2 else -20 if y2 < y1 else 28
        place = ((x1 + x2) // 2, (y1 + y2) // 2 + beside)
    parts = [f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" marker-end="url(#head)"/>']
    if label:
        parts.append(f'<text class="label" x="{place[0]}" y="{place[1]}">{escape(label)}</text>')
    return parts


def main() -> int:
    parser = argparse.ArgumentParser(description="draw the diagrams of the docs")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    old = []
    for path in sorted(FOLDER.glob("*.txt")):
        drawn, target = draw(path.read_text(encoding="utf-8")), path.with_suffix(".svg")
        if not target.exists() or target.read_text(encoding="utf-8") != drawn:
            old.append(target.name)
            if not check:
                target.write_text(drawn, encoding="utf-8")
    print(*old, sep="\n", end="\n" if old else "")
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main())
