"""A connection that is not idle never goes back to the pool: the next session reads its own rows.

psycopg sends a list of parameters through a pipeline.  One that is torn stays open, and answers the
next statements with what was asked before them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any

import psycopg
import pytest
from sqlalchemy import (
    URL,
    Engine,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from naked_sqla import AsyncSession, AsyncSessionFactory, SessionFactory
from naked_sqla.testing import sandbox

from .._cancelling import VARIANTS, Kind, Moment, cancelled_at
from .._notes import Base, Note, checked_out, create

TABLE: Table = Note.__table__  # type: ignore[assignment]
INSERT = insert(TABLE)
UPDATE = update(TABLE).where(TABLE.c.id == bindparam("key")).values(text=bindparam("new"))
ROWS = [{"id": i, "text": f"new {i}"} for i in range(4)]
NEWS = [{"key": i, "new": f"newer {i}"} for i in range(4)]
ANSWER = text("SELECT 4711")

ONE: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 5}


@pytest.fixture
async def one(database_url: URL) -> AsyncIterator[AsyncEngine]:
    """An engine whose sessions get the same connection one after another."""
    engine = create_async_engine(database_url, **ONE)
    await create(engine)
    yield engine
    await engine.dispose()


async def in_block(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.execute(INSERT, ROWS)
        await session.execute(UPDATE, NEWS)


async def in_savepoint(db: AsyncSessionFactory) -> None:
    async with db.begin() as session, session.begin_nested():
        await session.execute(INSERT, ROWS)


async def rolled_back(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.execute(INSERT, ROWS)
        await session.rollback()


async def in_one_call(db: AsyncSessionFactory) -> None:
    await db.execute(INSERT, ROWS)


async def by_object(db: AsyncSessionFactory) -> None:
    await db.insert_all([Note(**row) for row in ROWS])


async def reading(db: AsyncSessionFactory) -> None:
    async with db.read() as session:
        await session.scalars(select(Note))
    await db.scalars(select(Note))


async def in_sandbox(db: AsyncSessionFactory) -> None:
    async with sandbox(db) as box:
        await box.execute(INSERT, ROWS)
        await box.execute(UPDATE, NEWS)


async def on_two_databases(db: AsyncSessionFactory) -> None:
    other = create_async_engine(db.engine.url, **ONE)
    both = AsyncSessionFactory(db.engine, binds={"other": other})
    try:
        async with both.begin() as session:
            await session.execute(INSERT, ROWS)
            await session.connection("other")
    finally:
        await asyncio.shield(other.dispose())


async def swallowed(db: AsyncSessionFactory) -> None:
    """What goes on after a cancellation gets the right answer, or an error."""
    async with db.begin() as session:
        try:
            await session.execute(INSERT, ROWS)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                assert await session.scalar(ANSWER) == 4711
            raise


WAYS = [
    in_block,
    in_savepoint,
    rolled_back,
    in_one_call,
    by_object,
    reading,
    in_sandbox,
    swallowed,
]
Way = Callable[[AsyncSessionFactory], Awaitable[None]]


async def answers(db: AsyncSessionFactory) -> None:
    """Raise unless the next sessions work, and read what they have asked for."""
    assert checked_out(db.engine) == 0
    assert await db.scalar(ANSWER) == 4711
    async with db.begin() as session:
        assert await session.scalar(ANSWER) == 4711
        await session.execute(delete(Note))
        assert await session.scalar(text("SELECT 4712")) == 4712


async def cancel_everywhere(
    db: AsyncSessionFactory,
    way: Way,
    kind: Kind,
    moment: Moment,
    around: Callable[[], AbstractAsyncContextManager[None]] = contextlib.nullcontext,
) -> None:
    async def make() -> None:
        await way(db)

    # psycopg does not wait for an answer that is there already: its points come and go
    missed, point = 0, 0
    while missed < (3 if db.engine.driver == "psycopg" else 1):
        point += 1
        async with around():
            run = await cancelled_at(point, kind, moment, make)
        # the caller sees the cancellation, and no error of the driver in its place
        assert run.as_asked, run
        await answers(db)
        missed += not run.reached
    assert point > 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("kind", "moment"), [("task", "pending"), ("scope", "done")])
async def test_cancelled_anywhere(one: AsyncEngine, kind: Kind, moment: Moment, way: Way) -> None:
    await cancel_everywhere(AsyncSessionFactory(one), way, kind, moment)


@pytest.mark.parametrize(("kind", "moment"), [("task", "pending"), ("scope", "done")])
async def test_by_hand_cancelled_anywhere(one: AsyncEngine, kind: Kind, moment: Moment) -> None:
    conns: list[AsyncConnection] = []

    # SQLAlchemy's own, and not cancelled: its 2.0.40 loses a cancellation while it opens one, and
    # closes it a moment after the cancelled task has ended
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        async with one.connect() as conn:
            conns.append(conn)
            yield

    async def by_hand(_: AsyncSessionFactory) -> None:
        session = AsyncSession(conns.pop())
        await session.execute(INSERT, ROWS)
        await session.rollback()

    await cancel_everywhere(AsyncSessionFactory(one), by_hand, kind, moment, opened)


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_two_databases_cancelled_anywhere(one: AsyncEngine) -> None:
    await cancel_everywhere(AsyncSessionFactory(one), on_two_databases, "task", "pending")


@pytest.mark.parametrize("way", [in_block, in_one_call])
async def test_cancelled_after_any_number_of_turns(one: AsyncEngine, way: Way) -> None:
    db = AsyncSessionFactory(one)
    for turns in range(41):
        task = asyncio.ensure_future(way(db))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await answers(db)


async def left_open(raw: Any, driver: str) -> None:
    """Leave the driver's connection in a state that SQLAlchemy does not know of."""
    if driver == "psycopg":
        raw.pgconn.enter_pipeline_mode()
    else:
        await raw.execute("BEGIN")


