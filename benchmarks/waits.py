"""The longest time that other tasks wait while one reads 100,000 rows in a transaction.

A second task asks for a turn of the event loop again and again, and notes the longest time between
two of its turns: by the clock, and of the event loop's thread. Python's collector decides most of
it, so each contender runs three ways: with the collector as it is, with everything frozen that was
there before (``gc.freeze()``, as the guide advises), and with the collector off.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from typing import Any

from sqlalchemy import insert, make_url, select
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from benchmarks.database import new_engine
from benchmarks.growing import into_page
from benchmarks.models import Base, User
from benchmarks.report import WAITING, WAYS, waits_table

ROWS = 100_000
PAGE = Path(__file__).parents[1] / "docs" / "guide" / "streaming.md"
Work = Callable[[], Awaitable[Any]]


def _works(engine: AsyncEngine) -> dict[str, Work]:
    """The contenders; each gives what it has read."""
    from naked_sqla import AsyncSessionFactory

    orm, naked = async_sessionmaker(engine, expire_on_commit=False), AsyncSessionFactory(engine)

    async def by_core() -> Any:
        async with engine.begin() as conn:
            return (await conn.execute(select(User.__table__))).all()

    async def by_orm() -> Any:
        async with orm.begin() as session:
            return (await session.scalars(select(User))).all()

    async def ours() -> Any:
        async with naked.begin() as session:
            return (await session.scalars(select(User))).all()

    return {"core": by_core, "orm": by_orm, "naked": ours}


async def _fill(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.drop_all)
        await conn.run_sync(Base.metadata.create_all)
        rows = [
            {"id": i, "name": f"name {i}", "email": f"{i}@example.org", "age": i % 90}
            for i in range(ROWS)
        ]
        await conn.execute(insert(User), rows)


@contextmanager
def _collector(way: str) -> Iterator[None]:
    gc.collect()
    if way == "off":
        gc.disable()
    elif way == "frozen":
        gc.freeze()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


async def _longest(work: Work) -> tuple[float, float]:
    """The longest wait of another task, in seconds: by the clock, and of this thread."""
    done = asyncio.Event()
    longest = [0.0, 0.0]

    async def ask() -> None:
        clock, cpu = perf_counter(), thread_time()
        while not done.is_set():
            await asyncio.sleep(0)
            now, spent = perf_counter(), thread_time()
            longest[:] = max(longest[0], now - clock), max(longest[1], spent - cpu)
            clock, cpu = now, spent

    asking = asyncio.create_task(ask())
    # held until the other task has ended: letting go of it takes a while too
    read = await work()
    done.set()
    await asking
    del read
    return longest[0], longest[1]


async def measure(url: str, rounds: int) -> dict[str, Any]:
    """Return the medians of the rounds' longest waits, in seconds, by contender and way."""
    engine = new_engine(make_url(url))
    await _fill(engine)
    works = _works(engine)
    read = {name: await work() for name, work in works.items()}
    values = [(row.id, row.name, row.email, row.age) for row in read["core"]]
    for name, found in read.items():
        if [(obj.id, obj.name, obj.email, obj.age) for obj in found] != values:
            raise ValueError(f"{WAITING[name]} reads other values than Core")
    del read, values, found
    runs = [(name, way) for name in works for way in WAYS]
    waits: dict[tuple[str, str], list[tuple[float, float]]] = {run: [] for run in runs}
    dice = random.Random("waits")
    for _ in range(rounds):
        dice.shuffle(runs)
        for name, way in runs:
            with _collector(way):
                waits[name, way].append(await _longest(works[name]))
    await engine.dispose()
    return {
        name: {
            way: {
                "clock": median(clock for clock, _ in waits[name, way]),
                "cpu": median(cpu for _, cpu in waits[name, way]),
            }
            for way in WAYS
        }
        for name in works
    }


def write(results: dict[str, Any]) -> None:
    """Write the table into its page, if they were measured."""
    found = results.get("waits")
    if found:
        into_page("waits", waits_table(found), PAGE)


def main(url: str, rounds: str, output: str) -> None:
    """Measure and write the result's JSON to a file."""
    Path(output).write_text(json.dumps(asyncio.run(measure(url, int(rounds)))))
