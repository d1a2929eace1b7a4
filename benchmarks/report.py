"""The results as Markdown, which is also what the terminal shows."""

from __future__ import annotations

from typing import Any

from benchmarks import legacy
from benchmarks.database import DRIVERS
from benchmarks.goals import Goal, goals

Cells = list[str]

WAYS = {"as_it_is": "collector as it is", "frozen": "after `gc.freeze()`", "off": "collector off"}
WAITING = {
    "core": "Core, `execute().all()`",
    "orm": "ORM session, `scalars().all()`",
    "naked": "**`scalars().all()`**",
}
"""How the longest wait is measured, and of what."""


def markdown(results: dict[str, Any]) -> str:
    """Return the whole report."""
    parts = [
        "# Benchmark results",
        _environment(results["environment"]),
        *([results["note"]] if "note" in results else []),
        (
            "A ratio is the median of the rounds' ratios to Core by position, with its 95%"
            " bootstrap interval, and the quartiles of the rounds. *Core, by position, again* is"
            " the baseline measured a second time: as far as it is from 1.00, so far the others may"
            " be off. The CPU ratio is that of the process's processor time: what it costs, without"
            " the waiting for the server and for other processes."
            " Where other processes keep the machine busy, it is the figure to trust; of what is"
            " saved by fewer round trips it knows nothing."
        ),
        "## Goals",
        _goals(results),
    ]
    for driver, title in DRIVERS.items():
        measured = results["drivers"].get(driver)
        if measured:
            parts += [f"## {title}", *_shapes(measured)]
    parts += _streaming(results) + _legacy(results) + _alone(results)
    return "\n\n".join(parts) + "\n"


def _environment(env: dict[str, Any]) -> str:
    drivers = ", ".join(f"{name} {number}" for name, number in env["drivers"].items())
    extensions = "with" if env["compiled_extensions"] else "without"
    return (
        f"{env['implementation']} {env['python']} on {env['machine']}, SQLAlchemy"
        f" {env['sqlalchemy']} ({extensions} compiled extensions), {drivers}. The machine has"
        f" {env['processors']} processors, and had a load of {env['load']} in the minutes before."
        " Written by `python -m benchmarks run`; what each contender does is told in"
        " `benchmarks/__init__.py`."
    )


def _goals(results: dict[str, Any]) -> str:
    rows = [
        [
            goal.text,
            goal.aim,
            f"{_figure(goal.value, goal.limit)}{goal.unit}",
            "" if goal.low is None else f"{goal.low:.2f} to {goal.high:.2f}",
            "" if goal.cpu is None else _figure(goal.cpu, goal.limit),
            _verdict(goal),
        ]
        for goal in goals(results)
    ]
    return table(["goal", "asked", "measured", "interval", "by CPU", ""], rows)


def _figure(value: float, limit: float) -> str:
    """Return a figure with as many digits as it takes to tell it from its limit."""
    return f"{value:.{2 if abs(value - limit) >= 0.005 else 4}f}"


def _verdict(goal: Goal) -> str:
    said = "met" if goal.met else "**missed**"
    if goal.met_by_cpu in (None, goal.met):
        return said
    return f"{said}; by CPU {'met' if goal.met_by_cpu else '**missed**'}"


def _shapes(measured: dict[str, Any]) -> list[str]:
    parts = []
    for shape in measured["shapes"].values():
        rows = [_row(run) for run in shape["contenders"].values()]
        parts += [f"### {shape['title']}", f"{shape['rounds']} rounds.", table(_HEAD, rows)]
    return parts


_HEAD = ["", "median", "ratio to Core", "95% interval", "quartiles of rounds", "CPU ratio"]


def _streaming(results: dict[str, Any]) -> list[str]:
    parts: list[str] = []
    for driver, measured in results.get("streaming", {}).items():
        rows = [
            [*_row(run), f"{memory['above']:.1f} MB" if (memory := run["memory"]) else ""]
            for run in measured["contenders"].values()
        ]
        parts += [
            f"### {DRIVERS[driver]}",
            f"{measured['rows']} rows of 20 columns, yield_per={measured['yield_per']},"
            f" {measured['rounds']} rounds.",
            table([*_HEAD, "memory above idle"], rows),
        ]
    return ["## Streaming all flights", *parts] if parts else []


