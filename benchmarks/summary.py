"""From the times of the workers to medians and ratios."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median, quantiles
from typing import Any

from benchmarks.contenders import BASELINE
from benchmarks.stats import ratio

OURS = ("naked", "legacy")


def summarise(worker: dict[str, Any]) -> dict[str, Any]:
    """Return a worker's result with each contender's times replaced by what they say."""
    return {
        **worker,
        "shapes": {name: _shape(shape) for name, shape in worker["shapes"].items()},
    }


def _shape(shape: dict[str, Any]) -> dict[str, Any]:
    runs = shape["contenders"]
    base = runs[BASELINE]
    ours = next(runs[name] for name in OURS if name in runs)
    return {
        **shape,
        "rounds": len(base["times"]),
        "contenders": {name: _run(run, base, ours) for name, run in runs.items()},
    }


def _run(run: dict[str, Any], base: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    q1, _, q3 = quantiles(run["times"], n=4)
    return {
        "title": run["title"],
        "median": median(run["times"]),
        "q1": q1,
        "q3": q3,
        "to_core": asdict(ratio(run["times"], base["times"])),
        "to_ours": asdict(ratio(run["times"], ours["times"])),
        "cpu_to_core": asdict(ratio(run["cpu"], base["cpu"])),
        "cpu_to_ours": asdict(ratio(run["cpu"], ours["cpu"])),
    }
