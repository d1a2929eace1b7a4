"""A reader on a real streaming replica: what it sees, what it may not yet see, what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import URL, create_engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSessionFactory, InvalidSessionState, SessionFactory

from .._postgres import primary_and_replica


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[URL, URL]]:
    with primary_and_replica() as urls:
        yield urls


@pytest.fixture(params=["asyncpg", "psycopg"])
async def db(
    servers: tuple[URL, URL], request: pytest.FixtureRequest
) -> AsyncIterator[AsyncSessionFactory]:
    """A factory on the primary, with the replica as reader; both have an empty table."""
    writer, reader = (
        create_async_engine(url.set(drivername=f"postgresql+{request.param}")) for url in servers
    )
    db = AsyncSessionFactory(writer, reader=reader)
    async with writer.begin() as conn:
        await conn.run_sync(Base.metadata.drop_all)
        await conn.run_sync(Base.metadata.create_all)
    await caught_up(writer, reader)
    yield db
    await writer.dispose()
    await reader.dispose()


async def position(engine: AsyncEngine, function: str) -> object:
    async with engine.connect() as conn:
        return await conn.scalar(text(f"SELECT CAST({function}() AS text)"))


async def caught_up(writer: AsyncEngine, reader: AsyncEngine) -> None:
    """Wait until the replica has replayed all that the primary has written by now."""
    written = await position(writer, "pg_current_wal_flush_lsn")
    async with asyncio.timeout(20), reader.connect() as conn:
        reached = text("SELECT pg_last_wal_replay_lsn() >= CAST(CAST(:at AS text) AS pg_lsn)")
        while not await conn.scalar(reached, {"at": written}):  # noqa: ASYNC110
            # the replica tells nobody when it has come that far
            await asyncio.sleep(0.01)


def reader_of(db: AsyncSessionFactory) -> AsyncEngine:
    reader = db._reader
    assert reader is not None
    return reader


async def test_what_is_committed_is_seen_when_it_was_replayed(db: AsyncSessionFactory) -> None:
    reader = reader_of(db)
    await position(reader, "pg_wal_replay_pause")
    try:
        async with asyncio.timeout(20), reader.connect() as conn:
            state = text("SELECT pg_get_wal_replay_pause_state()")
            while await conn.scalar(state) != "paused":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with db.begin() as session:
            await session.execute(insert(Note), {"text": "new"})
        assert len((await db.scalars(select(Note))).all()) == 1
        # committed, and not yet here
        assert (await db.read().scalars(select(Note))).all() == []
        async with db.read() as session:
            assert (await session.scalars(select(Note))).all() == []
    finally:
        await position(reader, "pg_wal_replay_resume")
    await caught_up(db.engine, reader)
    assert (await db.read().scalars(select(Note))).one().text == "new"
    async with db.read() as session:
        assert (await session.scalars(select(Note))).one().text == "new"


async def test_it_is_the_replica_that_is_read(db: AsyncSessionFactory) -> None:
    following = select(func.pg_is_in_recovery())
    assert await db.scalar(following) is False
    assert await db.read().scalar(following) is True
    async with db.read() as session:
        assert await session.scalar(following) is True
    async with db.begin() as session:
        assert await session.scalar(following) is False


async def test_a_write_comes_neither_to_the_one_nor_to_the_other(db: AsyncSessionFactory) -> None:
    with pytest.raises(InvalidSessionState, match="only reads"):
        await db.read().execute(insert(Note), {"text": "new"})
    async with db.read() as session:
        with pytest.raises(InvalidSessionState, match="only reads"):
            await session.execute(insert(Note), {"text": "new"})
        with pytest.raises(DBAPIError, match=r"read-only transaction|during recovery"):
            await session.scalar(select(func.nextval("note_id_seq")))
    assert (await db.scalars(select(Note))).all() == []


async def test_several_statements_on_a_replica(db: AsyncSessionFactory) -> None:
    """One state of the database for all of them, as the isolation level promises there too."""
    async with db.read(isolation_level="REPEATABLE READ") as session:
        assert await session.scalar(select(func.count(Note.id))) == 0
        async with db.begin() as other:
            await other.execute(insert(Note), {"text": "new"})
        await caught_up(db.engine, reader_of(db))
        assert await session.scalar(select(func.count(Note.id))) == 0
    assert await db.read().scalar(select(func.count(Note.id))) == 1


def test_sync(servers: tuple[URL, URL]) -> None:
    writer, reader = (create_engine(url.set(drivername="postgresql+psycopg")) for url in servers)
    db = SessionFactory(writer, reader=reader)
    assert db.read().scalar(select(func.pg_is_in_recovery())) is True
    with db.read() as session:
        assert session.scalar(select(func.pg_is_in_recovery())) is True
    writer.dispose()
    reader.dispose()
