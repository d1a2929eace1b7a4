"""What the figures should be, and whether they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.database import DRIVERS

LIMITED = ("sqlite", "asyncpg")
"""The drivers that the goals for many rows name."""


@dataclass(frozen=True)
class Goal:
    """A figure with its limit."""

    text: str
    value: float
    limit: float
    at_most: bool
    low: float | None = None
    high: float | None = None
    """The interval of the value, where one is known."""
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure itself, not its interval, keeps to the limit."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    @property
    def aim(self) -> str:
        """The limit, in words."""
        return f"at {'most' if self.at_most else 'least'} {self.limit:g}{self.unit}"


def goals(results: dict[str, Any]) -> list[Goal]:
    """Return every goal that the results have a figure for."""
    found = [*_drivers(results), *_legacy(results), *_alone(results)]
    return sorted(found, key=lambda goal: goal.text)


def _run(results: dict[str, Any], part: str, driver: str, shape: str, name: str) -> dict[str, Any]:
    shapes = results.get(part, {}).get(driver, {}).get("shapes", {})
    return shapes.get(shape, {}).get("contenders", {}).get(name, {})


def _goal(text: str, figure: dict[str, float], limit: float, at_most: bool) -> Goal:
    return Goal(text, figure["value"], limit, at_most, figure["low"], figure["high"], " times")


def _drivers(results: dict[str, Any]) -> Iterator[Goal]:
    limits = {"one": 1.03, "thousand": 1.03, "join": 1.05, "wide": 1.02}
    for driver, title in DRIVERS.items():
        for shape, limit in limits.items():
            # Of psycopg only the single row is asked; its other figures are in the tables.
            if driver not in LIMITED and shape != "one":
                continue
            ours = _run(results, "drivers", driver, shape, "naked")
            if ours:
                named = results["drivers"][driver]["shapes"][shape]["title"]
                yield _goal(f"{title}, {named}: to Core by position", ours["to_core"], limit, True)
        orm = _run(results, "drivers", driver, "thousand", "orm")
        if orm and driver in LIMITED:
            yield _goal(f"{title}, 1000 rows of 4 columns: ORM to ours", orm["to_ours"], 2.5, False)


def _legacy(results: dict[str, Any]) -> Iterator[Goal]:
    for driver in LIMITED:
        old = _run(results, "legacy", driver, "thousand", "legacy")
        ours = _run(results, "drivers", driver, "thousand", "naked")
        if old and ours:
            a, b = old["to_core"], ours["to_core"]
            # Two processes: the interval is as wide as both of them together.
            figure = {
                "value": a["value"] / b["value"],
                "low": a["low"] / b["high"],
                "high": a["high"] / b["low"],
            }
            text = f"{DRIVERS[driver]}, 1000 rows of 4 columns: naked-sqla 0.1.0 to ours"
            yield _goal(text, figure, 1.9, False)


def _alone(results: dict[str, Any]) -> Iterator[Goal]:
    layer = results.get("rowlayer", {}).get("ratios", {})
    if layer:
        yield _goal("row layer: to a hand-written loop", layer["to_plain"], 1.25, True)
        yield _goal("row layer: the ORM's to ours", layer["orm_to_ours"], 12, False)
        yield _goal("row layer: the ORM's to statement to result", layer["orm_to_whole"], 12, False)
    memory = results.get("memory")
    if memory:
        share = memory["ours"] / memory["orm"] * 100
        yield Goal("memory: of the ORM's instance", share, 40, True, unit="%")
    imports = results.get("imports")
    if imports:
        yield Goal(
            "import naked_sqla",
            imports["added"],
            20,
            True,
            imports["low"],
            imports["high"],
            unit=" ms",
        )
