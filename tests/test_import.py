"""What ``import naked_sqla`` loads and makes; ``make bench`` measures how long that takes."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

import naked_sqla
from naked_sqla.read.plan import Cell, Plan, Value

ROOT = Path(__file__).resolve().parent.parent

# Loaded by their first use: what a service may never need, and what the first entity needs.
LATER = {
    "naked_sqla._sqlalchemy.direct_lists",
    "naked_sqla._sqlalchemy.dml",
    "naked_sqla._sqlalchemy.mappings",
    "naked_sqla._sqlalchemy.relationships",
    "naked_sqla.backends.terms",
    "naked_sqla.backends.violations",
    "naked_sqla.constraints",
    "naked_sqla.into",
    "naked_sqla.objects.convert",
    "naked_sqla.objects.naked",
    "naked_sqla.pages",
    "naked_sqla.read.eager",
    "naked_sqla.read.explain",
    "naked_sqla.read.fetching",
    "naked_sqla.read.hydrator",
    "naked_sqla.read.loader",
    "naked_sqla.read.many",
    "naked_sqla.read.planner",
    "naked_sqla.read.preload",
    "naked_sqla.read.shortcuts",
    "naked_sqla.sessions._async.limited",
    "naked_sqla.sessions._async.pagination",
    "naked_sqla.sessions._async.stream",
    "naked_sqla.sessions._async.timed",
    "naked_sqla.sessions._sync",
    "naked_sqla.sessions.calls.explain",
    "naked_sqla.sessions.calls.json",
    "naked_sqla.sessions.calls.write",
    "naked_sqla.sessions.health",
    "naked_sqla.sessions.limits",
    "naked_sqla.sessions.retrying",
    "naked_sqla.sessions.routing.tables",
    "naked_sqla.sessions.stream",
    "naked_sqla.sessions.terms",
    "naked_sqla.write",
}

CODE = """
import json, re, sys
import sqlalchemy.orm, sqlalchemy.ext.asyncio
before = set(sys.modules)
import naked_sqla
added = {name: vars(sys.modules[name]) for name in sorted(set(sys.modules) - before)}
own = [(name, key, value) for name, found in added.items() for key, value in found.items()]
print(json.dumps({
    "modules": [*added],
    "generated": [
        f"{name}.{key}" for name, key, value in own
        if hasattr(value, "__dataclass_fields__") and value.__module__ == name
    ],
    "patterns": [f"{name}.{key}" for name, key, value in own if isinstance(value, re.Pattern)],
}))
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, cwd=ROOT
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_nothing_is_generated_and_no_pattern_is_compiled(imported: dict[str, list[str]]) -> None:
    assert imported["generated"] == []
    assert imported["patterns"] == []


def test_what_is_loaded_by_its_first_use(imported: dict[str, list[str]]) -> None:
    assert set(imported["modules"]) & LATER == set()
    assert [name for name in imported["modules"] if not name.startswith("naked_sqla")] == []


def test_the_names_of_the_package_are_all_there() -> None:
    assert set(naked_sqla.__all__) <= set(dir(naked_sqla))
    found: dict[str, object] = {}
    exec("from naked_sqla import *", found)
    assert set(naked_sqla.__all__) <= set(found)
    assert naked_sqla.Session is found["Session"]
    with pytest.raises(AttributeError, match="module 'naked_sqla' has no attribute 'Sessoin'"):
        getattr(naked_sqla, "Sessoin")  # noqa: B009


RUNS = """
import asyncio, sys
from sqlalchemy import literal, select
from sqlalchemy.ext.asyncio import create_async_engine
from naked_sqla import AsyncSessionFactory

async def work(session):
    return await session.scalar(select(literal(1)))

async def main():
    engine = create_async_engine("sqlite+aiosqlite://")
    assert await AsyncSessionFactory(engine).run(work) == 1
    await engine.dispose()

asyncio.run(main())
assert "naked_sqla.sessions.retrying" not in sys.modules
"""


def test_work_that_succeeds_loads_nothing_that_tries_again() -> None:
    subprocess.run([sys.executable, "-c", RUNS], check=True, cwd=ROOT)


# ---------------------------------------------------------------- records


def test_a_record_is_made_like_a_dataclass() -> None:
    assert Cell(1) == Cell(index=1) == Cell(1, None) == Cell(index=1, convert=None)
    assert Cell(1, str).convert is str
    assert repr(Cell(1, None)) == "Cell(index=1, convert=None)"
    assert Cell(1)._replace(convert=str) == Cell(1, str)
    match Cell(3, int):
        case Cell(index, convert):
            assert (index, convert) == (3, int)


def test_a_record_is_compared_by_its_fields() -> None:
    assert Cell(1) != Cell(2)
    assert Value("a", Cell(1)) == Value("a", Cell(1))
    assert hash(Value("a", Cell(1))) == hash(Value("a", Cell(1)))
    assert Cell(1) != (1, None)
    # the classes of a hierarchy are looked at when the plan is used
    one, other = (Plan(1, (), False, hierarchies=({n: n},)) for n in (1, 2))
    assert one == other
    assert hash(one) == hash(other)
    assert "hierarchies" not in repr(one)


def test_a_record_stays_as_it_is() -> None:
    cell = Cell(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'index'"):
        setattr(cell, "index", 2)  # noqa: B010
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'index'"):
        del cell.index  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'other'"):
        setattr(cell, "other", 2)  # noqa: B010
    assert not hasattr(cell, "__dict__")
    assert copy.copy(cell) == copy.deepcopy(cell) == pickle.loads(pickle.dumps(cell)) == cell


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((1, 2, 3), {}), ((1,), {"index": 1}), ((1,), {"other": 1}), ((), {"convert": 1})],
)
def test_wrong_arguments_of_a_record(values: tuple[int, ...], named: dict[str, int]) -> None:
    with pytest.raises(TypeError, match=r"^Cell (takes|lacks) "):
        Cell(*values, **named)  # type: ignore[arg-type]
