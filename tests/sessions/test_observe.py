"""What ``db.observe()`` tells of sessions, and what it costs those that nobody observes."""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
from sqlalchemy import Engine, insert, literal, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload
from sqlalchemy.schema import ForeignKey

from naked_sqla import AsyncSessionFactory, InvalidSessionState, SessionFactory
from naked_sqla import observers as public
from naked_sqla.observers import (
    BeginEvent,
    DiscardEvent,
    Event,
    RetryEvent,
    StatementEvent,
)


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "observed_team"

    id: Mapped[int] = mapped_column(primary_key=True)
    members: Mapped[list[Member]] = relationship()


class Member(Base):
    __tablename__ = "observed_member"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey(Team.id))


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    return AsyncSessionFactory(engine)


def here() -> int:
    """The line of the caller."""
    frame: Any = sys._getframe(1)
    line: int = frame.f_lineno
    return line


def kinds(events: list[Event]) -> list[str]:
    return [type(told).__name__.removesuffix("Event") for told in events]


async def test_a_session_from_begin_to_commit(db: AsyncSessionFactory) -> None:
    events: list[Any] = []
    statement = select(Team).options(selectinload(Team.members))
    with db.observe(events.append):
        async with db.begin() as session:
            begun = here() - 1
            await session.execute(insert(Team), [{"id": 1}, {"id": 2}])
            inserted = here() - 1
            await session.scalars(statement)
            selected = here() - 1
    assert kinds(events) == ["Begin", "Statement", "Statement", "Commit"]
    begin, first, second, commit = events
    assert [told.line for told in events] == [begun, inserted, selected, begun]
    assert {told.file for told in events} == {__file__}
    assert {told.session for told in events} == {begin.session}
    assert {told.engine for told in events} == {db.engine.sync_engine}
    assert all(told.duration > 0 and told.error is None for told in events)
    assert [told.started for told in events] == sorted(told.started for told in events)
    assert (first.call, second.call) == ("execute", "scalars")
    assert second.statement is statement
    assert len(first.sql) == 1
    assert first.sql[0].startswith("INSERT INTO observed_team")
    assert len(second.sql) == 2
    assert (begin.outcome, first.outcome, commit.outcome) == ("ok", "ok", "committed")


async def test_the_ways_a_session_ends(db: AsyncSessionFactory) -> None:
    events: list[Any] = []
    db.observe(events.append)
    with pytest.raises(KeyError):
        async with db.begin():
            raise KeyError
    async with db.begin() as session:
        await session.commit()
        line = here() - 1
    async with db.begin() as session:
        await session.rollback()
    async with db.read():
        pass
    ends = ["Rollback", "Commit", "Rollback", "Rollback"]
    assert kinds(events) == [kind for end in ends for kind in ("Begin", end)]
    assert events[3].line == line
    assert [told.outcome for told in events[1::2]] == [
        "rolled_back",
        "committed",
        "rolled_back",
        "rolled_back",
    ]
    assert len({told.session for told in events}) == 4


async def test_a_statement_that_fails(db: AsyncSessionFactory) -> None:
    events: list[Any] = []

    async def twice() -> None:
        async with db.begin() as session:
            await session.execute(insert(Team), [{"id": 1}])
            await session.execute(insert(Team), [{"id": 1}])

    with db.observe(events.append), pytest.raises(IntegrityError) as caught:
        await twice()
    assert kinds(events) == ["Begin", "Statement", "Statement", "Rollback"]
    assert events[2].error is caught.value
    assert events[2].outcome == "failed"
    assert events[2].sql


async def test_a_cancelled_statement(db: AsyncSessionFactory) -> None:
    events: list[Any] = []
    db.observe(events.append)

    def cancel(told: Event) -> None:
        if isinstance(told, BeginEvent):
            task = asyncio.current_task()
            assert task is not None
            task.cancel()

    db.observe(cancel)

    async def work() -> None:
        async with db.begin() as session:
            await session.scalars(select(Team))

    task = asyncio.create_task(work())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "Commit" not in kinds(events)


async def test_single_calls(db: AsyncSessionFactory) -> None:
    events: list[Any] = []
    with db.observe(events.append):
        await db.execute(insert(Team), [{"id": 1}])
        written = here() - 1
        await db.scalars(select(Team))
        read = here() - 1
        await db.read().scalar(select(literal(1)))
    statements = [told for told in events if isinstance(told, StatementEvent)]
    assert [told.call for told in statements] == ["execute", "scalars", "scalar"]
    assert [told.line for told in statements[:2]] == [written, read]
    assert kinds(events)[:3] == ["Begin", "Statement", "Commit"]
    assert len({told.session for told in statements}) == 3


async def test_a_read_only_session_refuses_what_it_always_refuses(db: AsyncSessionFactory) -> None:
    with db.observe(lambda told: None):
        async with db.read() as session:
            with pytest.raises(InvalidSessionState, match=r"insert\(\)"):
                await session.insert(Team(id=1))


async def test_a_stream_and_core_work(db: AsyncSessionFactory) -> None:
    events: list[Any] = []
    await db.execute(insert(Team), [{"id": 1}])
    with db.observe(events.append):
        async with db.begin() as session, session.stream_scalars(select(Team)) as teams:
            assert [team.id async for team in teams] == [1]
    assert [told.call for told in events if isinstance(told, StatementEvent)] == ["stream_scalars"]


