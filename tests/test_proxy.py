"""The proxy of the tests itself: what it does, and when, on both drivers and plain SQLAlchemy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ._proxy import Proxy, Side
from ._wire import Moment, moments_of

pytestmark = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)


@pytest.fixture
async def through(
    proxy: Proxy, database_url: URL, engine: AsyncEngine
) -> AsyncIterator[AsyncEngine]:
    """An engine through the proxy, with one warm connection."""
    async with engine.begin() as conn:
        await conn.execute(text("CREATE TABLE note (id int)"))
    through = create_async_engine(proxy.url(database_url))
    async with through.connect() as conn:
        await conn.execute(text("SELECT 1"))
    yield through
    await through.dispose()


async def stored(engine: AsyncEngine) -> list[int]:
    async with engine.connect() as conn:
        return list((await conn.execute(text("SELECT id FROM note ORDER BY id"))).scalars())


async def work(engine: AsyncEngine) -> None:
    """Come to each moment of a transaction that commits."""
    async with engine.begin() as conn:
        await conn.execute(text("INSERT INTO note VALUES (1)"))
        async with conn.begin_nested():
            await conn.execute(text("INSERT INTO note VALUES (2)"))
        async with conn.stream(text("SELECT generate_series(1, 200)")) as rows:
            assert len([row async for row in rows]) == 200


MOMENTS: list[tuple[Moment, Side]] = [
    (moment, side)
    for moment in ("begin", "execute", "savepoint", "release", "fetch", "commit")
    for side in ("sent", "answered")
]


@pytest.mark.parametrize(("moment", "side"), [("connect", "sent"), *MOMENTS])
async def test_hangs_until_released(
    engine: AsyncEngine, through: AsyncEngine, proxy: Proxy, moment: Any, side: Any
) -> None:
    if moment == "connect":
        await through.dispose()
    fault = proxy.on(moment, side, "hang")
    task = asyncio.create_task(work(through))
    await fault.happens()
    assert not task.done()
    # Only an answer that is kept back is later than the commit.
    assert await stored(engine) == ([1, 2] if (moment, side) == ("commit", "answered") else [])
    fault.release()
    await task
    assert (fault.count, await stored(engine)) == (1, [1, 2])


# Plain SQLAlchemy leaves a cursor of psycopg open that was cut while it was read.
@pytest.mark.parametrize(("moment", "side"), [at for at in MOMENTS if at[0] != "fetch"])
async def test_cuts(
    engine: AsyncEngine, through: AsyncEngine, proxy: Proxy, moment: Any, side: Any
) -> None:
    fault = proxy.on(moment, side, "cut")
    with pytest.raises(DBAPIError):
        await work(through)
    assert fault.fired
    assert await stored(engine) == ([1, 2] if (moment, side) == ("commit", "answered") else [])


async def test_cuts_a_connect(through: AsyncEngine, proxy: Proxy) -> None:
    await through.dispose()
    proxy.on("connect", "sent", "cut")
    with pytest.raises((DBAPIError, OSError)):
        await work(through)


@pytest.mark.parametrize("side", ["sent", "answered"])
async def test_two_phases(
    engine: AsyncEngine, through: AsyncEngine, proxy: Proxy, side: Any, database_url: URL
) -> None:
    name = f"proxy_{database_url.query.get('options', '')}{id(proxy)}"[-20:].replace("=", "_")
    faults = [proxy.on(moment, side, "hang") for moment in ("prepare", "commit prepared")]

    async def prepare_and_commit() -> None:
        async with through.connect() as conn:
            await conn.execute(text("INSERT INTO note VALUES (1)"))
            await conn.execute(text(f"PREPARE TRANSACTION '{name}'"))
            await conn.commit()
            plain = await conn.execution_options(isolation_level="AUTOCOMMIT")
            await plain.execute(text(f"COMMIT PREPARED '{name}'"))

    task = asyncio.create_task(prepare_and_commit())
    for fault in faults:
        await fault.happens()
        there = fault is faults[1] and side == "answered"
        assert await stored(engine) == ([1] if there else [])
        fault.release()
    await task
    assert await stored(engine) == [1]


async def test_rollback_counts_and_skips(
    engine: AsyncEngine, through: AsyncEngine, proxy: Proxy
) -> None:
    fault = proxy.on("rollback", "sent", "cut", skip=1, times=None)

    async def fail() -> None:
        async with through.begin() as conn:
            await conn.execute(text("INSERT INTO note VALUES (1)"))
            raise ValueError

    for expected in (ValueError, DBAPIError, DBAPIError):
        with pytest.raises(expected):
            await fail()
    assert fault.count == 2
    proxy.clear()
    await work(through)
    assert await stored(engine) == [1, 2]


async def test_only_what_contains(through: AsyncEngine, proxy: Proxy) -> None:
    fault = proxy.on("execute", "sent", "cut", containing="generate_series(5")
    await work(through)
    assert not fault.fired


async def test_client_that_hangs_up_is_let_go(
    engine: AsyncEngine, through: AsyncEngine, proxy: Proxy
) -> None:
    fault = proxy.on("commit", "sent", "hang")
    task = asyncio.create_task(work(through))
    await fault.happens()
    proxy.cut_all()
    with pytest.raises(DBAPIError):
        await task
    async with engine.begin() as conn:
        await conn.execute(text("LOCK TABLE note IN ACCESS EXCLUSIVE MODE"))
    assert await stored(engine) == []


def test_synchronous(proxy: Proxy, postgres_url: Callable[[str], URL], backend: str) -> None:
    through = create_engine(proxy.url(postgres_url("psycopg")))
    with through.connect() as conn:
        conn.execute(text("SELECT 1"))
    fault = proxy.on("execute", "answered", "garble")
    with pytest.raises(DBAPIError), through.connect() as conn:
        conn.execute(text("SELECT 1"))
    assert fault.fired
    through.dispose()


def test_meaning_of_sql(backend: str) -> None:
    assert moments_of("BEGIN; SET LOCAL x = 1") == {"begin", "execute"}
    assert moments_of("-- why\nSELECT 1;commit") == {"execute", "commit"}
    assert moments_of("ROLLBACK TO SAVEPOINT a") == {"rollback to"}
    assert moments_of("COMMIT PREPARED 'a'; ") == {"commit prepared"}
