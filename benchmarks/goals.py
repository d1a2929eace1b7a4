"""What the figures should be, and whether they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks import legacy
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
    cpu: float | None = None
    """The same figure by processor time, where that was measured too."""

    @property
    def met(self) -> bool:
        """Whether the figure itself, not its interval, keeps to the limit."""
        return self._keeps(self.value)

    @property
    def met_by_cpu(self) -> bool | None:
        """The same for the processor time; None where it was not measured."""
        return None if self.cpu is None else self._keeps(self.cpu)

    def _keeps(self, figure: float) -> bool:
        return figure <= self.limit if self.at_most else figure >= self.limit

    @property
    def aim(self) -> str:
        """The limit, in words."""
        return f"at {'most' if self.at_most else 'least'} {self.limit:g}{self.unit}"


def goals(results: dict[str, Any]) -> list[Goal]:
    """Return every goal that the results have a figure for."""
    found = [
        *_drivers(results),
        *_scenes(results),
        *_streams(results),
        *_waits(results),
        *_legacy(results),
        *_alone(results),
    ]
    return sorted(found, key=lambda goal: goal.text)


def _run(results: dict[str, Any], part: str, driver: str, shape: str, name: str) -> dict[str, Any]:
    shapes = results.get(part, {}).get(driver, {}).get("shapes", {})
    return shapes.get(shape, {}).get("contenders", {}).get(name, {})


def _goal(
    text: str,
    figure: dict[str, float],
    limit: float,
    at_most: bool,
    cpu: dict[str, float] | None = None,
) -> Goal:
    by_cpu = None if cpu is None else cpu["value"]
    value, low, high = figure["value"], figure["low"], figure["high"]
    return Goal(text, value, limit, at_most, low, high, " times", by_cpu)


def _to_core(text: str, run: dict[str, Any], limit: float) -> Goal:
    return _goal(text, run["to_core"], limit, True, run["cpu_to_core"])


def _to_ours(text: str, run: dict[str, Any], limit: float) -> Goal:
    return _goal(text, run["to_ours"], limit, False, run["cpu_to_ours"])


_SHAPES = {
    "one": {"sqlite": 0.50, "asyncpg": 0.75, "psycopg": 0.90},
    "thousand": {"sqlite": 0.78, "asyncpg": 0.88},
    "join": {"sqlite": 1.10, "asyncpg": 1.10},
    "wide": {"sqlite": 1.02, "asyncpg": 1.02},
    "insert": {"sqlite": 0.65, "asyncpg": 1.00, "psycopg": 1.00},
    "insert_returning": {"asyncpg": 1.05, "psycopg": 1.05},
}
"""The limit of each shape on each driver: the others are in the tables."""


def _drivers(results: dict[str, Any]) -> Iterator[Goal]:
    for driver, title in DRIVERS.items():
        for shape, limits in _SHAPES.items():
            ours = _run(results, "drivers", driver, shape, "naked")
            if ours and driver in limits:
                named = results["drivers"][driver]["shapes"][shape]["title"]
                yield _to_core(f"{title}, {named}: to Core by position", ours, limits[driver])
        tuples = _run(results, "drivers", driver, "join", "naked_tuples")
        if tuples and driver in LIMITED:
            yield _to_core(f"{title}, the join, tuples(): to Core by position", tuples, 0.97)
        orm = _run(results, "drivers", driver, "thousand", "orm")
        if orm and driver in LIMITED:
            yield _to_ours(f"{title}, 1000 rows of 4 columns: ORM to ours", orm, 2.5)


@dataclass(frozen=True)
class _Asked:
    """A goal of a scene: our figure to Core's at most, or another's to ours at least."""

    scene: str
    text: str
    run: str
    limit: float
    to_core: bool = False
    only: str | None = None


_SCENES = (
    _Asked("one_shot", "1 row, db.scalars(): to Core's", "naked", 0.35, True, "sqlite"),
    _Asked("one_shot", "1 row, db.scalars(): to Core's", "naked", 0.38, True, "asyncpg"),
    _Asked("one_shot", "1 row, db.scalars(): to Core's", "naked", 0.50, True, "psycopg"),
    _Asked("one_shot", "1 row: the pool with a transaction to db.scalars()", "pool", 1.0),
    _Asked("get", "session.get(): to Core's select", "naked", 1.03, True),
    _Asked("get", "db.get(): to Core's select", "naked_shot", 1.03, True),
    _Asked("selectin", "selectinload: ORM to ours", "orm", 2.5),
    _Asked("joined", "joinedload: ORM to ours", "orm", 2.5),
    _Asked("into_dataclass", "into(dataclass): to Core by position", "naked", 1.05, True),
    _Asked("into_pydantic", "into(pydantic, validate=False): ORM validated to ours", "orm", 3.0),
    _Asked("bulk_insert", "insert of 10,000 dictionaries: to Core", "naked", 1.03, True),
    _Asked("bulk_insert_returning", "the same, RETURNING: to Core", "naked", 1.05, True),
    _Asked("insert_all", "insert_all(): to Core's unordered RETURNING", "naked", 1.3, True),
    _Asked("insert_all", "insert_all(): ORM's add_all() to ours", "orm", 3.0),
    _Asked("update_all", "update_all(returning=False): to Core", "naked", 1.10, True),
    _Asked("update_all", "update_all(returning=False): ORM's flush to ours", "orm", 2.0),
    _Asked("copy_in", "copy_in(): to copy_records_to_table()", "naked", 1.3, True, "asyncpg"),
    _Asked("copy_in", "copy_in(): insert_all() to it", "naked_insert", 4.0, only="asyncpg"),
)


def _scenes(results: dict[str, Any]) -> Iterator[Goal]:
    for driver, title in DRIVERS.items():
        for asked in _SCENES:
            run = _run(results, "drivers", driver, asked.scene, asked.run)
            if run and asked.only in (None, driver):
                goal = _to_core if asked.to_core else _to_ours
                yield goal(f"{title}, {asked.text}", run, asked.limit)


def _streams(results: dict[str, Any]) -> Iterator[Goal]:
    for driver, measured in results.get("streaming", {}).items():
        title, runs = DRIVERS[driver], measured["contenders"]
        text = f"{title}, streaming all flights: "
        yield _to_ours(f"{text}ORM to ours", runs["orm"], 2.5)
        parts = runs["orm_parts"]
        figure, cpu = parts["to_ours_parts"], parts["cpu_to_ours_parts"]
        yield _goal(f"{text}ORM to ours, partitions()", figure, 2.5, False, cpu)
        if runs["naked"]["memory"]:
            above = runs["naked"]["memory"]["above"]
            yield Goal(f"{text}memory above idle", above, 40, True, unit=" MB")


_WAITS = {"sqlite": 1.0, "asyncpg": 0.25}


def _waits(results: dict[str, Any]) -> Iterator[Goal]:
    for driver, limit in _WAITS.items():
        waits = results.get("waits", {}).get(driver, {})
        for way, said in (("as_it_is", ""), ("frozen", " after gc.freeze()")) if waits else ():
            ours, core = waits["naked"][way], waits["core"][way]
            yield Goal(
                f"{DRIVERS[driver]}, longest wait beside 100,000 rows{said}: to Core",
                ours["clock"] / core["clock"],
                limit,
                True,
                unit=" times",
                cpu=ours["cpu"] / core["cpu"],
            )


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
            text = f"{DRIVERS[driver]}, 1000 rows of 4 columns: {legacy.NAME} to ours"
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
            15,
            True,
            imports["low"],
            imports["high"],
            unit=" ms",
        )
