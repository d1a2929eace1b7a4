"""Tests that change their process for good, such as an import that listens to all engines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_ALONE = "NAKED_SQLA_ALONE"
_OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist")


def is_alone() -> bool:
    """Whether this process runs one such test and nothing else."""
    return _ALONE in os.environ


def run_alone(test: str) -> None:
    """Run a test in a process of its own.

    :param test: its id, as pytest prints it.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *_OPTIONS, test],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, _ALONE: "1"},
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
