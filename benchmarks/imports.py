"""What ``import naked_sqla`` adds to the import of SQLAlchemy, in fresh processes.

The processor's time is measured: what other processes do to the machine is not in it.  It is
measured with a full collection before our import, and without: SQLAlchemy's import leaves the
collector close to one of its own, which looks at all that SQLAlchemy has made, whoever comes next.
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
import gc, sys
from time import process_time as now
start = now()
{AFTER}
before = now() - start
if sys.argv[1] == "collected":
    gc.collect()
between = now()
import naked_sqla
print(before, now() - between)
"""
WAYS = ("collected", "as it is")


def measure(runs: int) -> dict[str, Any]:
    """Return the medians in milliseconds."""
    with tempfile.TemporaryDirectory() as directory:
        # An installed package comes with its bytecode; here the first process writes it.
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPYCACHEPREFIX"] = directory
        # each way in turn, so that a machine that is busy for a while slows both
        pairs = [(_once(env, WAYS[0]), _once(env, WAYS[1])) for _ in range(runs + 1)][1:]
    before = [a * 1e3 for pair in pairs for a, _ in pair]
    added, as_it_is = ([pair[way][1] * 1e3 for pair in pairs] for way in range(len(WAYS)))
    low, _, high = quantiles(added, n=4)
    return {
        "after": AFTER,
        "runs": runs,
        "before": median(before),
        "added": median(added),
        "low": low,
        "high": high,
        "as_it_is": median(as_it_is),
    }


def _once(env: dict[str, str], way: str) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", CODE, way],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env=env,
    )
    before, added = done.stdout.split()
    return float(before), float(added)