@pytest.mark.parametrize("reset", ["rollback", None])
@pytest.mark.parametrize("way", ["block", "raising", "sandbox"])
async def test_left_open_by_hand(
    database_url: URL, one: AsyncEngine, backend: str, way: str, reset: Any
) -> None:
    engine = create_async_engine(database_url, **ONE, pool_reset_on_return=reset)
    db = AsyncSessionFactory(engine)
    box: Any = sandbox(db) if way == "sandbox" else contextlib.nullcontext(db)
    # the end of a sandbox says that its rollback failed
    with contextlib.suppress(ValueError, DBAPIError):
        async with box as factory, factory.begin() as session:
            conn = session.conn
            raw = (await conn.get_raw_connection()).driver_connection
            await session.scalar(ANSWER)
            if way == "block":
                await session.commit()
            else:
                await conn.rollback() if way == "raising" else None
            if way != "sandbox" or backend == "psycopg":
                await left_open(raw, backend)
            if way == "raising":
                raise ValueError
    await answers(db)
    await engine.dispose()


async def test_a_memory_database_is_kept() -> None:
    engine = create_async_engine("sqlite+aiosqlite://", pool_reset_on_return=None)
    db = AsyncSessionFactory(engine)
    await create(engine)
    async with db.begin() as session:
        raw: Any = (await session.conn.get_raw_connection()).driver_connection
        await session.execute(INSERT, ROWS)
        await session.commit()
        await raw.execute("BEGIN")
    assert not raw.in_transaction
    assert len((await db.scalars(select(Note.id))).all()) == 4
    await engine.dispose()


class Interrupted(psycopg.Connection[Any]):
    """A connection whose user presses Ctrl-C at the k-th wait for the server."""

    left = 0

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        Interrupted.left -= 1
        if Interrupted.left == 0:
            gen = self._interrupted(gen)
        return super().wait(gen, *args, **kwargs)

    @staticmethod
    def _interrupted(gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        next(gen, None)
        with contextlib.suppress(psycopg.Error):
            gen.close()
        raise KeyboardInterrupt
        yield


def sync_block(db: SessionFactory) -> None:
    with db.begin() as session:
        session.execute(INSERT, ROWS)


def sync_swallowed(db: SessionFactory) -> None:
    with db.begin() as session:
        try:
            session.execute(INSERT, ROWS)
        except BaseException:
            with contextlib.suppress(Exception):
                assert session.scalar(ANSWER) == 4711
            raise


def sync_one_call(db: SessionFactory) -> None:
    db.execute(INSERT, ROWS)


def sync_sandbox(db: SessionFactory) -> None:
    with sandbox(db) as box:
        box.execute(INSERT, ROWS)


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
@pytest.mark.parametrize("way", [sync_block, sync_swallowed, sync_one_call, sync_sandbox])
def test_interrupted_anywhere(
    sync_engine: Engine, way: Callable[[SessionFactory], None], caplog: pytest.LogCaptureFixture
) -> None:
    Base.metadata.create_all(sync_engine)
    engine = create_engine(sync_engine.url, **ONE)

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, args: Any, kwargs: Any) -> Any:
        return Interrupted.connect(*args, **kwargs)

    db = SessionFactory(engine)
    for point in range(1, 100):
        db.scalar(ANSWER)
        Interrupted.left = point
        with contextlib.suppress(KeyboardInterrupt, AssertionError, DBAPIError):
            way(db)
        reached = Interrupted.left <= 0
        Interrupted.left = 0
        assert checked_out(engine) == 0
        with db.begin() as session:
            assert session.scalar(ANSWER) == 4711
            session.execute(delete(Note))
            assert session.scalar(text("SELECT 4712")) == 4712
        if not reached:
            break
    assert point > 5
    engine.dispose()


@pytest.mark.parametrize("way", [in_block, in_one_call, reading, in_savepoint, in_sandbox])
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_no_alarm(
    one: AsyncEngine, kind: Kind, moment: Moment, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    """What a cancellation leads to is no matter for whoever reads the log."""
    caplog.set_level(logging.WARNING)
    await cancel_everywhere(AsyncSessionFactory(one), way, kind, moment)
    assert not [(record.name, record.getMessage()) for record in caplog.records]
