"""What a server still does when a task that waited for it was cancelled."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from naked_sqla import AsyncSessionFactory

from .._notes import checked_out
from .._proxy import Proxy

pytestmark = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)

ONE = text("SELECT 1")

# Seconds; a statement here takes thirty and more.
SOON = 8
RUNNING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
    "AND query LIKE '%' || :mark || '%' AND pid <> pg_backend_pid()"
)
# A statement that takes the request to cancel for something of its own, some times over.
DEAF = """
CREATE FUNCTION deaf(times int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..times LOOP
        BEGIN
            PERFORM pg_sleep(30);
        EXCEPTION WHEN query_canceled THEN
            NULL;
        END;
    END LOOP;
END $$
"""


@pytest.fixture
async def far(database_url: URL, proxy: Proxy) -> AsyncIterator[AsyncEngine]:
    """An engine whose connections go through the proxy."""
    engine = create_async_engine(proxy.url(database_url), pool_size=1, max_overflow=0)
    yield engine
    await engine.dispose()


Way = Callable[[AsyncSessionFactory, str], Awaitable[None]]


async def call(db: AsyncSessionFactory, sql: str) -> None:
    await db.execute(text(sql))


async def block(db: AsyncSessionFactory, sql: str) -> None:
    async with db.begin() as session:
        await session.execute(text(sql))


async def running(engine: AsyncEngine, mark: str) -> int:
    async with engine.connect() as conn:
        return (await conn.scalar(RUNNING, {"mark": mark})) or 0


async def cancelled(db: AsyncSessionFactory, way: Way, sql: str) -> None:
    """Cancel a statement that runs, and wait until the server has ended it."""
    watcher = create_async_engine(db.engine.url)
    task = asyncio.ensure_future(way(db, sql))
    while not await running(watcher, sql):
        assert not task.done()
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    async with asyncio.timeout(SOON):
        while await running(watcher, sql):
            pass
    await watcher.dispose()
    assert checked_out(db.engine) == 0
    assert await db.scalar(ONE) == 1


@pytest.mark.parametrize("way", [call, block])
async def test_a_request_that_has_no_effect_is_repeated(
    engine: AsyncEngine, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    db = AsyncSessionFactory(engine)
    await call(db, DEAF)
    await cancelled(db, way, "SELECT deaf(3)")
    assert not caplog.records


@pytest.mark.parametrize("way", [call, block])
async def test_a_process_that_no_request_reaches_is_ended(engine: AsyncEngine, way: Way) -> None:
    db = AsyncSessionFactory(engine)
    await call(db, DEAF)
    await cancelled(db, way, "SELECT deaf(100000)")


@pytest.mark.parametrize("way", [call, block])
async def test_a_server_that_hangs_holds_nobody(
    far: AsyncEngine, proxy: Proxy, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    db = AsyncSessionFactory(far)
    assert await db.scalar(ONE) == 1
    proxy.on("execute", "sent", "hang", containing="4711")
    connecting = proxy.on("connect", "sent", "hang", times=None)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await way(db, "SELECT 4711")
    assert time.monotonic() - began < 2.5
    assert checked_out(far) == 0
    await connecting.happens()
    proxy.clear()
    assert await db.scalar(ONE) == 1
