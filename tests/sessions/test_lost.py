"""Transactions that are over before their session is: nothing is said to be stored that is not."""

# A block that fails at its end can only be written inside raises().
# ruff: noqa: PT012
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from naked_sqla import AsyncSession, AsyncSessionFactory, SessionFactory, TransactionRolledBack

from .._notes import COUNT, Base, Note, checked_out, create, create_sync, stored, stored_sync

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)

BOOM = text(
    "CREATE TRIGGER boom BEFORE INSERT ON note WHEN new.text = 'boom' "
    "BEGIN SELECT raise(ROLLBACK, 'boom'); END"
)
LONG = text(
    "INSERT INTO note (text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT 'long' || tick(i) FROM n"
)
MANY = text(LONG.text.replace("FROM n)", "FROM n WHERE i < 5000)").replace("tick(i)", "i"))
OR_ROLLBACK = text("INSERT OR ROLLBACK INTO note (text) VALUES ('a')")
TRIGGER = text("INSERT INTO note (text) VALUES ('boom')")


async def add(session: Any, words: str) -> None:
    await session.execute(insert(Note), {"text": words})


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    await create(engine)
    if engine.dialect.name == "sqlite":
        async with engine.begin() as conn:
            await conn.execute(BOOM)
    return AsyncSessionFactory(engine)


@pytest.fixture
async def memory() -> AsyncIterator[AsyncSessionFactory]:
    engine = create_async_engine("sqlite+aiosqlite:///:memory:")
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(BOOM)
    yield AsyncSessionFactory(engine)
    await engine.dispose()


async def interrupted(session: AsyncSession) -> None:
    """Cancel a write while it runs, and catch the cancellation."""
    running, loop = asyncio.Event(), asyncio.get_running_loop()

    def tick(number: int) -> int:
        if number == 1:
            loop.call_soon_threadsafe(running.set)
        return number

    raw: Any = (await (await session.connection()).get_raw_connection()).driver_connection
    await raw.create_function("tick", 1, tick)
    work = asyncio.create_task(session.execute(LONG))
    await running.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


async def or_rollback(session: AsyncSession) -> None:
    with pytest.raises(IntegrityError):
        await session.execute(OR_ROLLBACK)


async def trigger(session: AsyncSession) -> None:
    with pytest.raises(IntegrityError):
        await session.execute(TRIGGER)


GIVING_UP = [interrupted, or_rollback, trigger]


# ------------------------------------------------------------ SQLite ends it by itself


@on_sqlite
@pytest.mark.parametrize("give_up", GIVING_UP)
async def test_nothing_is_said_to_be_committed(db: AsyncSessionFactory, give_up: Any) -> None:
    with pytest.raises(TransactionRolledBack, match="nothing was committed") as raised:
        async with db.begin() as session:
            await add(session, "a")
            await give_up(session)
            with pytest.raises(TransactionRolledBack, match="nothing was sent") as refused:
                await add(session, "b")
    assert isinstance(raised.value.__cause__, OperationalError | IntegrityError)
    assert refused.value.__cause__ is raised.value.__cause__
    assert await stored(db.engine) == []
    assert checked_out(db.engine) == 0
    async with db.begin() as session:
        await add(session, "c")
    assert await stored(db.engine) == ["c"]


@on_sqlite
@pytest.mark.parametrize("give_up", GIVING_UP)
async def test_by_hand(db: AsyncSessionFactory, give_up: Any) -> None:
    async with db.begin() as session:
        await add(session, "a")
        await give_up(session)
        with pytest.raises(TransactionRolledBack, match="nothing was committed"):
            await session.commit()
    async with db.begin() as session:
        await add(session, "a")
        await give_up(session)
        await session.rollback()
    with pytest.raises(ZeroDivisionError):
        async with db.begin() as session:
            await add(session, "a")
            await give_up(session)
            raise ZeroDivisionError
    assert await stored(db.engine) == []