def _row(run: dict[str, Any]) -> Cells:
    figure = run["to_core"]
    return [
        run["title"],
        duration(run["median"]),
        f"{figure['value']:.2f}",
        f"{figure['low']:.2f} to {figure['high']:.2f}",
        f"{figure['q1']:.2f} to {figure['q3']:.2f}",
        f"{run['cpu_to_core']['value']:.2f}",
    ]


def _legacy(results: dict[str, Any]) -> list[str]:
    if not results.get("legacy"):
        return []
    env = next(iter(results["legacy"].values()))["environment"]
    rows = []
    for driver, measured in results["legacy"].items():
        for name, shape in measured["shapes"].items():
            here = results["drivers"].get(driver, {}).get("shapes", {}).get(name)
            old = shape["contenders"]["legacy"]["to_core"]["value"]
            ours = here["contenders"]["naked"]["to_core"]["value"] if here else None
            rows.append(
                [
                    DRIVERS[driver],
                    shape["title"],
                    f"{old:.2f}",
                    f"{ours:.2f}" if ours else "",
                    f"{old / ours:.2f}" if ours else "",
                ]
            )
    return [
        f"## {legacy.NAME}",
        (
            "An earlier, separate library, which has the same import name and needs SQLAlchemy 2.0:"
            f" measured in another process and environment, on SQLAlchemy {env['sqlalchemy']}."
            " Both ratios are to Core by position, each measured in its own process; the last"
            " column divides them."
        ),
        table(["driver", "shape", legacy.NAME, "naked_sqla", "old to new"], rows),
    ]


def _alone(results: dict[str, Any]) -> list[str]:
    parts: list[str] = []
    layer = results.get("rowlayer")
    if layer:
        rows = [
            [run["title"], duration(run["median"]), f"{run['to_ours']['value']:.2f}"]
            for run in layer["runs"].values()
        ]
        parts += [
            "## The row layer alone",
            "1000 rows of 4 columns that are already in memory: build the objects, read them all.",
            table(["", "median", "ratio to naked_sqla"], rows),
        ]
    memory = results.get("memory")
    if memory:
        rows = [[title, f"{size:.0f} bytes"] for title, size in memory["sizes"].items()]
        parts += [
            "## Memory",
            f"Per object of four columns, values not counted, {memory['objects']} objects.",
            table(["", "size"], rows),
        ]
    waits = results.get("waits")
    if waits:
        parts += [
            "## The longest wait of other tasks",
            "While one task reads 100,000 rows: milliseconds of the event loop's thread.",
            waits_table(waits),
        ]
    imports = results.get("imports")
    if imports:
        parts += [
            "## Import",
            (
                f"`import naked_sqla` after `{imports['after']}`: {imports['added']:.1f} ms"
                f" ({imports['low']:.1f} to {imports['high']:.1f}, quartiles of"
                f" {imports['runs']} fresh processes); the import before it takes"
                f" {imports['before']:.0f} ms.{_as_it_is(imports)}"
            ),
        ]
    return parts


def waits_table(found: dict[str, Any]) -> str:
    """Return the longest waits on each driver, in milliseconds of processor time."""
    rows = [
        [DRIVERS[driver], title, *(f"{waits[name][way]['cpu'] * 1e3:.0f}" for way in WAYS)]
        for driver, waits in found.items()
        for name, title in WAITING.items()
    ]
    return table(["", "", *WAYS.values()], rows)


def _as_it_is(imports: dict[str, Any]) -> str:
    """Tell both ways; a run of before had one."""
    if "as_it_is" not in imports:
        return ""
    return (
        f" That is with a full collection before it; {imports['as_it_is']:.1f} ms without, where"
        f" the collection that SQLAlchemy's import is due falls into ours."
    )


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"


def table(head: Cells, rows: list[Cells]) -> str:
    """Return a Markdown table whose columns are aligned in plain text too."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [head, rule, *rows]
    )
