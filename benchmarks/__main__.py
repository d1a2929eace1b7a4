"""The command line: ``python -m benchmarks run`` and its kin; see ``--help``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import figures, growing, imports, legacy, standing, waits
from benchmarks.chart import chart
from benchmarks.database import DRIVERS, database
from benchmarks.report import markdown
from benchmarks.summary import summarise
from benchmarks.worker import Task, environment

RESULTS = Path(__file__).parent / "results"
# The README and the page on performance show it.
PICTURE = RESULTS.parents[1] / "docs" / "assets" / "speed.svg"
ROUNDS, QUICK = 200, 25
PAGES = ("growth", "peers")
ALONE = ("streaming", "waits", "rowlayer", "memory", "imports", *PAGES)
ASSETS = PICTURE.parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    told = _parser().parse_args(arguments)
    home = RESULTS / "quick" if told.quick else RESULTS
    rounds = told.rounds or (QUICK if told.quick else ROUNDS)
    drivers = [] if told.only else told.driver or list(DRIVERS)
    home.mkdir(parents=True, exist_ok=True)
    if told.command != "report":
        _stay_on_one_processor()
    if told.command == "legacy":
        _store(home / "legacy.json", _drivers(drivers, rounds, told.shape, old=True))
        return
    series = home / f"sqlalchemy-{'.'.join(version('sqlalchemy').split('.')[:2])}"
    series.mkdir(exist_ok=True)
    if told.command == "run":
        alone = told.only or ([] if told.driver else ALONE)
        # the pages of their own have the environment of theirs
        own = bool(alone) and not drivers and set(alone) <= {*PAGES}
        found: dict[str, Any] = {} if own else {"environment": environment()}
        found["drivers"] = _drivers(drivers, rounds, told.shape, old=False)
        parts = [part for part in alone if part != "streaming"]
        found |= {part: _alone(part, told.quick, told.large) for part in parts}
        if "streaming" in alone:
            found["streaming"] = _streams(told.driver or list(DRIVERS), told.quick)
        _store(series / "results.json", found)
    _report(home, series)


def _stay_on_one_processor() -> None:
    """Run on one processor from now on, with the processes that are started, the server's too.

    To wake a process on another processor takes longer than a whole statement of one row. Left to
    the scheduler, some connections are on the client's processor and some are not: Core differed
    from itself by a factor of up to three.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "command",
        choices=("run", "legacy", "report"),
        help="run: measure and write the results; legacy: measure naked-sqla 0.1.0, of 2024, in"
        " an environment of its own; report: print and write what is measured already",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, to results/quick")
    parser.add_argument("--driver", action="append", choices=tuple(DRIVERS))
    parser.add_argument("--shape", action="append", default=[], help="a shape's short name")
    parser.add_argument("--only", action="append", choices=ALONE, help="one part")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--large", action="store_true", help="growth: up to 1,000,000 rows")
    return parser


def _drivers(
    drivers: Sequence[str], rounds: int, shapes: list[str], *, old: bool
) -> dict[str, Any]:
    return {driver: _driver(driver, rounds, shapes, old) for driver in drivers}


def _driver(driver: str, rounds: int, shapes: list[str], old: bool) -> dict[str, Any]:
    """Run one driver's worker in a process of its own; return what it found."""
    print(f"{DRIVERS[driver]}{f', {legacy.NAME}' if old else ''}", file=sys.stderr)
    with database(driver) as url:
        task = Task(driver, url.render_as_string(hide_password=False), rounds, shapes, old)
        command = legacy.command() if old else _module("worker")
        return summarise(_process([*command, json.dumps(asdict(task))]))


def _streams(drivers: Sequence[str], quick: bool) -> dict[str, Any]:
    """Stream all flights on each driver."""
    found = {}
    for driver in drivers:
        print(f"streaming, {DRIVERS[driver]}", file=sys.stderr)
        with database(driver) as url:
            task = url.render_as_string(hide_password=False)
            found[driver] = _process([*_module("streaming"), task, "2" if quick else "3"])
    return found


def _alone(part: str, quick: bool, large: bool) -> dict[str, Any]:
    """Measure a part that has no shapes."""
    print(part, file=sys.stderr)
    if part == "waits":
        return {driver: _waits(driver, quick) for driver in DRIVERS}
    if part == "growth":
        return _growth(quick, large)
    if part == "peers":
        with database("asyncpg") as url:
            task = url.render_as_string(hide_password=False)
            return _process([*_module(part), task, "10" if quick else "80"])
    if part == "imports":
        return imports.measure(5 if quick else 25)
    if part == "rowlayer":
        return _process([*_module(part), "100" if quick else "500"])
    return _process(_module(part))


def _waits(driver: str, quick: bool) -> dict[str, Any]:
    with database(driver) as url:
        task = url.render_as_string(hide_password=False)
        return _process([*_module("waits"), task, "1" if quick else "9"])


def _growth(quick: bool, large: bool) -> dict[str, Any]:
    """Measure what grows, each driver in a process of its own."""
    largest = 1000 if quick else growing.LARGEST_BY_OPTION if large else growing.LARGEST
    found = {}
    for driver in growing.GROWING:
        with database(driver) as url:
            task = url.render_as_string(hide_password=False)
            seconds = "0.2" if quick else "1.5"
            found[driver] = _process([*_module("growth"), task, str(largest), seconds])
    return found


def _module(name: str) -> list[str]:
    code = f"import sys; from benchmarks.{name} import main; main(*sys.argv[1:])"
    return [sys.executable, "-c", code]


def _process(command: list[str]) -> dict[str, Any]:
    """Run a command that writes JSON to the file that is its last argument; return that."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "result.json"
        subprocess.run([*command, str(output)], check=True, cwd=Path(__file__).parents[1])
        return json.loads(output.read_text())


def _store(path: Path, found: dict[str, Any]) -> None:
    """Write results, over those that are there already: a part that was not measured stays."""
    stored = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(_merged(stored, found), indent=1) + "\n")


def _merged(stored: Any, found: Any) -> Any:
    # A worker's result is one whole: its parts are merged down to the shapes and no further.
    if not isinstance(stored, dict) or not isinstance(found, dict) or "contenders" in found:
        return found
    return stored | {key: _merged(stored.get(key), value) for key, value in found.items()}


def _report(home: Path, series: Path) -> None:
    """Write the Markdown and the chart, and print the Markdown."""
    results = json.loads((series / "results.json").read_text())
    old = home / "legacy.json"
    results["legacy"] = json.loads(old.read_text()) if old.exists() else {}
    text = markdown(results)
    (series / "results.md").write_text(text)
    picture = PICTURE if home == RESULTS else series / "chart.svg"
    picture.write_text(chart(results))
    if home == RESULTS:
        growing.write(results, ASSETS)
        standing.write(results, ASSETS)
        figures.write(results)
        waits.write(results)
    print(text)
    print(f"written to {series}", file=sys.stderr)


if __name__ == "__main__":
    main()
