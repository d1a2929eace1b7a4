"""A block that is cancelled at any of its suspension points leaves nothing behind.

No open connection, no transaction, no locked file, and a closed session: for ``task.cancel()`` and
for anyio's scopes, with a future that is pending or done, on every driver.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import URL, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSession, AsyncSessionFactory

from ._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere

pytestmark = pytest.mark.anyio


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


Body = Callable[[AsyncSession], Awaitable[Any]]


async def write_and_read(session: AsyncSession) -> None:
    await session.execute(insert(Note), {"text": "new"})
    await session.scalars(select(Note))


async def commit_by_hand(session: AsyncSession) -> None:
    await session.execute(insert(Note), {"text": "new"})
    await session.commit()


async def rollback_by_hand(session: AsyncSession) -> None:
    await session.execute(insert(Note), {"text": "new"})
    await session.rollback()


async def fail(session: AsyncSession) -> None:
    await session.execute(insert(Note), {"text": "new"})
    raise ValueError("the caller's own error")


async def in_savepoint(session: AsyncSession) -> None:
    async with session.conn.begin_nested():
        await session.execute(insert(Note), {"text": "new"})


BODIES = [write_and_read, commit_by_hand, rollback_by_hand, fail, in_savepoint]


class Witness:
    """Looks at the database from outside."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.engine = create_async_engine(url)

    async def can_write(self, patience: float = 0) -> None:
        """Raise unless no other transaction is open on the table.

        :param patience: seconds that SQLite waits for a lock.
        """
        if self.url.get_backend_name() == "sqlite":
            conn = sqlite3.connect(str(self.url.database), timeout=patience, isolation_level=None)
            with closing(conn):
                conn.execute("BEGIN EXCLUSIVE")
                conn.execute("ROLLBACK")
            return
        async with self.engine.connect() as conn:
            await conn.execute(text("SET LOCAL lock_timeout = '5s'"))
            await conn.execute(text("LOCK TABLE note IN ACCESS EXCLUSIVE MODE"))
            await conn.rollback()


@pytest.fixture
async def witness(database_url: URL, anyio_backend: str) -> Any:
    witness = Witness(database_url)
    async with witness.engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    yield witness
    await witness.engine.dispose()


@pytest.mark.parametrize(
    ("pool", "body"),
    [*(("warm", body) for body in BODIES), ("cold", write_and_read)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_cancelled_anywhere(
    engine: AsyncEngine, witness: Witness, kind: Kind, moment: Moment, pool: str, body: Body
) -> None:
    db = AsyncSessionFactory(engine)
    sessions: list[AsyncSession] = []

    async def block() -> None:
        sessions.clear()
        try:
            async with db.begin() as session:
                sessions.append(session)
                await body(session)
        except ValueError:
            pass

    async def prepare() -> None:
        if pool == "cold":
            await engine.dispose()
        else:
            async with db.begin() as session:
                await session.execute(select(func.count()).select_from(Note))

    async def check(run: Run) -> None:
        # A scope that is cancelled when nothing is awaited any more cancels nothing.
        assert run.cancelled is run.reached or kind == "scope"
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert [session.state for session in sessions] in ([], ["closed"])
        # What runs on session.conn is SQLAlchemy's: its driver's thread closes it a moment later.
        await witness.can_write(patience=5 if body is in_savepoint else 0)

    points = await cancelled_everywhere(block, kind, moment, check, prepare)
    assert points >= 3
