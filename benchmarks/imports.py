"""What ``import naked_sqla`` adds to the import of SQLAlchemy, in fresh processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median, quantiles
from typing import Any

AFTER = "import sqlalchemy.orm, sqlalchemy.ext.asyncio"
CODE = f"""
from time import perf_counter as now
start = now()
{AFTER}
between = now()
import naked_sqla
print(between - start, now() - between)
"""


def measure(runs: int) -> dict[str, Any]:
    """Return the medians in milliseconds; one process more warms up the files' cache."""
    pairs = [_once() for _ in range(runs + 1)][1:]
    before = [a * 1e3 for a, _ in pairs]
    added = [b * 1e3 for _, b in pairs]
    low, _, high = quantiles(added, n=4)
    return {
        "after": AFTER,
        "runs": runs,
        "before": median(before),
        "added": median(added),
        "low": low,
        "high": high,
    }


def _once() -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    before, added = done.stdout.split()
    return float(before), float(added)
