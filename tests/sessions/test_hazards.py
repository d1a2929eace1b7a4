"""Cases that go wrong in silence with `engine.begin()`, and what is promised for each."""

# A block that fails at its end can only be written inside raises().
# ruff: noqa: PT012
from __future__ import annotations

import asyncio
import logging

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    ConcurrentSessionUse,
    InvalidSessionState,
    TransactionRolledBack,
)

from .._notes import COUNT, Note, checked_out, create, stored

on_postgres = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    await create(engine)
    return AsyncSessionFactory(engine)


async def add(session: AsyncSession, words: str) -> None:
    await session.execute(insert(Note), {"text": words})


@pytest.fixture
async def memory() -> AsyncEngine:
    return create_async_engine("sqlite+aiosqlite:///:memory:")


# 1 -------------------------------------------------------------------------------------------


@on_postgres
async def test_1_swallowed_failure_at_the_end_of_the_block(db: AsyncSessionFactory) -> None:
    with pytest.raises(TransactionRolledBack, match="nothing was committed") as raised:
        async with db.begin() as session:
            await add(session, "a")
            with pytest.raises(IntegrityError) as swallowed:
                await add(session, "a")
    assert raised.value.__cause__ is swallowed.value
    assert session.state == "closed"
    assert await stored(db.engine) == []
    assert checked_out(db.engine) == 0


