"""The factory, the block, and what a session may still do when."""

# A block that fails at its end can only be written inside raises().
# ruff: noqa: PT012
from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.engine import Result, ScalarResult
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

import naked_sqla.om.asession
from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    ConcurrentSessionUse,
    InvalidSessionState,
)

from .._notes import COUNT, Note, checked_out

if True:  # ASYNC
    from .._notes import create, stored

    POSTGRESQL = ["asyncpg", "psycopg"]
    ENDS = [ValueError, KeyboardInterrupt, asyncio.CancelledError]
else:
    from .._notes import create_sync as create
    from .._notes import stored_sync as stored

    POSTGRESQL = ["psycopg"]
    ENDS = [ValueError, KeyboardInterrupt]

    @pytest.fixture
    def engine(sync_engine: AsyncEngine) -> AsyncEngine:
        return sync_engine


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    await create(engine)
    return AsyncSessionFactory(engine)


async def add(session: AsyncSession, words: str) -> None:
    await session.execute(insert(Note), {"text": words})


def test_the_import_path_that_documentation_uses() -> None:
    assert naked_sqla.om.asession.AsyncSessionFactory is AsyncSessionFactory
    assert naked_sqla.om.asession.AsyncSession is AsyncSession
    assert naked_sqla.om.asession.InvalidSessionState is InvalidSessionState


async def test_the_factory_shows_what_it_was_made_of(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)
    assert db.engine is engine
    assert db.auto_commit is True
    assert AsyncSessionFactory(engine, auto_commit=False).auto_commit is False


async def test_execute_tuples_scalars(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        assert session.state == "open"
        assert repr(session) == "<AsyncSession open>"
        assert isinstance(session.conn, AsyncConnection)
        assert session.conn is session.conn
        await session.execute(insert(Note), [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}])
        result = await session.execute(select(Note).order_by(Note.id))
        assert isinstance(result, Result)
        assert [row.Note.text for row in result] == ["a", "b"]
        notes = await session.scalars(select(Note).where(Note.id == 2))
        assert isinstance(notes, ScalarResult)
        assert notes.one().text == "b"
        pairs = await session.tuples(select(Note.id, Note.text).order_by(Note.id))
        assert pairs.all() == [(1, "a"), (2, "b")]
    assert session.state == "closed"
    assert repr(session) == "<AsyncSession closed>"


