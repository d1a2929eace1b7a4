"""What ``import naked_sqla`` adds to the import of SQLAlchemy, in fresh processes.

The processor's time is measured: what other processes do to the machine is not in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles
from typing import Any

AFTER = "import sqlalchemy.orm, sqlalchemy.ext.asyncio"
CODE = f"""
from time import process_time as now
start = now()
{AFTER}
between = now()
import naked_sqla
print(between - start, now() - between)
"""


def measure(runs: int) -> dict[str, Any]:
    """Return the medians in milliseconds."""
    with tempfile.TemporaryDirectory() as directory:
        # An installed package comes with its bytecode; here the first process writes it.
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPYCACHEPREFIX"] = directory
        pairs = [_once(env) for _ in range(runs + 1)][1:]
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


def _once(env: dict[str, str]) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env=env,
    )
    before, added = done.stdout.split()
    return float(before), float(added)
