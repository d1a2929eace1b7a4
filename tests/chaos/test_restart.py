"""A server that is restarted at once, as after a crash, under twenty tasks with ``db.run()``."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from sqlalchemy import insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession as OrmSession
from sqlalchemy.ext.asyncio import create_async_engine

from naked_sqla import AsyncSession, AsyncSessionFactory, CommitOutcomeUnknown

from .._postgres import restartable_server
from .ledger import Base, Entry

TASKS = 20


@pytest.mark.timeout(120)
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_acknowledged_rows_are_there_once(driver: str) -> None:
    with restartable_server() as (url, restart):
        engine = create_async_engine(
            url.set(drivername=f"postgresql+{driver}"), pool_size=TASKS, pool_pre_ping=True
        )
        async with engine.begin() as conn:
            await conn.run_sync(Base.metadata.create_all)
        db = AsyncSessionFactory(engine)
        numbers = itertools.count()
        told: set[int] = set()
        unknown: set[int] = set()
        tries: list[int] = []
        # All are inside a transaction when the restart begins, and half of them stay there.
        inside, again = asyncio.Barrier(TASKS + 1), asyncio.Event()
        waited: set[int] = set()

        async def store(session: AsyncSession, number: int, waits: bool) -> None:
            tries.append(number)
            await session.execute(insert(Entry), {"id": number, "way": "run"})
            if waits and number not in waited:
                waited.add(number)
                await inside.wait()
                if number % 2:
                    await again.wait()
                    await session.scalar(select(literal(1)))

        async def one(waits: bool = False) -> None:
            number = next(numbers)
            try:
                await db.run(
                    store, number, waits, attempts=40, deadline=30, retry_on=db.is_connect_error
                )
            except CommitOutcomeUnknown:
                unknown.add(number)
            else:
                told.add(number)

        async def task() -> None:
            await one()
            await one(waits=True)
            while not again.is_set():
                await one()
            await one()

        async with asyncio.TaskGroup() as group:
            for _ in range(TASKS):
                group.create_task(task())
            await inside.wait()
            await asyncio.to_thread(restart)
            again.set()
        async with OrmSession(engine) as orm:
            stored = list(await orm.scalars(select(Entry.id)))
        await engine.dispose()
    # What was in the middle of it was run again.
    assert len(tries) >= len(told | unknown) + TASKS // 2
    assert len(stored) == len(set(stored))
    assert told <= set(stored)
    assert set(stored) <= told | unknown
    assert len(told) >= 2 * TASKS
