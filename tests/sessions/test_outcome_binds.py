"""What a session on several databases says became of what it did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import URL, insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    CommitOutcomeUnknown,
    PartialCommit,
    UnsupportedOption,
)
from naked_sqla.sessions._async.greenlet import _leftover

from .._notes import Note, checked_out, create
from .._postgres import own_schema, url_in_schema
from .._proxy import Fault, Proxy

pytestmark = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
GRACE = "naked_sqla.sessions._async.greenlet.GRACE"
PUSH = "naked_sqla.sessions._async.greenlet._PUSH"


class Logs(DeclarativeBase):
    __bind_key__ = "logs"


class Line(Logs):
    __tablename__ = "line"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


@pytest.fixture
async def engines(
    proxy: Proxy, postgres_server: URL, database_url: URL, engine: AsyncEngine, backend: str
) -> AsyncIterator[list[AsyncEngine]]:
    """The default database and "logs", both through the proxy, with warm connections."""
    await create(engine)
    with own_schema(postgres_server) as schema:
        urls = database_url, url_in_schema(postgres_server, backend, schema)
        made = [create_async_engine(proxy.url(url)) for url in urls]
        async with made[1].begin() as conn:
            await conn.run_sync(Logs.metadata.create_all)
        async with made[0].begin() as conn:
            await conn.execute(text("select 1"))
        yield made
        proxy.clear()
        for one in made:
            await one.dispose()


@pytest.fixture
def db(engines: list[AsyncEngine]) -> AsyncSessionFactory:
    return AsyncSessionFactory(engines[0], binds={"logs": engines[1]})


@pytest.fixture
def prepared(engines: list[AsyncEngine]) -> AsyncSessionFactory:
    return AsyncSessionFactory(engines[0], binds={"logs": engines[1]}, two_phase=True)


async def write_both(session: AsyncSession) -> None:
    await session.execute(insert(Note), {"text": "a"})
    await session.execute(insert(Line), {"text": "b"})


async def stored(db: AsyncSessionFactory) -> tuple[int, int]:
    """How many rows are in each of them."""
    return await db.scalar(text("select count(*) from note")), await db.scalar(
        text("select count(*) from line"), execution_options={"bind_key": "logs"}
    )


async def test_all_of_them(db: AsyncSessionFactory, prepared: AsyncSessionFactory) -> None:
    for one in (db, prepared):
        async with one.begin() as session:
            await write_both(session) if one is db else None
            assert session.outcome == "open"
        assert session.outcome == "committed"
        async with one.begin() as session:
            await session.rollback()
        assert session.outcome == "rolled_back"
    async with prepared.begin() as session:
        await session.execute(insert(Line), {"text": "c"})
        await session.execute(insert(Note), {"text": "c"})
    assert session.outcome == "committed"
    assert await stored(db) == (2, 2)


@pytest.mark.parametrize(("side", "first"), [("sent", 0), ("answered", 1)])
async def test_the_first_answer_is_lost(
    db: AsyncSessionFactory, proxy: Proxy, side: Any, first: int
) -> None:
    proxy.on("commit", side, "cut")
    with pytest.raises(PartialCommit, match="sent to the default database, which may") as error:
        async with db.begin() as session:
            await write_both(session)
    told = error.value
    assert (told.committed, told.failed, told.unknown) == ((), ("logs",), (None,))
    assert isinstance(told.__cause__, CommitOutcomeUnknown)
    assert session.outcome == "unknown"
    assert await stored(db) == (first, 0)
    assert [checked_out(engine) for engine in (db.engine, db.get_bind(Line))] == [0, 0]


@pytest.mark.parametrize(("side", "second"), [("sent", 0), ("answered", 1)])
async def test_the_second_answer_is_lost(
    db: AsyncSessionFactory, proxy: Proxy, side: Any, second: int
) -> None:
    proxy.on("commit", side, "cut", skip=1)
    with pytest.raises(
        PartialCommit, match="in the default database, and was sent to 'logs'"
    ) as error:
        async with db.begin() as session:
            await write_both(session)
    told = error.value
    assert (told.committed, told.failed, told.unknown) == ((None,), (), ("logs",))
    assert session.outcome == "unknown"
    assert await stored(db) == (1, second)


async def test_only_one_was_used(db: AsyncSessionFactory, proxy: Proxy) -> None:
    proxy.on("commit", "answered", "cut")
    with pytest.raises(CommitOutcomeUnknown):
        async with db.begin() as session:
            await session.execute(insert(Line), {"text": "b"})
    assert session.outcome == "unknown"


@pytest.mark.parametrize("skip", [0, 1])
async def test_resolved(db: AsyncSessionFactory, proxy: Proxy, skip: int) -> None:
    proxy.on("commit", "answered", "cut", skip=skip)
    async with db.begin(resolve_commit=True) as session:
        await write_both(session)
    assert session.outcome == "committed"
    assert await stored(db) == (1, 1)


async def test_one_that_can_not_be_asked(engine: AsyncEngine) -> None:
    sqlite = create_async_engine("sqlite+aiosqlite://")
    db = AsyncSessionFactory(engine, binds={"logs": sqlite})
    with pytest.raises(UnsupportedOption, match="sqlite can't be asked"):
        db.begin(resolve_commit=True)
    await sqlite.dispose()


# ------------------------------------------------------------ two phases


async def finished() -> None:
    """Wait for work whose caller has gone on."""
    if _leftover:
        await asyncio.wait(list(_leftover))


async def given_up(work: asyncio.Task[None], fault: Fault) -> None:
    """Cancel a task at a fault, and wait until it has ended."""
    await fault.happens()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("skip", [0, 1])
async def test_what_is_decided_is_not_cancelled(
    prepared: AsyncSessionFactory,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    skip: int,
    by_hand: bool,
) -> None:
    monkeypatch.setattr(GRACE, 0.01)
    monkeypatch.setattr(PUSH, 0.01)
    fault = proxy.on("commit prepared", "sent", "hang", skip=skip)
    sessions: list[AsyncSession] = []

    async def use() -> None:
        async with prepared.begin() as session:
            sessions.append(session)
            await write_both(session)
            if by_hand:
                await session.commit()

    await given_up(asyncio.create_task(use()), fault)
    assert sessions[0].state == "closed"
    fault.release()
    await finished()
    assert fault.count == 1
    assert sessions[0].outcome == "committed"
    assert await stored(prepared) == (1, 1)


async def test_what_can_not_be_ended(
    prepared: AsyncSessionFactory,
    engine: AsyncEngine,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller is gone: the log says what to send."""
    monkeypatch.setattr(GRACE, 0.01)
    hang = proxy.on("commit prepared", "sent", "hang", skip=1)
    proxy.on("commit prepared", "sent", "cut", skip=1, times=None)
    sessions: list[AsyncSession] = []

    async def use() -> None:
        async with prepared.begin() as session:
            sessions.append(session)
            await write_both(session)

    work = asyncio.create_task(use())
    await given_up(work, hang)
    proxy.cut_all()
    await finished()
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    name = record.getMessage().split("COMMIT PREPARED '")[1].split("'")[0]
    assert sessions[0].outcome == "unknown"
    proxy.clear()
    await prepared.engine.dispose()
    assert await stored(prepared) == (1, 0)
    await end_prepared(engine, name)
    assert await stored(prepared) == (1, 1)


async def test_partial_commit_names_what_is_left(
    prepared: AsyncSessionFactory, engine: AsyncEngine, proxy: Proxy
) -> None:
    proxy.on("commit prepared", "sent", "cut", times=None)
    with pytest.raises(PartialCommit) as error:
        async with prepared.begin() as session:
            await write_both(session)
    told = error.value
    assert (told.committed, told.failed, told.unknown) == ((), (), (None, "logs"))
    assert set(told.prepared) == {None, "logs"}
    assert isinstance(told.__cause__, DBAPIError)
    assert session.outcome == "unknown"
    for name in told.prepared.values():
        assert name in str(told)
        await end_prepared(engine, name)
    proxy.clear()
    assert await stored(prepared) == (1, 1)


async def end_prepared(engine: AsyncEngine, name: str) -> None:
    async with engine.connect() as conn:
        plain = await conn.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text(f"COMMIT PREPARED '{name}'"))
