"""The end of a savepoint, and of a block, that is cancelled while it is under way."""

# A block that fails at its end can only be written inside raises().
# ruff: noqa: PT012
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import anyio
import pytest
from sqlalchemy import URL, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from naked_sqla import AsyncSession, AsyncSessionFactory, TransactionRolledBack

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere
from .._notes import Note, checked_out, create, stored
from .._proxy import Fault, Proxy

on_postgres = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
GRACE = "naked_sqla.sessions._async.greenlet.GRACE"
PUSH = "naked_sqla.sessions._async.greenlet._PUSH"


async def add(session: AsyncSession, words: str) -> None:
    await session.execute(insert(Note), {"text": words})


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    await create(engine)
    return AsyncSessionFactory(engine)


@pytest.fixture
async def through(
    proxy: Proxy, database_url: URL, engine: AsyncEngine
) -> AsyncIterator[AsyncSessionFactory]:
    await create(engine)
    through = create_async_engine(proxy.url(database_url))
    # psycopg has savepoints of its own at the first connection of an engine
    async with through.connect() as conn:
        await conn.execute(text("select 1"))
    yield AsyncSessionFactory(through)
    await through.dispose()


async def stop_then_release(fault: Fault, stop: Callable[[], object]) -> None:
    """Cancel what waits for the answer to RELEASE, and let the answer come then."""
    await fault.happens()
    stop()
    for _ in range(3):
        await asyncio.sleep(0)
    fault.release()


@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_it_is_kept_as_its_block_says(
    db: AsyncSessionFactory, engine: AsyncEngine, kind: Kind, moment: Moment
) -> None:
    said: list[bool] = []

    async def block() -> None:
        said.clear()
        async with db.begin() as session:
            await add(session, "a")
            async with session.begin_nested():
                await add(session, "b")
            said.append(True)

    async def caught() -> None:
        """The cancellation is caught outside of the savepoint, and the session goes on."""
        said.clear()
        async with db.begin() as session:
            await add(session, "a")
            try:
                async with session.begin_nested():
                    await add(session, "b")
                said.append(True)
            except asyncio.CancelledError:
                said.append(False)

    async def check(_: Run) -> None:
        rows = await stored(engine)
        if rows:
            assert rows == (["a", "b"] if said == [True] else ["a"])
            async with engine.begin() as conn:
                await conn.execute(text("delete from note"))
        assert checked_out(engine) == 0

    async def swallowing() -> None:
        try:
            await caught()
        except TransactionRolledBack:
            assert said == [False]

    await cancelled_everywhere(block, kind, moment, check)
    await cancelled_everywhere(swallowing, kind, moment, check)


@on_postgres
async def test_a_timeout_during_release(
    through: AsyncSessionFactory, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was released is kept, and the block does not fail."""
    monkeypatch.setattr(GRACE, 30)
    fault, loop = proxy.on("release", "answered", "hang"), asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    async with through.begin() as session:
        await add(session, "a")
        async with asyncio.timeout(60) as limit:
            stopper = asyncio.create_task(
                stop_then_release(fault, lambda: limit.reschedule(loop.time()))
            )
            async with session.begin_nested():
                await add(session, "b")
        await stopper
        assert task.cancelling() == 0
        await add(session, "c")
    assert await stored(through.engine) == ["a", "b", "c"]


@on_postgres
async def test_a_timeout_during_release_comes_later(
    through: AsyncSessionFactory, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes after the savepoint is cancelled instead."""
    monkeypatch.setattr(GRACE, 30)
    fault, loop = proxy.on("release", "answered", "hang"), asyncio.get_running_loop()
    left = False
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60) as limit:
            stopper = asyncio.create_task(
                stop_then_release(fault, lambda: limit.reschedule(loop.time()))
            )
            async with through.begin() as session:
                await add(session, "a")
                async with session.begin_nested():
                    await add(session, "b")
                left = True
                await session.execute(text("select pg_sleep(60)"))
    await stopper
    assert left
    assert await stored(through.engine) == []


@on_postgres
async def test_a_scope_of_anyio_during_release(
    through: AsyncSessionFactory, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GRACE, 30)
    fault = proxy.on("release", "answered", "hang")
    task = asyncio.current_task()
    assert task is not None
    async with through.begin() as session:
        with anyio.CancelScope() as scope:
            stopper = asyncio.create_task(stop_then_release(fault, scope.cancel))
            async with session.begin_nested():
                await add(session, "b")
        await stopper
        assert not scope.cancelled_caught
        assert task.cancelling() == 0
        with anyio.CancelScope() as scope:
            scope.cancel()
            await asyncio.sleep(0)
        assert scope.cancelled_caught
        await add(session, "c")
    assert await stored(through.engine) == ["b", "c"]


@on_postgres
@pytest.mark.parametrize("side", ["sent", "answered"])
async def test_a_release_that_does_not_end(
    through: AsyncSessionFactory, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    """Nobody knows whether it was released: the connection is given up, and all goes back."""
    monkeypatch.setattr(GRACE, 0.05)
    monkeypatch.setattr(PUSH, 0.05)
    fault = proxy.on("release", side, "hang")  # type: ignore[arg-type]

    async def work(session: AsyncSession) -> None:
        async with session.begin_nested():
            await add(session, "b")

    with pytest.raises(TransactionRolledBack, match="nothing was committed"):
        async with through.begin() as session:
            await add(session, "a")
            task = asyncio.create_task(work(session))
            await fault.happens()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(TransactionRolledBack, match="nothing was sent"):
                await add(session, "c")
    proxy.clear()
    assert await stored(through.engine) == []


@pytest.mark.parametrize("inside", ["block", "savepoint"])
async def test_a_scope_of_anyio_around_a_timeout(db: AsyncSessionFactory, inside: str) -> None:
    """The scope is cancelled while the block ends for the timeout; what it asked for, it gets."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    async def wait() -> None:
        limit.reschedule(loop.time())
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            scope.cancel()
            raise

    with anyio.CancelScope() as scope:
        async with asyncio.timeout(60) as limit:
            async with db.begin() as session:
                await add(session, "a")
                if inside == "block":
                    await wait()
                async with session.begin_nested():
                    await wait()
    assert scope.cancelled_caught
    assert task.cancelling() == 0
    assert await stored(db.engine) == []
