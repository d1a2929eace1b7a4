"""Every scene, in the order of the report."""

from __future__ import annotations

from benchmarks import copying, eagerly, filling, single, writes
from benchmarks.scenes import Scene


def all_scenes() -> list[Scene]:
    """Every scene."""
    return [
        *single.scenes(),
        *eagerly.scenes(),
        *filling.scenes(),
        *writes.scenes(),
        *copying.scenes(),
    ]