@on_sqlite
@pytest.mark.parametrize("give_up", GIVING_UP)
async def test_inside_a_savepoint(db: AsyncSessionFactory, give_up: Any) -> None:
    with pytest.raises(TransactionRolledBack, match="nothing was committed"):
        async with db.begin() as session:
            await add(session, "a")
            with pytest.raises(TransactionRolledBack, match="nothing since the savepoint was kept"):
                async with session.begin_nested():
                    await add(session, "b")
                    await give_up(session)
            with pytest.raises(TransactionRolledBack, match="nothing was sent"):
                await add(session, "c")
            with pytest.raises(TransactionRolledBack, match="nothing was sent"):
                async with session.begin_nested():
                    await add(session, "d")
    assert await stored(db.engine) == []


@on_sqlite
async def test_an_error_leaves_a_savepoint(
    db: AsyncSessionFactory, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(TransactionRolledBack, match="nothing was committed"):
        async with db.begin() as session:
            await add(session, "a")
            with pytest.raises(IntegrityError):
                async with session.begin_nested():
                    await session.execute(OR_ROLLBACK)
            with pytest.raises(TransactionRolledBack, match="nothing was sent"):
                await add(session, "c")
    assert await stored(db.engine) == []
    assert caplog.records == []


@pytest.mark.parametrize("give_up", GIVING_UP)
async def test_in_memory(memory: AsyncSessionFactory, give_up: Any) -> None:
    with pytest.raises(TransactionRolledBack, match="nothing was committed"):
        async with memory.begin() as session:
            await add(session, "a")
            await give_up(session)
            with pytest.raises(TransactionRolledBack, match="nothing was sent"):
                await add(session, "b")
    async with memory.begin() as session:
        await add(session, "c")
    assert await stored(memory.engine) == ["c"]


@on_sqlite
async def test_a_session_that_is_built_by_hand(db: AsyncSessionFactory) -> None:
    async with db.engine.connect() as conn:
        session = AsyncSession(conn)
        await add(session, "a")
        await or_rollback(session)
        with pytest.raises(TransactionRolledBack, match="nothing was sent"):
            await add(session, "b")
        with pytest.raises(TransactionRolledBack, match="nothing was committed"):
            await session.commit()
    assert await stored(db.engine) == []


@on_sqlite
async def test_a_full_disk(db: AsyncSessionFactory) -> None:
    """SQLite decides whether a full disk ends the transaction; the session follows it."""
    async with db.engine.connect() as conn:
        raw: Any = (await conn.get_raw_connection()).driver_connection
        await conn.execute(text("PRAGMA max_page_count = 4"))
        session = AsyncSession(conn)
        await add(session, "a")
        with pytest.raises(OperationalError, match="full"):
            await session.execute(MANY)
        gone = not raw.in_transaction
        if gone:
            with pytest.raises(TransactionRolledBack):
                await session.commit()
        else:
            await session.commit()
    assert await stored(db.engine) == ([] if gone else ["a"])


@on_sqlite
async def test_a_stream_that_ends_it(db: AsyncSessionFactory) -> None:
    with pytest.raises(TransactionRolledBack, match="nothing was committed"):
        async with db.begin() as session:
            await add(session, "a")
            with pytest.raises(IntegrityError):
                await session.stream(text(f"{OR_ROLLBACK.text} RETURNING id"))
    assert await stored(db.engine) == []


@on_sqlite
async def test_a_failure_that_ends_nothing(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        # no transaction has begun: none is lost
        with pytest.raises(OperationalError):
            await session.execute(text("SELECT nothing FROM nowhere"))
        await add(session, "a")
        with pytest.raises(IntegrityError):
            await add(session, "a")
        with pytest.raises(OperationalError):
            await session.execute(text("SELECT nothing FROM nowhere"))
        await add(session, "b")
    async with db.begin() as session:
        # the statement that begins the transaction ends it too: nothing else was in it
        with pytest.raises(IntegrityError):
            await session.execute(TRIGGER)
        await add(session, "c")
    assert await stored(db.engine) == ["a", "b", "c"]


@on_sqlite
async def test_a_snapshot_that_was_begun_by_hand(db: AsyncSessionFactory) -> None:
    with pytest.raises(TransactionRolledBack, match="nothing was committed"):
        async with db.begin() as session:
            await session.execute(text("BEGIN IMMEDIATE"))
            with pytest.raises(IntegrityError):
                await session.execute(TRIGGER)
            with pytest.raises(TransactionRolledBack, match="nothing was sent"):
                await session.scalar(COUNT)


@pytest.fixture(params=["file", "memory"])
def sync_db(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[SessionFactory]:
    engine: Engine
    if request.param == "file":
        engine = create_engine(f"sqlite:///{tmp_path}/test.sqlite")
    else:
        engine = create_engine("sqlite://", poolclass=StaticPool)
    create_sync(engine)
    with engine.begin() as conn:
        conn.execute(BOOM)
    yield SessionFactory(engine)
    engine.dispose()


@pytest.mark.parametrize("statement", [OR_ROLLBACK, TRIGGER])
def test_sync(sync_db: SessionFactory, statement: Any) -> None:
    with pytest.raises(TransactionRolledBack, match="nothing was committed"):  # noqa: SIM117
        with sync_db.begin() as session:
            session.execute(insert(Note), {"text": "a"})
            with pytest.raises(IntegrityError):
                session.execute(statement)
            with pytest.raises(TransactionRolledBack, match="nothing was sent"):
                session.execute(insert(Note), {"text": "b"})
    with pytest.raises(TransactionRolledBack, match="nothing was committed"):  # noqa: SIM117
        with sync_db.begin() as session:
            session.execute(insert(Note), {"text": "a"})
            with pytest.raises(TransactionRolledBack, match="the savepoint"):  # noqa: SIM117
                with session.begin_nested():
                    with pytest.raises(IntegrityError):
                        session.execute(statement)
            with pytest.raises(TransactionRolledBack, match="nothing was sent"):
                session.stream(select(Note))
    assert stored_sync(sync_db.engine) == []


# ------------------------------------------------------------ the connection is lost


SLEEP = text("SELECT pg_sleep(60)")


async def cancelled(session: AsyncSession) -> None:
    """A statement whose cancellation is caught."""
    work = asyncio.create_task(session.execute(SLEEP))
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


async def killed(session: AsyncSession) -> None:
    """A statement whose backend ends."""
    with pytest.raises(DBAPIError):
        await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


@on_postgres
@pytest.mark.parametrize("give_up", [cancelled, killed])
async def test_a_lost_connection(db: AsyncSessionFactory, give_up: Any) -> None:
    with pytest.raises(TransactionRolledBack, match="nothing was committed") as raised:
        async with db.begin() as session:
            await add(session, "a")
            await give_up(session)
            with pytest.raises(TransactionRolledBack, match="nothing was sent") as refused:
                await add(session, "b")
            with pytest.raises(TransactionRolledBack, match="nothing was sent"):
                await session.stream(select(Note))
            with pytest.raises(TransactionRolledBack, match="nothing was sent"):
                async with session.begin_nested():
                    await add(session, "c")
    cause = refused.value.__cause__
    assert cause is raised.value.__cause__
    assert isinstance(cause, asyncio.CancelledError | DBAPIError)
    assert await stored(db.engine) == []
    assert checked_out(db.engine) == 0


@on_postgres
@pytest.mark.parametrize("give_up", [cancelled, killed])
async def test_a_connection_that_is_lost_in_a_savepoint(
    db: AsyncSessionFactory, give_up: Any
) -> None:
    with pytest.raises(TransactionRolledBack, match="nothing was committed"):
        async with db.begin() as session:
            await add(session, "a")
            with pytest.raises(TransactionRolledBack, match="nothing since the savepoint was kept"):
                async with session.begin_nested():
                    await give_up(session)
            with pytest.raises(TransactionRolledBack, match="nothing was sent"):
                await add(session, "b")
    assert await stored(db.engine) == []


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
def test_sync_a_lost_connection(sync_engine: Engine) -> None:
    create_sync(sync_engine)
    db = SessionFactory(sync_engine)
    with pytest.raises(TransactionRolledBack, match="nothing was committed"):  # noqa: SIM117
        with db.begin() as session:
            session.execute(insert(Note), {"text": "a"})
            with pytest.raises(OperationalError):
                session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            with pytest.raises(TransactionRolledBack, match="nothing was sent"):
                session.execute(insert(Note), {"text": "b"})
    assert stored_sync(sync_engine) == []
