"""naked_sqla.testing.sandbox(): what an application commits is there, and gone afterwards."""

# A block that fails at its end can only be written inside raises().
# ruff: noqa: PT012
from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    InvalidSessionState,
    SessionFactory,
    TransactionRolledBack,
    UnsupportedOption,
)
from naked_sqla.testing import sandbox

from .._notes import COUNT, Base, Note, checked_out, create, stored, stored_sync


@pytest.fixture
async def real(engine: AsyncEngine) -> AsyncSessionFactory:
    await create(engine)
    return AsyncSessionFactory(engine)


@pytest.fixture
async def db(real: AsyncSessionFactory) -> AsyncIterator[AsyncSessionFactory]:
    async with sandbox(real, patience=60) as boxed:
        yield boxed
    assert checked_out(real.engine) == 0
    assert await stored(real.engine) == []


def note(words: str) -> Any:
    return insert(Note).values(text=words)


async def texts(db: AsyncSessionFactory | AsyncSession) -> list[str]:
    return list((await db.scalars(select(Note.text).order_by(Note.text))).all())


async def test_what_is_committed_is_seen_and_gone_afterwards(db: AsyncSessionFactory) -> None:
    assert isinstance(db, AsyncSessionFactory)
    async with db.begin() as session:
        assert session.state == "open"
        assert session.in_transaction()
        await session.execute(note("a"))
    assert session.state == "closed"
    assert not session.in_transaction()
    async with db.begin() as session:
        assert await texts(session) == ["a"]
        await session.execute(note("b"))
        await session.commit()
        with pytest.raises(InvalidSessionState):
            await session.execute(COUNT)
    async with db.begin() as session:
        await session.execute(note("c"))
        await session.rollback()
    await db.execute(note("d"))
    assert await texts(db) == ["a", "b", "d"]


async def test_outcomes_are_as_without_a_sandbox(db: AsyncSessionFactory) -> None:
    block = db.begin()
    assert block.outcome == "open"
    async with block as session:
        await session.execute(note("a"))
        assert session.outcome == "open"
    assert session.outcome == block.outcome == "committed"
    async with db.begin() as session:
        await session.rollback()
    assert session.outcome == "rolled_back"
    with pytest.raises(InvalidSessionState, match="wrote while another one"):
        async with db.begin() as session, db.begin() as inner:
            await session.execute(note("b"))
            await inner.rollback()
    assert session.outcome == "rolled_back"


async def test_an_error_undoes_its_session_only(db: AsyncSessionFactory) -> None:
    await db.execute(note("a"))
    with pytest.raises(ZeroDivisionError):
        async with db.begin() as session:
            await session.execute(note("b"))
            raise ZeroDivisionError
    with pytest.raises(IntegrityError):
        async with db.begin() as session:
            await session.execute(note("c"))
            await session.execute(note("a"))
    with pytest.raises(IntegrityError):
        await db.execute(note("a"))
    await db.execute(note("e"))
    assert await texts(db) == ["a", "e"]


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_a_swallowed_error_fails_the_commit(db: AsyncSessionFactory) -> None:
    await db.execute(note("a"))
    with pytest.raises(TransactionRolledBack):
        async with db.begin() as session:
            with pytest.raises(IntegrityError):
                await session.execute(note("a"))
    assert await texts(db) == ["a"]


