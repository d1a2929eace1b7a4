"""A connection that is cut, hangs or brings nonsense, at each message of a session's life.

For each: what the user is told, what is stored, that the pool works afterwards with nothing left
open on the server, and that nothing takes longer than its limit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from sqlalchemy import URL, create_engine, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import QueuePool

from naked_sqla import AsyncSessionFactory, CommitOutcomeUnknown, SessionFactory

from .._proxy import Action, Proxy, Side
from .._wire import Moment


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)


class Own(Exception):
    """What the user raises."""


At = tuple[Moment, Side]

MOMENTS: list[At] = [
    (moment, side)
    for moment in ("begin", "execute", "savepoint", "release", "fetch", "commit", "rollback")
    for side in ("sent", "answered")
]
# What psycopg sends besides: a cursor of asyncpg is a portal, which COMMIT closes.
CLOSE: list[At] = [("close", "sent"), ("close", "answered")]
# From the end of a limit to the return, in seconds: the clean-up has about one, and a machine that
# does other things as well may be late.
GRACE = 2.5
LIMIT = 0.3


@dataclass
class Told:
    """What a user knows of a session."""

    error: BaseException | None = None
    seconds: float = 0
    sessions: list[Any] = field(default_factory=list)

    def check(self, at: At, action: Action, stored: list[int]) -> None:
        """Compare with what is stored."""
        late = isinstance(self.error, TimeoutError)
        if at[0] == "commit":
            assert late or isinstance(self.error, CommitOutcomeUnknown), self.error
        elif at[0] == "rollback":
            assert late or isinstance(self.error, Own), self.error
        else:
            assert late if action == "hang" else self.error is not None
            assert not isinstance(self.error, CommitOutcomeUnknown)
        outcome = "unknown" if at[0] == "commit" else "rolled_back"
        assert [session.outcome for session in self.sessions] in ([], [outcome])
        assert [session.state for session in self.sessions] in ([], ["closed"])
        assert stored == ([1, 2, 3] if at == ("commit", "answered") else [])
        assert self.seconds < LIMIT + GRACE


async def work(db: AsyncSessionFactory, fails: bool, told: Told) -> None:
    """Come to each moment of a session."""
    async with db.begin() as session:
        told.sessions.append(session)
        await session.execute(insert(Note), {"id": 1})
        async with session.begin_nested():
            await session.insert(Note(id=2))
        async with session.stream(select(Note)) as notes:
            assert len([note async for note in notes]) == 2
        await session.execute(insert(Note), {"id": 3})
        if fails:
            raise Own


async def told_of(db: AsyncSessionFactory, at: At) -> Told:
    told, began = Told(), time.monotonic()
    try:
        async with asyncio.timeout(LIMIT):
            await work(db, at[0] == "rollback", told)
    except Exception as error:  # noqa: BLE001
        told.error = error
    told.seconds = time.monotonic() - began
    return told


async def checked(engine: AsyncEngine, through: AsyncEngine) -> list[int]:
    """Check that nothing is left behind, and give what is stored."""
    assert cast(QueuePool, through.pool).checkedout() == 0
    async with engine.begin() as conn:
        await conn.execute(text("SET LOCAL lock_timeout = '2s'"))
        await conn.execute(text("LOCK TABLE note IN ACCESS EXCLUSIVE MODE"))
        stored = list((await conn.execute(select(Note.id).order_by(Note.id))).scalars())
    db = AsyncSessionFactory(through)
    async with asyncio.timeout(3):
        for n in range(10, 13):
            async with db.begin() as session:
                await session.insert(Note(id=n))
        assert len((await db.scalars(select(Note))).all()) == len(stored) + 3
    return stored


@pytest.fixture
async def through(
    proxy: Proxy, engine: AsyncEngine, database_url: URL
) -> AsyncIterator[AsyncEngine]:
    """An engine through the proxy, with one warm connection."""
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    through = create_async_engine(proxy.url(database_url), pool_size=1, max_overflow=0)
    async with through.connect() as conn:
        await conn.execute(text("SELECT 1"))
    yield through
    await through.dispose()


@pytest.mark.parametrize(
    ("backend", "at"),
    [("asyncpg", at) for at in MOMENTS] + [("psycopg", at) for at in MOMENTS + CLOSE],
    ids=lambda given: given if isinstance(given, str) else " ".join(given),
    indirect=["backend"],
)
@pytest.mark.parametrize("action", ["cut", "hang", "garble"])
async def test_asynchronous(
    proxy: Proxy, engine: AsyncEngine, through: AsyncEngine, at: At, action: Action
) -> None:
    fault = proxy.on(*at, action)
    told = await told_of(AsyncSessionFactory(through), at)
    assert fault.fired
    proxy.clear()
    told.check(at, action, await checked(engine, through))


def sync_told(db: SessionFactory, at: At) -> Told:
    told, began = Told(), time.monotonic()
    try:
        with db.begin() as session:
            told.sessions.append(session)
            session.execute(insert(Note), {"id": 1})
            with session.begin_nested():
                session.insert(Note(id=2))
            with session.stream(select(Note)) as notes:
                assert len(list(notes)) == 2
            session.execute(insert(Note), {"id": 3})
            if at[0] == "rollback":
                raise Own
    except Exception as error:  # noqa: BLE001
        told.error = error
    told.seconds = time.monotonic() - began
    return told


@pytest.mark.parametrize("action", ["cut", "garble"])
@pytest.mark.parametrize("at", MOMENTS + CLOSE, ids=" ".join)
def test_synchronous(
    proxy: Proxy, postgres_url: Callable[[str], URL], at: At, action: Action
) -> None:
    """psycopg waits for an answer without a limit: what hangs is not asked here."""
    direct = create_engine(postgres_url("psycopg"))
    through = create_engine(proxy.url(postgres_url("psycopg")), pool_size=1, max_overflow=0)
    Base.metadata.create_all(direct)
    db = SessionFactory(through)
    db.scalar(text("SELECT 1"))

    fault = proxy.on(*at, action)
    told = sync_told(db, at)
    assert fault.fired
    proxy.clear()
    assert cast(QueuePool, through.pool).checkedout() == 0
    with direct.begin() as conn:
        conn.execute(text("SET LOCAL lock_timeout = '2s'"))
        conn.execute(text("LOCK TABLE note IN ACCESS EXCLUSIVE MODE"))
        told.check(at, action, list(conn.scalars(select(Note.id).order_by(Note.id))))
    for n in range(10, 13):
        db.insert(Note(id=n))
    through.dispose()
    direct.dispose()
