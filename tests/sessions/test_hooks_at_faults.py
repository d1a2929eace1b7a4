"""after_commit() and on_write() where COMMIT was sent and no answer came."""

# ruff: noqa: PT012 - what a block raises at its end is what these are about
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, select
from sqlalchemy.ext.asyncio import create_async_engine

from naked_sqla import AsyncSessionFactory, CommitOutcomeUnknown, SessionFactory
from naked_sqla.exception import TransactionRolledBack

from .._notes import Note, create, create_sync, stored, stored_sync
from .._proxy import Proxy, Side

pytestmark = pytest.mark.parametrize("side", ["sent", "answered"])
drivers = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)


@pytest.fixture
async def db(proxy: Proxy, database_url: URL) -> AsyncIterator[AsyncSessionFactory]:
    direct, engine = map(create_async_engine, (database_url, proxy.url(database_url)))
    await create(direct)
    db = AsyncSessionFactory(engine)
    yield db
    for one in (direct, engine):
        await one.dispose()


@drivers
@pytest.mark.parametrize("way", ["block", "by hand", "savepoint", "limited"])
async def test_unknown(db: AsyncSessionFactory, proxy: Proxy, side: Side, way: str) -> None:
    """Whether it is stored or not: what waits for the commit is not called, then or later."""
    ran: list[str] = []
    told: list[Any] = []
    fault = proxy.on("commit", side, "cut")
    with db.on_write(lambda _, writes: told.append(len(writes))):
        with pytest.raises(CommitOutcomeUnknown):
            async with db.begin(timeout=9 if way == "limited" else None) as session:
                session.after_commit(lambda: ran.append("unknown"))
                if way == "savepoint":
                    async with session.begin_nested():
                        session.after_commit(lambda: ran.append("in it"))
                        await session.insert(Note(text="a"))
                else:
                    await session.insert(Note(text="a"))
                if way == "by hand":
                    await session.commit()
        assert fault.fired
        assert session.outcome == "unknown"
        # they were told before COMMIT, and once
        assert (ran, told) == ([], [1])
        async with db.begin() as session:
            session.after_commit(lambda: ran.append("known"))
            await session.insert(Note(text="b"))
    assert (ran, told) == (["known"], [1, 1])
    assert await stored(db.engine) == (["a", "b"] if side == "answered" else ["b"])


@drivers
async def test_asked_what_became_of_it(db: AsyncSessionFactory, proxy: Proxy, side: Side) -> None:
    """With ``resolve_commit`` it is known, and they are called just where it is stored."""
    ran: list[str] = []
    fault = proxy.on("commit", side, "cut")
    block = db.begin(resolve_commit=True)
    raised: Exception | None = None
    try:
        async with block as session:
            session.after_commit(lambda: ran.append("stored"))
            await session.insert(Note(text="a"))
    except TransactionRolledBack as error:
        raised = error
    assert fault.fired
    assert block.outcome == ("committed" if side == "answered" else "rolled_back")
    assert (raised is None) == (side == "answered")
    assert ran == (["stored"] if side == "answered" else [])
    assert await db.count(select(Note)) == len(ran)


@drivers
async def test_a_single_call(db: AsyncSessionFactory, proxy: Proxy, side: Side) -> None:
    told: list[Any] = []
    fault = proxy.on("commit", side, "cut")
    listening = db.on_write(lambda _, writes: told.append(len(writes)))
    with listening, pytest.raises(CommitOutcomeUnknown):
        await db.insert_all([Note(text="a"), Note(text="b")])
    assert fault.fired
    assert told == [1]


def test_sync(proxy: Proxy, postgres_url: Callable[[str], URL], side: Side) -> None:
    url, ran = postgres_url("psycopg"), list[str]()
    direct, engine = map(create_engine, (url, proxy.url(url)))
    create_sync(direct)
    db = SessionFactory(engine)
    fault = proxy.on("commit", side, "cut")
    with pytest.raises(CommitOutcomeUnknown), db.begin() as session:
        session.after_commit(lambda: ran.append("unknown"))
        session.insert(Note(text="a"))
    assert fault.fired
    assert (session.outcome, ran) == ("unknown", [])
    assert stored_sync(direct) == (["a"] if side == "answered" else [])
    for one in (direct, engine):
        one.dispose()