async def test_savepoints_of_the_application(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.execute(note("a"))
        with pytest.raises(ZeroDivisionError):
            async with session.begin_nested():
                await session.execute(note("b"))
                raise ZeroDivisionError
        async with session.begin_nested():
            await session.execute(note("c"))
    assert await texts(db) == ["a", "c"]


async def test_sessions_inside_of_sessions(db: AsyncSessionFactory) -> None:
    async with db.begin() as outer:
        await outer.execute(note("outer"))
        async with db.begin() as inner:
            assert await texts(inner) == ["outer"]
            await inner.execute(note("inner"))
        with pytest.raises(ZeroDivisionError):
            async with db.begin() as inner:
                await inner.execute(note("lost"))
                raise ZeroDivisionError
        await db.execute(note("once"))
        assert await texts(outer) == ["inner", "once", "outer"]
        assert db.current_session() is outer
    assert await texts(db) == ["inner", "once", "outer"]


async def test_reading_outside_while_inside(db: AsyncSessionFactory) -> None:
    await db.execute(insert(Note), [{"text": str(i)} for i in range(5)])
    async with db.begin() as outer:
        options = {"yield_per": 2}
        async for found in await outer.stream_scalars(
            select(Note.id).order_by(Note.id), execution_options=options
        ):
            async with db.begin() as inner:
                await inner.execute(update(Note).where(Note.id == found).values(text=f"n{found}"))
                assert await outer.scalar(COUNT) == 5
    assert all(words.startswith("n") for words in await texts(db))


async def test_what_an_inner_rollback_takes_along_is_told(db: AsyncSessionFactory) -> None:
    with pytest.raises(InvalidSessionState, match="what this session wrote while another one"):
        async with db.begin() as outer:
            with pytest.raises(ZeroDivisionError):
                async with db.begin() as inner:
                    await inner.execute(note("inner"))
                    await outer.execute(note("outer"))
                    raise ZeroDivisionError
    async with db.begin() as outer, db.begin() as inner:
        await outer.execute(note("fine"))
        await inner.execute(note("too"))
    assert await texts(db) == ["fine", "too"]


async def test_the_inner_session_ends_first(db: AsyncSessionFactory) -> None:
    async with db.begin() as outer, db.begin() as inner:
        with pytest.raises(InvalidSessionState, match="ends before the one that task"):
            await outer.commit()
        await inner.rollback()


async def test_a_block_that_ends_before_one_inside_of_it(db: AsyncSessionFactory) -> None:
    ready, go_on = asyncio.Event(), asyncio.Event()

    async def child() -> None:
        async with db.begin() as session:
            await session.execute(note("child"))
            ready.set()
            await go_on.wait()
            with pytest.raises(InvalidSessionState, match="inside of has ended"):
                await session.execute(note("late"))

    with pytest.raises(InvalidSessionState, match="ends before the one that task 'child'"):
        async with db.begin() as outer:
            await outer.execute(note("outer"))
            task = asyncio.create_task(child(), name="child")
            await ready.wait()
    go_on.set()
    with pytest.raises(InvalidSessionState, match="inside of has ended"):
        await task
    # Both are gone, and the next session has the sandbox for itself.
    await db.execute(note("next"))
    assert await texts(db) == ["next"]


async def test_tasks_take_turns(real: AsyncSessionFactory) -> None:
    # a busy machine is no reason to give up
    async with sandbox(real, patience=60) as db:
        open_now = 0

        async def work(number: int) -> None:
            nonlocal open_now
            async with db.begin() as session:
                open_now += 1
                assert open_now == 1
                await session.execute(note(str(number)))
                await db.execute(note(f"{number} too"))
                open_now -= 1
                if number == 3:
                    await session.rollback()

        await asyncio.gather(*map(work, range(6)))
        expected = [f"{n}{more}" for n in (0, 1, 2, 4, 5) for more in ("", " too")]
        assert await texts(db) == sorted(expected)


async def test_tasks_started_inside_are_inside(db: AsyncSessionFactory) -> None:
    async def child(number: int) -> None:
        async with db.begin() as session:
            assert "outer" in await texts(session)
            await session.execute(note(f"child {number}"))

    async with db.begin() as outer:
        await outer.execute(note("outer"))
        await asyncio.gather(*map(child, range(3)))
        assert len(await texts(outer)) == 4
        await outer.rollback()
    assert await texts(db) == []


async def test_who_waits_for_too_long_is_told_for_whom(real: AsyncSessionFactory) -> None:
    async with sandbox(real, patience=0.2) as db:
        await check_waiting(db)


async def check_waiting(db: AsyncSessionFactory) -> None:
    ready, go_on = asyncio.Event(), asyncio.Event()

    async def holder() -> None:
        async with db.begin():
            ready.set()
            await go_on.wait()

    holding = asyncio.create_task(holder(), name="holder")
    await ready.wait()
    with pytest.raises(InvalidSessionState, match=r"task 'holder' has a session .* 0\.2 seconds"):
        await db.execute(note("a"))
    go_on.set()
    await holding
    await db.execute(note("b"))


async def test_the_settings_of_the_factory_hold(engine: AsyncEngine) -> None:
    await create(engine)
    by_hand = AsyncSessionFactory(engine, auto_commit=False, eager="explicit")
    async with sandbox(by_hand) as db:
        assert (db.engine, db.auto_commit, db.eager) == (engine, False, "explicit")
        async with db.begin() as session:
            await session.execute(note("a"))
        with pytest.raises(InvalidSessionState):
            await db.execute(note("b"))
        async with db.begin() as session:
            await session.execute(note("c"))
            await session.commit()
        assert await texts(db) == ["c"]


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_isolation_levels(real: AsyncSessionFactory) -> None:
    async with sandbox(real) as db:
        async with db.begin(isolation_level="READ COMMITTED"):
            pass
        with pytest.raises(UnsupportedOption, match=r"sandbox\(db, isolation_level='SERIALIZABLE"):
            async with db.begin(isolation_level="SERIALIZABLE"):
                pytest.fail("it is not")
        with pytest.raises(UnsupportedOption, match="postgresql_readonly"):
            async with db.begin(postgresql_readonly=True):
                pytest.fail("it is not")
        assert await db.scalar(text("select 1")) == 1
    async with sandbox(real, isolation_level="SERIALIZABLE") as db:
        for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
            async with db.begin(isolation_level=level) as session:
                shown = await session.scalar(text("show transaction_isolation"))
                assert shown == "serializable"
        with pytest.raises(InvalidSessionState):
            db.begin(isolation_level="AUTOCOMMIT")


async def test_options_end_with_their_block(db: AsyncSessionFactory) -> None:
    async with db.begin(schema_translate_map={"x": None}, own="mine") as session:
        assert session.conn.sync_connection is not None
        assert session.conn.sync_connection.get_execution_options()["own"] == "mine"
    async with db.begin() as session:
        assert session.conn.sync_connection is not None
        assert "own" not in session.conn.sync_connection.get_execution_options()


async def test_the_connection_is_not_to_be_committed(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        with pytest.raises(InvalidSessionState, match=r"Use session\.commit"):
            await session.conn.commit()
        await session.rollback()


async def test_after_its_end(real: AsyncSessionFactory) -> None:
    async with sandbox(real) as db:
        await db.execute(note("a"))
        block = db.begin()
    for late in (db.begin, db.execute(note("b")).__await__().__next__):
        with pytest.raises(InvalidSessionState, match="has ended"):
            late()
    with pytest.raises(InvalidSessionState, match="has ended"):
        await block.__aenter__()
    assert await stored(real.engine) == []


async def test_ddl_and_what_the_block_raises(real: AsyncSessionFactory) -> None:
    with pytest.raises(ZeroDivisionError):
        async with sandbox(real) as db:
            await db.execute(text("create table extra (n int)"))
            await db.execute(text("insert into extra values (1)"))
            raise ZeroDivisionError
    with pytest.raises(DBAPIError):
        await real.scalar(text("select n from extra"))
    with pytest.raises(TypeError, match="takes an AsyncSessionFactory or a SessionFactory"):
        sandbox(real.engine)  # type: ignore[call-overload]


async def test_a_cancelled_block_leaves_the_sandbox_usable(db: AsyncSessionFactory) -> None:
    ready = asyncio.Event()

    async def work() -> None:
        async with db.begin() as session:
            await session.execute(note("lost"))
            ready.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await ready.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await db.execute(note("a"))
    assert await texts(db) == ["a"]


async def test_in_memory() -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    await create(engine)
    real = AsyncSessionFactory(engine)
    async with sandbox(real) as db:
        await db.execute(note("a"))
        async with db.begin() as session:
            assert await texts(session) == ["a"]
        with pytest.raises(InvalidSessionState, match="a second session"):
            await real.execute(note("b"))
    assert await texts(real) == []
    await engine.dispose()


def test_sync(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)
    with sandbox(SessionFactory(sync_engine), patience=0.1) as db:
        with db.begin() as outer:
            outer.execute(note("a"))
            with db.begin() as inner:
                inner.execute(note("b"))
            with pytest.raises(IntegrityError), db.begin() as inner:
                inner.execute(note("a"))
            with outer.begin_nested():
                outer.execute(note("c"))
            waited: list[BaseException] = []

            def other() -> None:
                try:
                    db.execute(note("d"))
                except InvalidSessionState as error:
                    waited.append(error)

            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
            assert "has a session open on it" in str(waited[0])
        db.execute(note("e"))
        found = db.scalars(select(Note.text).order_by(Note.text))
        assert found.all() == ["a", "b", "c", "e"]
    assert stored_sync(sync_engine) == []
    assert checked_out(sync_engine) == 0
    with pytest.raises(InvalidSessionState):
        db.begin()


async def test_reading_stays_inside(real: AsyncSessionFactory) -> None:
    elsewhere = create_async_engine("sqlite+aiosqlite:////nowhere/at/all")
    with_reader = AsyncSessionFactory(real.engine, reader=elsewhere)
    async with sandbox(with_reader) as db:
        await db.execute(note("a"))
        assert (await db.read().scalars(select(Note.text))).all() == ["a"]
        async with db.read() as session:
            assert await texts(session) == ["a"]
            assert db.current_session() is session
            with pytest.raises(InvalidSessionState, match="only reads"):
                await session.execute(note("b"))
        with pytest.raises(InvalidSessionState, match="only reads"):
            await db.read().execute(note("b"))
        await db.execute(note("c"))
        assert await texts(db) == ["a", "c"]
    with pytest.raises(InvalidSessionState):
        await db.read().scalars(select(Note))
    await elsewhere.dispose()


def test_reading_stays_inside_sync(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)
    with sandbox(SessionFactory(sync_engine)) as db:
        db.execute(note("a"))
        assert db.read().scalars(select(Note.text)).all() == ["a"]
        with db.read() as session:
            assert session.scalars(select(Note.text)).all() == ["a"]
            with pytest.raises(InvalidSessionState, match="only reads"):
                session.execute(note("b"))


class Logs(DeclarativeBase):
    __bind_key__ = "logs"


class Visit(Logs):
    __tablename__ = "visit"

    id: Mapped[int] = mapped_column(primary_key=True)
    page: Mapped[str]


async def test_several_databases(real: AsyncSessionFactory, tmp_path: Path) -> None:
    """Each has a connection, and its part of each session is a savepoint there."""
    logs = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/logs.db")
    elsewhere = create_async_engine("sqlite+aiosqlite:////nowhere/at/all")
    async with logs.begin() as conn:
        await conn.run_sync(Logs.metadata.create_all)
    both = AsyncSessionFactory(real.engine, binds={"logs": logs}, reader=elsewhere)
    pages = select(Visit.page).order_by(Visit.id)
    with pytest.raises(KeyError):
        async with sandbox(both) as db:
            async with db.begin() as session:
                await session.execute(note("a"))
                await session.insert(Visit(page="/a"))
                async with db.begin() as inner:
                    # inside of the outer one, on both
                    assert await inner.all(pages) == ["/a"]
                    assert await texts(inner) == ["a"]
                with pytest.raises(LookupError):
                    async with session.begin_nested():
                        await session.insert(Visit(page="/no"))
                        raise LookupError
            with pytest.raises(LookupError):
                async with db.begin() as session:
                    await session.insert(Visit(page="/no"))
                    await session.execute(note("no"))
                    raise LookupError
            assert session.outcome == "rolled_back"
            await db.insert_all(Visit(page=page) for page in ("/b", "/c"))
            assert await db.run(_visits) == 3
            assert await db.read().all(pages) == ["/a", "/b", "/c"]
            async with db.read() as reading:
                assert await reading.all(pages) == ["/a", "/b", "/c"]
                assert await texts(reading) == ["a"]
                with pytest.raises(InvalidSessionState, match="only reads"):
                    await reading.insert(Visit(page="/d"))
            assert await db.with_options(execution_options={"mine": 1}).all(pages)
            assert db.get_bind(Visit) is logs
            raise KeyError
    assert await both.all(pages) == []
    assert await texts(real) == []
    assert checked_out(real.engine) == checked_out(logs) == 0
    with pytest.raises(InvalidSessionState):
        await db.all(pages)
    await logs.dispose()
    await elsewhere.dispose()


async def _visits(session: AsyncSession) -> int:
    return await session.count(select(Visit))


def test_several_databases_sync(sync_engine: Engine, tmp_path: Path) -> None:
    Base.metadata.create_all(sync_engine)
    logs = create_engine(f"sqlite:///{tmp_path}/logs.db")
    Logs.metadata.create_all(logs)
    both = SessionFactory(sync_engine, binds={"logs": logs})
    with sandbox(both) as db:
        with db.begin() as session:
            session.insert(Visit(page="/a"))
            session.execute(note("a"))
        assert db.all(select(Visit.page)) == ["/a"]
        assert db.read().all(select(Note.text)) == ["a"]
    assert both.all(select(Visit.page)) == []
    logs.dispose()


async def test_several_databases_that_fail(real: AsyncSessionFactory) -> None:
    """A database that can't be reached leaves the others as they were."""
    nowhere = create_async_engine("sqlite+aiosqlite:////nowhere/at/all")
    both = AsyncSessionFactory(real.engine, binds={"logs": nowhere})
    with pytest.raises(OperationalError):
        async with sandbox(both):
            pass
    assert checked_out(real.engine) == 0
    await nowhere.dispose()
    with pytest.raises(TypeError, match="'logs' of this factory are one engine"):
        sandbox(AsyncSessionFactory(real.engine, binds={"logs": real.engine}))