@on_postgres
async def test_1_swallowed_failure_and_commit_by_hand(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await add(session, "a")
        with pytest.raises(IntegrityError) as swallowed:
            await add(session, "a")
        # The echo of the failure is not what is to blame.
        with pytest.raises(DBAPIError, match="current transaction is aborted"):
            await session.execute(COUNT)
        with pytest.raises(TransactionRolledBack) as raised:
            await session.commit()
        assert raised.value.__cause__ is swallowed.value
        assert session.state == "closed"
    assert await stored(db.engine) == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_1_sqlite_keeps_the_transaction(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await add(session, "a")
        with pytest.raises(IntegrityError):
            await add(session, "a")
    assert await stored(db.engine) == ["a"]


@on_postgres
async def test_1_normal_path_asks_nothing(
    db: AsyncSessionFactory, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "sqlalchemy.engine"):
        async with db.begin() as session:
            await add(session, "a")
    statements = [r.message for r in caplog.records if not r.message.startswith("[")]
    assert [s.split()[0] for s in statements] == ["BEGIN", "INSERT", "COMMIT"]


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
async def test_1_swallowed_failure_on_the_connection(db: AsyncSessionFactory) -> None:
    with pytest.raises(TransactionRolledBack):
        async with db.begin() as session:
            await add(session, "a")
            with pytest.raises(IntegrityError):
                await session.conn.execute(insert(Note), {"text": "a"})
    assert await stored(db.engine) == []


@on_postgres
async def test_1_auto_commit_off_has_nothing_to_tell(db: AsyncSessionFactory) -> None:
    async with AsyncSessionFactory(db.engine, auto_commit=False).begin() as session:
        with pytest.raises(DBAPIError):
            await session.execute(text("select nonsense"))
    assert await stored(db.engine) == []


# 2 -------------------------------------------------------------------------------------------


async def test_2_what_was_acknowledged_is_stored(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        answers = await asyncio.gather(
            *(add(session, f"a{n}") for n in range(5)),
            session.commit(),
            *(add(session, f"b{n}") for n in range(3)),
            return_exceptions=True,
        )
    assert [type(answer) for answer in answers[1:]] == [ConcurrentSessionUse] * 8
    assert answers[0] is None
    assert await stored(db.engine) == ["a0"]
    assert checked_out(db.engine) == 0


async def test_2_names_both_tasks(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        first = asyncio.create_task(add(session, "a"), name="first")
        second = asyncio.create_task(session.commit(), name="second")
        with pytest.raises(ConcurrentSessionUse, match=r"task 'second' .* task 'first' is inside"):
            await second
        await first
    assert await stored(db.engine) == ["a"]


async def test_2_commit_first_then_inserts(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await add(session, "a")
        answers = await asyncio.gather(
            session.commit(), add(session, "b"), session.rollback(), return_exceptions=True
        )
    assert [type(a) for a in answers] == [type(None), ConcurrentSessionUse, ConcurrentSessionUse]
    assert await stored(db.engine) == ["a"]


async def test_2_block_left_while_a_task_is_inside(db: AsyncSessionFactory) -> None:
    with pytest.raises(ConcurrentSessionUse, match=r"'straggler'.*rolled back"):
        async with db.begin() as session:
            straggler = asyncio.create_task(add(session, "a"), name="straggler")
            await asyncio.sleep(0)
    # Its statement came to its end on an open connection.
    assert straggler.done()
    assert straggler.exception() is None
    assert await stored(db.engine) == []
    assert checked_out(db.engine) == 0


async def test_2_own_error_comes_out_while_a_task_is_inside(db: AsyncSessionFactory) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.begin() as session:
            straggler = asyncio.create_task(add(session, "a"))
            await asyncio.sleep(0)
            raise ZeroDivisionError
    assert straggler.done()
    assert await stored(db.engine) == []
    assert checked_out(db.engine) == 0


# 4, 5 ----------------------------------------------------------------------------------------


async def test_4_a_cancelled_select_leaves_the_memory_database(memory: AsyncEngine) -> None:
    await create(memory)
    db = AsyncSessionFactory(memory)
    async with db.begin() as session:
        await add(session, "kept")
    endless = text(
        "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
    )

    async def never_ends() -> None:
        async with db.begin() as session:
            await add(session, "lost")
            running.set()
            await session.execute(endless)

    running = asyncio.Event()
    task = asyncio.create_task(never_ends())
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with db.begin() as session:
        assert (await session.scalars(select(Note.text))).all() == ["kept"]
    await memory.dispose()


async def test_5_memory_sessions_take_turns(memory: AsyncEngine) -> None:
    await create(memory)
    order: list[str] = []

    async def work(name: str) -> None:
        # Turns hold across factories.
        async with AsyncSessionFactory(memory).begin() as session:
            order.append(f"{name} in")
            await add(session, name)
            await asyncio.sleep(0)
            order.append(f"{name} out")
            if name == "b":
                raise ZeroDivisionError

    answers = await asyncio.gather(*(work(name) for name in "abc"), return_exceptions=True)
    assert order == ["a in", "a out", "b in", "b out", "c in", "c out"]
    assert [type(answer) for answer in answers] == [type(None), ZeroDivisionError, type(None)]
    assert await stored(memory) == ["a", "c"]
    await memory.dispose()


async def test_5_second_session_inside_the_first(memory: AsyncEngine) -> None:
    await create(memory)
    db = AsyncSessionFactory(memory)
    async with db.begin() as session:
        with pytest.raises(InvalidSessionState, match="file::memory:"):
            async with db.begin():
                pass
        await add(session, "a")
    async with db.begin() as session:
        assert (await session.execute(COUNT)).scalar_one() == 1
    await memory.dispose()


async def test_5_a_cancelled_waiter_leaves_the_queue(memory: AsyncEngine) -> None:
    await create(memory)
    db = AsyncSessionFactory(memory)

    async def work(name: str) -> None:
        async with db.begin() as session:
            await add(session, name)

    async with db.begin() as session:
        waiters = [asyncio.create_task(work(name)) for name in "abcd"]
        await asyncio.sleep(0)
        waiters[0].cancel()
        waiters[2].cancel()
        await add(session, "first")
    # The turn has just been given to b: it is cancelled before it runs.
    waiters[1].cancel()
    answers = await asyncio.gather(*waiters, return_exceptions=True)
    assert [type(a) for a in answers] == [asyncio.CancelledError] * 3 + [type(None)]
    assert await stored(memory) == ["d", "first"]
    await memory.dispose()


# 7, 18, 19 -----------------------------------------------------------------------------------


async def test_7_commit_after_the_block(db: AsyncSessionFactory) -> None:
    async with AsyncSessionFactory(db.engine, auto_commit=False).begin() as session:
        await add(session, "a")
    assert session.state == "closed"
    with pytest.raises(InvalidSessionState, match="commit"):
        await session.commit()
    assert await stored(db.engine) == []


async def test_18_commit_then_execute(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await add(session, "a")
        await session.commit()
        with pytest.raises(InvalidSessionState, match="execute"):
            await add(session, "b")
    assert await stored(db.engine) == ["a"]


async def test_19_commit_then_raise(db: AsyncSessionFactory) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.begin() as session:
            await add(session, "a")
            await session.commit()
            raise ZeroDivisionError
    assert await stored(db.engine) == ["a"]


# 8 -------------------------------------------------------------------------------------------


async def test_8_autocommit_is_refused(engine: AsyncEngine) -> None:
    by_option = AsyncSessionFactory(engine.execution_options(isolation_level="AUTOCOMMIT"))
    with pytest.raises(InvalidSessionState, match="AUTOCOMMIT"):
        by_option.begin()
    with pytest.raises(InvalidSessionState, match="AUTOCOMMIT"):
        AsyncSessionFactory(engine).begin(isolation_level="AUTOCOMMIT")
    created = create_async_engine(engine.url, isolation_level="AUTOCOMMIT")
    with pytest.raises(InvalidSessionState, match="AUTOCOMMIT"):
        AsyncSessionFactory(created).begin()
    async with created.connect() as conn:
        with pytest.raises(InvalidSessionState, match="AUTOCOMMIT"):
            AsyncSession(conn)
    # Another level for the block is a transaction again.
    async with by_option.begin(isolation_level="SERIALIZABLE") as session:
        await session.execute(text("select 1"))
    await created.dispose()


# 12, 13 --------------------------------------------------------------------------------------


@on_postgres
async def test_12_the_callers_error_wins_over_a_failing_rollback(
    db: AsyncSessionFactory, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.begin() as session:
            await add(session, "a")
            backend = (await session.execute(text("select pg_backend_pid()"))).scalar_one()
            async with db.engine.connect() as other:
                await other.execute(text(f"select pg_terminate_backend({backend}, 5000)"))
            raise ZeroDivisionError
    assert session.state == "closed"
    assert any(record.name == "naked_sqla" for record in caplog.records)
    assert checked_out(db.engine) == 0
    assert await stored(db.engine) == []


@on_postgres
async def test_12_a_swallowed_disconnect_is_no_commit(db: AsyncSessionFactory) -> None:
    with pytest.raises(TransactionRolledBack) as raised:
        async with db.begin() as session:
            await add(session, "a")
            backend = (await session.execute(text("select pg_backend_pid()"))).scalar_one()
            async with db.engine.connect() as other:
                await other.execute(text(f"select pg_terminate_backend({backend}, 5000)"))
            with pytest.raises(DBAPIError) as swallowed:
                await session.execute(COUNT)
    assert raised.value.__cause__ is swallowed.value
    assert await stored(db.engine) == []


async def _deferred(engine: AsyncEngine) -> None:
    """A reference that is checked by COMMIT, and by nothing before."""
    async with engine.begin() as conn:
        if engine.dialect.name == "sqlite":
            await conn.execute(text("PRAGMA foreign_keys = ON"))
        await conn.execute(
            text(
                "create table reply (id integer primary key, note_id integer"
                " references note (id) deferrable initially deferred)"
            )
        )


@on_postgres
async def test_13_a_failing_commit_that_is_caught(db: AsyncSessionFactory) -> None:
    await _deferred(db.engine)
    async with db.begin() as session:
        await session.execute(text("insert into reply values (1, 99)"))
        with pytest.raises(IntegrityError):
            await session.commit()
        assert session.state == "closed"
    assert checked_out(db.engine) == 0


@on_postgres
async def test_13_a_failing_commit_at_the_end(db: AsyncSessionFactory) -> None:
    await _deferred(db.engine)
    with pytest.raises(IntegrityError):
        async with db.begin() as session:
            await session.execute(text("insert into reply values (1, 99)"))
    assert session.state == "closed"
    assert checked_out(db.engine) == 0
    async with db.begin() as session:
        assert (await session.execute(text("select count(*) from reply"))).scalar_one() == 0


# 23, 24 --------------------------------------------------------------------------------------


async def test_23_a_nested_begin_is_another_transaction(db: AsyncSessionFactory) -> None:
    async with db.begin() as outer:
        await add(outer, "outer")
        async with db.begin() as inner:
            assert (await inner.execute(COUNT)).scalar_one() == 0
        assert (await outer.execute(COUNT)).scalar_one() == 1
    assert await stored(db.engine) == ["outer"]


async def test_24_a_violation_inside_a_savepoint(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await add(session, "a")
        with pytest.raises(IntegrityError):
            async with session.conn.begin_nested():
                await add(session, "a")
        await add(session, "b")
    assert await stored(db.engine) == ["a", "b"]


async def test_24_a_savepoint_and_commit_by_hand(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await add(session, "a")
        with pytest.raises(IntegrityError):
            async with session.conn.begin_nested():
                await add(session, "a")
        await session.commit()
    assert await stored(db.engine) == ["a"]
