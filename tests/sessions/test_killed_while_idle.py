"""A backend that is killed while its session asks nothing says so before the connection closes."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from sqlalchemy import URL, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import QueuePool

from naked_sqla import AsyncSession, AsyncSessionFactory

from .._proxy import Proxy


class Base(DeclarativeBase):
    pass


class Letter(Base):
    __tablename__ = "letter"

    id: Mapped[int] = mapped_column(primary_key=True)


def message(kind: bytes, **fields: str) -> bytes:
    body = b"".join(key.encode() + value.encode() + b"\0" for key, value in fields.items()) + b"\0"
    return kind + struct.pack("!i", len(body) + 4) + body


KILLED = message(b"E", S="FATAL", V="FATAL", C="57P01", M="terminating connection")
NOTICE = message(b"N", S="NOTICE", V="NOTICE", C="00000", M="the message before has arrived")

Way = Callable[[AsyncSession], Awaitable[Any]]


async def by_statement(session: AsyncSession) -> None:
    await session.execute(insert(Letter), {"id": 2})


async def by_list(session: AsyncSession) -> None:
    await session.execute(insert(Letter), [{"id": 2}, {"id": 3}])


async def by_object(session: AsyncSession) -> None:
    await session.insert(Letter(id=2))


async def by_copy(session: AsyncSession) -> None:
    await session.copy_in(Letter, [{"id": 2}])


async def by_reading(session: AsyncSession) -> None:
    await session.scalars(select(Letter))


async def by_streaming(session: AsyncSession) -> None:
    async with session.stream(select(Letter)) as letters:
        [letter async for letter in letters]


async def by_savepoint(session: AsyncSession) -> None:
    async with session.begin_nested():
        pass


WAYS = [by_statement, by_list, by_object, by_copy, by_reading, by_streaming, by_savepoint]


@pytest.fixture
async def through(proxy: Proxy, postgres_url: Callable[[str], URL]) -> AsyncIterator[AsyncEngine]:
    # psycopg reads its socket with the next statement only
    engine = create_async_engine(proxy.url(postgres_url("asyncpg")))
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    yield engine
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.drop_all)
    await engine.dispose()


async def kill(proxy: Proxy, raw: Any) -> None:
    """Let the driver hear of it while the connection stays open."""
    heard = asyncio.Event()
    raw.add_log_listener(lambda *_: heard.set())
    proxy.send_all(KILLED + NOTICE)
    await asyncio.wait_for(heard.wait(), 10)


async def raw_of(session: AsyncSession) -> Any:
    connection = await session.connection()
    return (await connection.get_raw_connection()).driver_connection


@pytest.mark.parametrize("way", WAYS)
async def test_the_error_is_that_of_a_lost_connection(
    through: AsyncEngine, proxy: Proxy, way: Way
) -> None:
    db = AsyncSessionFactory(through)
    session: Any = None

    async def work() -> None:
        nonlocal session
        async with db.begin() as session:
            await session.execute(insert(Letter), {"id": 1})
            await kill(proxy, await raw_of(session))
            await way(session)

    with pytest.raises(DBAPIError) as caught:
        await work()
    assert caught.value.connection_invalidated
    assert session.outcome == "rolled_back"
    assert cast(QueuePool, through.pool).checkedout() == 0
    assert (await db.scalars(select(Letter.id))).all() == []


@pytest.mark.parametrize("way", WAYS)
async def test_run_begins_again(through: AsyncEngine, proxy: Proxy, way: Way) -> None:
    db = AsyncSessionFactory(through)
    attempts: list[int] = []

    async def work(session: AsyncSession) -> None:
        attempts.append(1)
        await session.execute(insert(Letter), {"id": 1})
        if len(attempts) == 1:
            await kill(proxy, await raw_of(session))
        await way(session)

    await db.run(work)
    assert len(attempts) == 2
    assert 1 in (await db.scalars(select(Letter.id))).all()


async def test_a_single_call_gives_the_connection_up(through: AsyncEngine, proxy: Proxy) -> None:
    db = AsyncSessionFactory(through)
    async with through.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        await connection.rollback()
    await kill(proxy, raw)
    with pytest.raises(DBAPIError) as caught:
        await db.scalars(select(Letter.id))
    assert caught.value.connection_invalidated
    assert (await db.scalars(select(Letter.id))).all() == []


async def test_a_commit_is_known_to_have_failed(through: AsyncEngine, proxy: Proxy) -> None:
    db = AsyncSessionFactory(through)
    session: Any = None

    async def work() -> None:
        nonlocal session
        async with db.begin() as session:
            await session.execute(insert(Letter), {"id": 1})
            await kill(proxy, await raw_of(session))

    with pytest.raises(DBAPIError) as caught:
        await work()
    assert caught.value.connection_invalidated
    assert session.outcome == "rolled_back"
    assert (await db.scalars(select(Letter.id))).all() == []


async def test_a_two_phase_commit_is_taken_back(
    through: AsyncEngine, proxy: Proxy, postgres_url: Callable[[str], URL]
) -> None:
    other = create_async_engine(postgres_url("asyncpg"))
    db = AsyncSessionFactory(through, binds={"other": other}, two_phase=True)
    session: Any = None

    async def work() -> None:
        nonlocal session
        async with db.begin() as session:
            await session.execute(insert(Letter), {"id": 1})
            await session.execute(
                insert(Letter), {"id": 2}, execution_options={"bind_key": "other"}
            )
            await kill(proxy, await raw_of(session))

    with pytest.raises(DBAPIError) as caught:
        await work()
    assert caught.value.connection_invalidated
    assert session.outcome == "rolled_back"
    assert (await db.scalars(select(Letter.id))).all() == []
    await other.dispose()