async def test_several_observers_and_their_ends(db: AsyncSessionFactory) -> None:
    first: list[Any] = []
    second: list[Any] = []
    one, two = db.observe(first.append), db.observe(second.append)
    await db.execute(insert(Team), [{"id": 1}])
    one.stop()
    one.stop()
    await db.execute(insert(Team), [{"id": 2}])
    two.stop()
    await db.execute(insert(Team), [{"id": 3}])
    assert kinds(first) == ["Begin", "Statement", "Commit"]
    assert len(second) == 6
    with db.observe(first.append):
        await db.execute(insert(Team), [{"id": 4}])
    assert len(first) == 6


async def test_a_session_that_was_open_before_tells_nothing(db: AsyncSessionFactory) -> None:
    events: list[Any] = []
    async with db.begin() as session:
        with db.observe(events.append):
            await session.scalars(select(Team))
    assert events == []


async def test_an_observer_that_raises(
    db: AsyncSessionFactory, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[Any] = []

    def broken(told: Event) -> None:
        raise ValueError("of the observer")

    with (
        caplog.at_level(logging.ERROR, "naked_sqla"),
        db.observe(broken),
        db.observe(events.append),
    ):
        await db.execute(insert(Team), [{"id": 1}])
    assert (await db.scalars(select(Team.id))).all() == [1]
    assert kinds(events) == ["Begin", "Statement", "Commit"]
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "an observer failed"
    ] * 3


async def test_what_is_no_observer(db: AsyncSessionFactory) -> None:
    async def slow(told: Event) -> None:
        raise AssertionError

    class Slow:
        async def __call__(self, told: Event) -> None:
            raise AssertionError

    for wrong in (None, "log", slow, Slow()):
        with pytest.raises(TypeError, match="function of one event"):
            db.observe(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_a_connection_that_is_thrown_away(db: AsyncSessionFactory) -> None:
    events: list[Any] = []
    killer = create_async_engine(db.engine.url)

    async def work() -> None:
        async with db.begin() as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
            async with killer.connect() as conn:
                await conn.execute(text(f"SELECT pg_terminate_backend({pid})"))
            await session.scalar(text("SELECT 1"))

    with db.observe(events.append), pytest.raises(DBAPIError):
        await work()
    await killer.dispose()
    (discard,) = [told for told in events if isinstance(told, DiscardEvent)]
    assert discard.session == events[0].session
    assert discard.engine is db.engine.sync_engine
    assert discard.error is not None


async def test_a_retry(db: AsyncSessionFactory) -> None:
    events: list[Any] = []

    async def work(session: Any) -> None:
        if len([told for told in events if isinstance(told, RetryEvent)]) < 2:
            raise OSError("again")

    with db.observe(events.append):
        await db.run(work, retry_on=OSError)
        line = here() - 1
    retries = [told for told in events if isinstance(told, RetryEvent)]
    assert [told.attempt for told in retries] == [1, 2]
    assert all(isinstance(told.error, OSError) and told.wait >= 0 for told in retries)
    assert {(told.file, told.line) for told in retries} == {(__file__, line)}
    assert kinds(events) == ["Begin", "Rollback", "Retry"] * 2 + ["Begin", "Commit"]


async def test_several_databases(db: AsyncSessionFactory) -> None:
    events: list[Any] = []
    both = AsyncSessionFactory(db.engine, binds={"other": db.engine})
    with both.observe(events.append):
        async with both.begin() as session:
            await session.scalars(select(Team))
            line = here() - 1
    assert kinds(events) == ["Begin", "Statement", "Commit"]
    assert events[1].line == line


async def test_a_call_that_is_a_task_of_its_own_has_no_line(db: AsyncSessionFactory) -> None:
    events: list[Any] = []
    with db.observe(events.append):
        await asyncio.create_task(db.scalars(select(Team)))
    assert {(told.file, told.line) for told in events} == {(None, None)}


async def test_nothing_listens_where_nobody_observes(db: AsyncSessionFactory) -> None:
    """The same transactions, guards and calls run as in a factory that was never observed."""
    observation = db.observe(lambda told: None)
    async with db.begin() as session:
        assert type(session._transaction).__name__ == "ObservedTransaction"
    observation.stop()
    async with db.begin() as session:
        assert type(session._transaction).__name__ == "Transaction"
        assert type(session._guard).__name__ == "TaskGuard"
        assert not session.conn.sync_connection._has_events  # type: ignore[union-attr]
    assert not db.engine.pool.dispatch.invalidate


def test_events_are_frozen() -> None:
    told = RetryEvent(
        session=None,
        engine=None,
        started=0.0,
        attempt=1,
        wait=0.0,  # type: ignore[arg-type]
    )
    with pytest.raises(FrozenInstanceError):
        told.attempt = 2  # type: ignore[misc]
    for name in public.__all__:
        kind = getattr(public, name)
        assert issubclass(kind, Event)
        assert "duration" in {field.name for field in fields(kind)}


def test_the_synchronous_face(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    events: list[Any] = []
    with db.observe(events.append):
        with db.begin() as session:
            begun = here() - 1
            session.execute(insert(Team), [{"id": 1}])
            inserted = here() - 1
        db.scalars(select(Team))
        read = here() - 1
    assert kinds(events)[:3] == ["Begin", "Statement", "Commit"]
    assert [told.line for told in events[:3]] == [begun, inserted, begun]
    assert [told.line for told in events if getattr(told, "call", "") == "scalars"] == [read]
