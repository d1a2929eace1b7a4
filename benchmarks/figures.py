"""The figures of the README and of the page on performance, written between their marks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.database import DRIVERS
from benchmarks.goals import goals
from benchmarks.growing import into_page

ROOT = Path(__file__).parents[1]
README, PAGE = ROOT / "README.md", ROOT / "docs" / "performance.md"

Ran = dict[str, Any]
"""What one contender came to, as the results have it."""


@dataclass(frozen=True)
class Line:
    """A line of a table: one contender on every driver."""

    shape: str
    run: str
    said: str
    """What the line is called; ours is bold."""

    @property
    def is_ours(self) -> bool:
        return self.run.startswith("naked")


def _naked(shape: str) -> list[Line]:
    return [Line(shape, "naked", "naked_sqla"), Line(shape, "orm", "ORM session")]


def _read(shape: str) -> list[Line]:
    return [*_naked(shape), Line(shape, "core_name", "Core, by name")]


TABLES: dict[str, list[tuple[str, list[Line]]]] = {
    "blocks": [
        ("1 row", _read("one")),
        ("1 row, the statement built for each call", _read("one_built")),
        ("1000 rows of 4 columns", _read("thousand")),
        ("1000 rows of a wide table (13 columns)", _read("wide")),
        (
            "1000 rows of a two-entity join (4 and 4 columns)",
            [
                Line("join", "naked", "execute()"),
                Line("join", "naked_tuples", "tuples()"),
                *_read("join")[1:],
            ],
        ),
        ("insert of 1 row", _naked("insert")),
        ("insert of 1 row, RETURNING the entity", _naked("insert_returning")),
        ("insert of a list of 100", _naked("insert_list")),
        ("insert of a list of 100, RETURNING the entities", _naked("insert_list_returning")),
        ("update by key", _naked("update")),
        ("update by key, RETURNING the entity", _naked("update_returning")),
    ],
    "calls": [
        (
            "1 row, without a block",
            [
                Line("one_shot", "naked", "db.scalars()"),
                Line("one_shot", "naked_get", "db.get()"),
                Line("one_shot", "orm", "ORM session"),
                Line("one_shot", "core_auto", "Core, AUTOCOMMIT"),
            ],
        ),
        (
            "1 row by primary key",
            [
                Line("get", "naked", "session.get(), in a block"),
                Line("get", "naked_shot", "db.get()"),
                Line("get", "orm", "ORM session"),
            ],
        ),
        ("selectinload of 100 parents with 10 children each", _naked("selectin")),
        ("joinedload of 100 parents with 10 children each", _naked("joined")),
        (
            "1000 rows of 4 columns into a dataclass",
            [
                Line("into_dataclass", "naked", "into()"),
                Line("into_dataclass", "hand", "Core, dataclass by hand"),
            ],
        ),
        (
            "1000 rows of 4 columns into a pydantic model",
            [
                Line("into_pydantic", "naked", "into(), validate=False"),
                Line("into_pydantic", "naked_valid", "into()"),
                Line("into_pydantic", "orm", "ORM session, model_validate()"),
                Line("into_pydantic", "hand", "Core, model_construct()"),
            ],
        ),
    ],
    "writes": [
        ("insert of 10,000 dictionaries", _naked("bulk_insert")),
        ("the same, RETURNING the entities", _naked("bulk_insert_returning")),
        (
            "10,000 instances",
            [
                Line("insert_all", "naked", "insert_all()"),
                Line("insert_all", "orm", "ORM session, add_all() and commit"),
            ],
        ),
        (
            "1000 changed objects",
            [
                Line("update_all", "naked_rows", "update_all(), rows back"),
                Line("update_all", "naked", "update_all(returning=False)"),
                Line("update_all", "orm", "ORM session, flush"),
            ],
        ),
        (
            "100,000 flights",
            [
                Line("copy_in", "naked", "copy_in()"),
                Line("copy_in", "naked_insert", "insert_all()"),
            ],
        ),
    ],
}
DECIDE = [
    ("one row by key, `db.get()`", "get", "naked_shot"),
    ("one row in a block", "one", "naked"),
    ("a page of 1000 rows", "thousand", "naked"),
    ("a join of two entities, 1000 rows", "join", "naked"),
    ("100 parents with 10 children each, `selectinload`", "selectin", "naked"),
    ("1000 changed objects, `update_all()`", "update_all", "naked"),
]
"""The figures that decide, as a user says them."""


def write(results: dict[str, Any]) -> None:
    """Write the tables into both pages."""
    for name, groups in TABLES.items():
        into_page(f"performance {name}", _table(results, groups), PAGE)
    into_page("performance conditions", "\n".join(_conditions(results)), PAGE)
    into_page("performance missed", "\n".join(_missed(results)), PAGE)
    into_page("figures", _decide(results), README)


def _found(results: dict[str, Any], shape: str, run: str) -> list[Ran | None]:
    """What a contender came to on each driver."""
    measured = [results["drivers"].get(driver, {}).get("shapes", {}) for driver in DRIVERS]
    return [shapes.get(shape, {}).get("contenders", {}).get(run) for shapes in measured]


def _table(results: dict[str, Any], groups: Sequence[tuple[str, list[Line]]]) -> str:
    lines = [f"| | | {' | '.join(DRIVERS.values())} |", f"|---|---|{'---|' * len(DRIVERS)}"]
    for title, members in groups:
        named = title
        for line in members:
            cells = [_cell(run, line.is_ours) for run in _found(results, line.shape, line.run)]
            if not any(cells):
                continue
            said = f"**{line.said}**" if line.is_ours else line.said
            lines.append(f"| {named} | {said} | {' | '.join(cell or '-' for cell in cells)} |")
            named = ""
    return "\n".join(lines)


def _cell(run: Ran | None, is_ours: bool) -> str:
    if run is None:
        return ""
    clock, cpu = f"{run['to_core']['value']:.2f}", f"{run['cpu_to_core']['value']:.2f}"
    return f"**{clock}** ({cpu})" if is_ours else f"{clock} ({cpu})"


def _decide(results: dict[str, Any]) -> str:
    lines = [
        f"| | {' | '.join(DRIVERS.values())} | the ORM session |",
        f"|---|{'---|' * (len(DRIVERS) + 1)}",
    ]
    for said, shape, run in DECIDE:
        ours = [_value(found) for found in _found(results, shape, run)]
        orm = sorted(_values(_found(results, shape, "orm")))
        digits = 1 if orm[-1] >= 2 else 2
        span = f"{orm[0]:.{digits}f} to {orm[-1]:.{digits}f}"
        lines.append(f"| {said} | {' | '.join(ours)} | {span} |")
    return "\n".join(lines)


def _value(run: Ran | None) -> str:
    return "-" if run is None else f"{run['to_core']['value']:.2f}"


def _values(runs: Sequence[Ran | None]) -> list[float]:
    return [run["to_core"]["value"] for run in runs if run is not None]


def _conditions(results: dict[str, Any]) -> Iterator[str]:
    """Of which machine and how many rounds, and how far the baseline is from itself."""
    env = results["environment"]
    shapes = [shape for one in results["drivers"].values() for shape in one["shapes"].values()]
    again = [
        (run["to_core"]["value"], run["cpu_to_core"]["value"])
        for shape in shapes
        if (run := shape["contenders"].get("core_again"))
    ]
    clock, cpu = zip(*again, strict=True)
    yield (
        f"Medians of {min(shape['rounds'] for shape in shapes)} to "
        f"{max(shape['rounds'] for shape in shapes)} rounds, on {env['implementation']} "
        f"{env['python']}, SQLAlchemy {env['sqlalchemy']} and {env['processors']} processors, "
        f"which had a load of {env['load']} from other work."
    )
    yield (
        f"Core measured against itself came out between {min(clock):.2f} and {max(clock):.2f} by "
        f"the clock, and between {min(cpu):.2f} and {max(cpu):.2f} by processor time."
    )


def _missed(results: dict[str, Any]) -> Iterator[str]:
    """The goals that are missed, by the clock or by processor time."""
    missed = [goal for goal in goals(results) if not (goal.met and goal.met_by_cpu is not False)]
    if not missed:
        yield "All goals are met."
        return
    yield "| goal | asked | by the clock | by processor time |"
    yield "|---|---|---|---|"
    for goal in missed:
        cpu = "" if goal.cpu is None else f"{goal.cpu:.2f}"
        yield f"| {goal.text} | {goal.aim} | {goal.value:.2f} | {cpu} |"