async def test_results_stay_readable(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.execute(insert(Note), [{"text": "a"}, {"text": "b"}])
        result = await session.scalars(select(Note).order_by(Note.id))
        rows = await session.execute(text("select text from note order by id"))
    assert [note.text for note in result] == ["a", "b"]
    assert rows.scalars().all() == ["a", "b"]


@pytest.mark.parametrize("auto_commit", [True, False])
async def test_a_clean_end(db: AsyncSessionFactory, auto_commit: bool) -> None:
    async with AsyncSessionFactory(db.engine, auto_commit=auto_commit).begin() as session:
        await add(session, "a")
    assert session.state == "closed"
    assert await stored(db.engine) == (["a"] if auto_commit else [])


@pytest.mark.parametrize("auto_commit", [True, False])
@pytest.mark.parametrize("error", ENDS)
async def test_an_exception_rolls_back_and_comes_out(
    db: AsyncSessionFactory, auto_commit: bool, error: type[BaseException]
) -> None:
    raised = error("mine")
    with pytest.raises(error) as caught:
        async with AsyncSessionFactory(db.engine, auto_commit=auto_commit).begin() as session:
            await add(session, "a")
            raise raised
    assert caught.value is raised
    assert session.state == "closed"
    assert await stored(db.engine) == []
    assert checked_out(db.engine) == 0


@pytest.mark.parametrize("auto_commit", [True, False])
async def test_commit_by_hand(db: AsyncSessionFactory, auto_commit: bool) -> None:
    async with AsyncSessionFactory(db.engine, auto_commit=auto_commit).begin() as session:
        await add(session, "a")
        await session.commit()
        assert session.state == "closed"
        assert await stored(db.engine) == ["a"]


@pytest.mark.parametrize("auto_commit", [True, False])
async def test_rollback_by_hand(db: AsyncSessionFactory, auto_commit: bool) -> None:
    async with AsyncSessionFactory(db.engine, auto_commit=auto_commit).begin() as session:
        await add(session, "a")
        await session.rollback()
        assert session.state == "closed"
    assert await stored(db.engine) == []


@pytest.mark.parametrize("end", ["commit", "rollback", "block"])
@pytest.mark.parametrize("call", ["execute", "tuples", "scalars", "commit", "rollback"])
async def test_a_closed_session(db: AsyncSessionFactory, end: str, call: str) -> None:
    async with db.begin() as session:
        await add(session, "a")
        if end != "block":
            await getattr(session, end)()
            await _refused(session, call)
    await _refused(session, call)
    assert await stored(db.engine) == ([] if end == "rollback" else ["a"])


async def _refused(session: AsyncSession, call: str) -> None:
    arguments = () if call in ("commit", "rollback") else (COUNT,)
    with pytest.raises(InvalidSessionState, match=rf"{call}\(\) on a closed session"):
        await getattr(session, call)(*arguments)


async def test_a_block_is_entered_once(db: AsyncSessionFactory) -> None:
    block = db.begin()
    async with block as session:
        with pytest.raises(InvalidSessionState, match="second time"):
            await block.__aenter__()
        await add(session, "a")
    with pytest.raises(InvalidSessionState, match="second time"):
        async with block:
            pass
    assert await stored(db.engine) == ["a"]


async def test_an_exit_stack(db: AsyncSessionFactory) -> None:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(db.begin())
        await add(session, "a")
    assert await stored(db.engine) == ["a"]


async def test_a_connection_that_fails_to_open(db: AsyncSessionFactory) -> None:
    with pytest.raises(Exception, match=r"(?i)isolation"):
        async with db.begin(isolation_level="NONSENSE"):
            pass
    assert checked_out(db.engine) == 0
    async with db.begin() as session:
        await add(session, "a")


@pytest.mark.parametrize("backend", POSTGRESQL, indirect=True)
async def test_options_hold_for_the_block_only(db: AsyncSessionFactory) -> None:
    show = text("select current_setting('transaction_isolation')")
    read_only = text("select current_setting('transaction_read_only')")
    async with db.begin(isolation_level="SERIALIZABLE", postgresql_readonly=True) as session:
        first = await session.execute(text("select pg_backend_pid()"))
        assert (await session.execute(show)).scalar_one() == "serializable"
        assert (await session.execute(read_only)).scalar_one() == "on"
    async with db.begin() as session:
        second = await session.execute(text("select pg_backend_pid()"))
        assert (await session.execute(show)).scalar_one() == "read committed"
        assert (await session.execute(read_only)).scalar_one() == "off"
    assert first.scalar_one() == second.scalar_one()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_options_hold_for_the_block_only_on_sqlite(db: AsyncSessionFactory) -> None:
    pragma = text("PRAGMA read_uncommitted")
    async with db.begin(isolation_level="READ UNCOMMITTED") as session:
        assert (await session.execute(pragma)).scalar_one() == 1
    async with db.begin() as session:
        assert (await session.execute(pragma)).scalar_one() == 0


async def test_execution_options_reach_the_statement(db: AsyncSessionFactory) -> None:
    seen: list[Any] = []

    @event.listens_for(db.engine.sync_engine, "before_cursor_execute")
    def note(conn: Any, cursor: Any, sql: Any, params: Any, context: Any, many: Any) -> None:
        seen.append(context.execution_options.get("mine"))

    async with db.begin() as session:
        await session.execute(COUNT, execution_options={"mine": 1})
        await session.scalars(COUNT, execution_options={"mine": 2})
        await session.tuples(COUNT, execution_options={"mine": 3})
    assert seen == [1, 2, 3]


# ---------------------------------------------------------------- a session on a connection


async def test_built_on_a_connection_it_begins(db: AsyncSessionFactory) -> None:
    async with db.engine.connect() as conn:
        session = AsyncSession(conn)
        assert session.conn is conn
        assert not conn.in_transaction()
        await add(session, "a")
        assert conn.in_transaction()
        await session.commit()
        assert session.state == "closed"
        # The connection is the caller's, and goes on.
        another = AsyncSession(conn)
        await add(another, "b")
        await another.rollback()
        with pytest.raises(InvalidSessionState):
            await another.execute(COUNT)
    assert await stored(db.engine) == ["a"]


async def test_built_on_a_connection_it_joins(db: AsyncSessionFactory) -> None:
    async with db.engine.begin() as conn:
        await conn.execute(insert(Note), {"text": "a"})
        session = AsyncSession(conn)
        assert (await session.execute(COUNT)).scalar_one() == 1
        await add(session, "b")
    assert await stored(db.engine) == ["a", "b"]


async def test_committed_inside_another_transactions_block(db: AsyncSessionFactory) -> None:
    async with db.engine.begin() as conn:
        session = AsyncSession(conn)
        await add(session, "a")
        await session.commit()
    assert await stored(db.engine) == ["a"]


async def test_built_on_a_connection_that_is_not_open(db: AsyncSessionFactory) -> None:
    conn = db.engine.connect()
    if True:  # ASYNC
        with pytest.raises(InvalidSessionState, match="not been started"):
            AsyncSession(conn)
        await conn.start()
    await conn.close()
    with pytest.raises(InvalidSessionState, match="closed"):
        AsyncSession(conn)


async def test_the_connection_ended_by_hand(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await add(session, "a")
        await session.conn.commit()
        await add(session, "b")
    assert await stored(db.engine) == ["a", "b"]


# ---------------------------------------------------------------- one engine, many sessions


if True:  # ASYNC

    async def test_sessions_at_once(db: AsyncSessionFactory) -> None:
        async def work(n: int) -> str:
            async with db.begin() as session:
                return (await session.execute(text(f"select 'n{n}'"))).scalar_one()

        assert await asyncio.gather(*(work(n) for n in range(8))) == [f"n{n}" for n in range(8)]
        assert checked_out(db.engine) == 0


async def test_a_disposed_engine_connects_again(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await add(session, "a")
    await db.engine.dispose()
    async with db.begin() as session:
        assert (await session.execute(COUNT)).scalar_one() == 1
    assert checked_out(db.engine) == 0


async def test_failures_of_the_clean_up_are_logged_by_name(
    db: AsyncSessionFactory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(conn: Any) -> None:
        raise RuntimeError("no rollback today")

    caplog.set_level(logging.WARNING, "naked_sqla")
    with pytest.raises(ZeroDivisionError):
        async with db.begin() as session:
            event.listen(db.engine.sync_engine, "rollback", fails)
            raise ZeroDivisionError
    event.remove(db.engine.sync_engine, "rollback", fails)
    assert session.state == "closed"
    assert checked_out(db.engine) == 0
    assert [r.name for r in caplog.records if "no rollback today" in str(r.exc_info)] == [
        "naked_sqla"
    ]


async def test_a_guard_is_free_after_a_failure(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        with pytest.raises(TypeError):
            await session.execute("select 1")  # type: ignore[call-overload]
        await add(session, "a")
    assert await stored(db.engine) == ["a"]


if True:  # ASYNC

    async def test_a_second_task_is_refused_before_the_database(db: AsyncSessionFactory) -> None:
        sent: list[str] = []

        @event.listens_for(db.engine.sync_engine, "before_cursor_execute")
        def note(conn: Any, cursor: Any, sql: str, params: Any, context: Any, many: Any) -> None:
            sent.append(sql)

        async with db.begin() as session:
            calls = [session.execute(COUNT), session.scalars(COUNT), session.tuples(COUNT)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(a, ConcurrentSessionUse) for a in answers] == [False, True, True]
        assert len(sent) == 1


if True:  # ASYNC

    def test_an_engine_of_two_event_loops() -> None:
        from sqlalchemy.ext.asyncio import create_async_engine

        async def work() -> int:
            await create(engine)
            async with AsyncSessionFactory(engine).begin() as session:
                count: int = (await session.execute(COUNT)).scalar_one()
            return count

        engine = create_async_engine("sqlite+aiosqlite:///:memory:")
        assert asyncio.run(work()) == 0
        assert asyncio.run(work()) == 0
        asyncio.run(engine.dispose())


async def test_a_pool_that_is_empty_for_too_long_says_so(engine: AsyncEngine) -> None:
    """And not that it was cancelled, which is how a timeout ends what it waits for."""
    await create(engine)
    small = create_async_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    db = AsyncSessionFactory(small)
    async with db.begin() as session:
        await session.execute(COUNT)
        with pytest.raises(PoolTimeout, match="limit of size 1 overflow 0 reached"):
            await db.scalars(select(Note))
        with pytest.raises(PoolTimeout, match="limit of size 1 overflow 0 reached"):
            async with db.begin():
                pytest.fail("there is no second connection")
        await add(session, "a")
    assert checked_out(small) == 0
    assert await stored(small) == ["a"]
    await small.dispose()
