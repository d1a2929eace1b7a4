"""``current_session()``: the innermost session of the task, or thread, that asks."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import URL, Engine, QueuePool, create_engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    InvalidSessionState,
    Session,
    SessionFactory,
)
from naked_sqla.sessions.current import Current

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere

only_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def refused(ask: Callable[[], Any]) -> str:
    with pytest.raises(InvalidSessionState, match="current_session") as caught:
        ask()
    return str(caught.value)


@only_sqlite
async def test_the_session_of_the_block(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)
    assert "no block" in refused(db.current_session)
    async with db.begin() as session:
        assert db.current_session() is session
        assert isinstance(db.current_session(), AsyncSession)
        assert await db.current_session().scalar(text("SELECT 1")) == 1
    refused(db.current_session)


@only_sqlite
async def test_the_innermost_one(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)
    async with db.begin() as outer:
        async with db.begin() as inner:
            assert db.current_session() is inner
        assert db.current_session() is outer


@only_sqlite
async def test_each_factory_has_its_own(engine: AsyncEngine) -> None:
    one, other = AsyncSessionFactory(engine), AsyncSessionFactory(engine)
    async with one.begin() as session:
        refused(other.current_session)
        async with other.begin() as second:
            assert one.current_session() is session
            assert other.current_session() is second


@only_sqlite
async def test_a_child_task_has_none(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)

    async def child() -> str:
        return refused(db.current_session)

    async def with_its_own() -> None:
        async with db.begin() as session:
            assert db.current_session() is session
        refused(db.current_session)

    async with db.begin() as session:
        said = await asyncio.create_task(child(), name="the child")
        assert "'the child'" in said
        await asyncio.create_task(with_its_own())
        # the parent's context, run in place, is still the parent's task
        assert contextvars.copy_context().run(db.current_session) is session
        assert db.current_session() is session


@only_sqlite
async def test_no_task_and_no_loop(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)
    async with db.begin():
        said: list[str] = []
        asyncio.get_running_loop().call_soon(lambda: said.append(refused(db.current_session)))
        await asyncio.sleep(0)
        assert "outside of a task" in said[0]
        thread = threading.Thread(target=lambda: said.append(refused(db.current_session)))
        thread.start()
        await asyncio.to_thread(thread.join)
        assert len(said) == 2


@only_sqlite
async def test_blocks_left_in_an_odd_order(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)
    first, second, third = db.begin(), db.begin(), db.begin()
    one = await first.__aenter__()
    two = await second.__aenter__()
    three = await third.__aenter__()
    await second.__aexit__(None, None, None)
    assert db.current_session() is three
    await third.__aexit__(None, None, None)
    assert db.current_session() is one
    assert two.state == "closed"
    await first.__aexit__(None, None, None)
    refused(db.current_session)


@only_sqlite
async def test_a_block_left_in_another_task(engine: AsyncEngine) -> None:
    """Where a context variable could not be set back: its token is of another context."""
    db = AsyncSessionFactory(engine)
    block = db.begin()
    await block.__aenter__()

    async def leave() -> None:
        await block.__aexit__(None, None, None)

    await asyncio.create_task(leave())
    refused(db.current_session)


@only_sqlite
async def test_in_an_async_generator(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)

    @asynccontextmanager
    async def dependency() -> AsyncIterator[AsyncSession]:
        async with db.begin() as session:
            yield session

    async with dependency() as session:
        assert db.current_session() is session
    refused(db.current_session)

    async def rows() -> AsyncIterator[AsyncSession]:
        async with db.begin() as session:
            yield session
            yield session

    generator = rows()
    session = await anext(generator)
    assert db.current_session() is session
    # closed from another task, as the event loop does with one that was forgotten
    await asyncio.create_task(generator.aclose())  # type: ignore[attr-defined]
    refused(db.current_session)


@only_sqlite
async def test_a_session_that_was_committed_is_still_the_one_of_the_block(
    engine: AsyncEngine,
) -> None:
    """The outer one instead would take what belongs to another transaction."""
    db = AsyncSessionFactory(engine)
    async with db.begin(), db.begin() as inner:
        await inner.commit()
        assert db.current_session() is inner


@only_sqlite
async def test_it_holds_nothing_alive(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        kept = weakref.ref(session)
        task = asyncio.create_task(asyncio.sleep(0))
    del session
    gc.collect()
    assert kept() is None
    await task
    assert not db._current._open


async def test_what_nobody_ended_is_not_found_by_who_comes_later() -> None:
    class Owner:
        pass

    current, owner, session = Current(), Owner(), Owner()
    current.enter(owner, session)
    assert current.session_of(owner) is session
    # as if another task got the id of one that is gone
    other = Owner()
    current._open[id(other)] = current._open.pop(id(owner))
    assert current.session_of(other) is None
    mine = current.enter(other, session)
    assert mine is not None
    assert len(current._open[id(other)]) == 1
    assert current.session_of(other) is session
    current.leave(mine)
    current.leave(mine)
    assert not current._open


@only_sqlite
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_a_cancelled_block_is_not_current(
    engine: AsyncEngine, kind: Kind, moment: Moment
) -> None:
    db = AsyncSessionFactory(engine)

    async def use() -> None:
        try:
            async with db.begin() as session:
                assert db.current_session() is session
                await session.scalar(text("SELECT 1"))
        finally:
            refused(db.current_session)

    async def check(run: Run) -> None:
        assert not db._current._open, f"after point {run.point}"

    assert await cancelled_everywhere(use, kind, moment, check) > 0


@only_sqlite
async def test_a_block_that_could_not_be_opened(engine: AsyncEngine) -> None:
    broken = AsyncSessionFactory(create_async_engine("sqlite+aiosqlite:////nowhere/at/all"))
    with pytest.raises(Exception, match="unable to open"):
        async with broken.begin():
            pass
    refused(broken.current_session)
    # the driver's thread, which waits for a connection that there never was
    gc.collect()
    await broken.engine.dispose()


def test_by_thread(sync_engine: Engine) -> None:
    db = SessionFactory(sync_engine)
    said: list[str] = []
    with db.begin() as session:
        assert db.current_session() is session
        assert isinstance(db.current_session(), Session)
        thread = threading.Thread(target=lambda: said.append(refused(db.current_session)), name="t")
        thread.start()
        thread.join()
        assert "thread 't'" in said[0]
        first, second = db.begin(), db.begin()
        one = first.__enter__()
        two = second.__enter__()
        first.__exit__(None, None, None)
        assert db.current_session() is two
        second.__exit__(None, None, None)
        assert one.state == "closed"
        assert db.current_session() is session
    refused(db.current_session)


def test_by_thread_where_it_could_not_be_opened() -> None:
    broken = SessionFactory(create_engine("sqlite:////nowhere/at/all"))
    with pytest.raises(Exception, match="unable to open"), broken.begin():
        pass
    refused(broken.current_session)


def noted(errors: list[Any]) -> str:
    """What the first pool says that gave up."""
    notes = [error.__notes__[0] for error in errors if isinstance(error, PoolTimeout)]
    assert notes, errors
    return max(notes)


async def test_tasks_that_wait_for_each_other(database_url: URL) -> None:
    """Each holds a connection, and waits for a second one."""
    engine = create_async_engine(database_url, pool_size=3, max_overflow=0, pool_timeout=0.2)
    db = AsyncSessionFactory(engine)
    ready = asyncio.Barrier(3)

    async def nested() -> None:
        async with db.begin():
            await ready.wait()
            async with db.begin():
                pass

    errors = await asyncio.gather(*[nested() for _ in range(3)], return_exceptions=True)
    assert noted(errors).startswith("This task has a session open already")
    assert "3 tasks have sessions of this factory open" in noted(errors)
    await engine.dispose()


@only_sqlite
async def test_a_task_that_holds_nothing_waits_as_ever(database_url: URL) -> None:
    engine = create_async_engine(database_url, pool_size=1, max_overflow=0, pool_timeout=0.1)
    db = AsyncSessionFactory(engine)

    async def other() -> None:
        async with db.begin():
            pass

    async with db.begin():
        with pytest.raises(PoolTimeout) as caught:
            await asyncio.create_task(other())
    assert not hasattr(caught.value, "__notes__")
    await engine.dispose()


def test_a_thread_that_waits_for_itself(sync_engine: Engine) -> None:
    engine = create_engine(
        sync_engine.url, poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.1
    )
    db = SessionFactory(engine)
    with db.begin():
        with pytest.raises(PoolTimeout) as caught:
            db.begin().__enter__()
        assert "This thread has a session open already" in noted([caught.value])
    engine.dispose()
