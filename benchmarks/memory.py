"""Memory per object of four columns, the values not counted.

The rows exist before the count begins, so their values are shared and cost nothing. The ORM's
instances are counted after their session was emptied: the instance, its ``__dict__``, its
``InstanceState`` and the identity key, without the identity map.
"""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.rowlayer import InMemory, Rows, hydrate, plain, slotted

OBJECTS = 100_000


def size(build: Callable[[Rows], list[Any]], rows: Rows, after: Callable[[], None]) -> float:
    """Return the bytes per object that are in use once the list is built, without the list."""
    build(rows[:10])
    after()
    gc.collect()
    tracemalloc.start()
    built = build(rows)
    after()
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (used - built.__sizeof__()) / len(rows)


def measure() -> dict[str, Any]:
    """Return the sizes by contender."""
    rows = [(i, "a name", "an@example.org", 40) for i in range(OBJECTS)]
    memory = InMemory()

    def nothing() -> None:
        pass

    sizes = {
        "naked_sqla": size(hydrate(memory), rows, nothing),
        "ORM instance with its state": size(memory.orm, rows, memory.forget),
        "hand-written, class with slots": size(slotted, rows, nothing),
        "hand-written, plain class": size(plain, rows, nothing),
        "Core's Row": size(memory.core, rows, nothing),
    }
    memory.close()
    return {
        "objects": OBJECTS,
        "sizes": sizes,
        "ours": sizes["naked_sqla"],
        "orm": sizes["ORM instance with its state"],
    }


def main(output: str) -> None:
    """Measure and write the result's JSON to a file."""
    Path(output).write_text(json.dumps(measure()))
